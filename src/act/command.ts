// One attempt of an action by a command of the operator's: argv without a shell, a small
// environment, the payload on stdin. Its output is kept in part, without the secrets it was given.
import type { ActionPayload, Outcome } from '../core/delivery.ts';
import type { CommandVia } from '../core/policy.ts';
import { fill, type TemplateValues } from '../core/template.ts';
import { cutStart, printable, redact } from '../kit/redact.ts';
import { type RunResult, run } from './process-group.ts';

const OUTPUT_BYTES_MAX = 64 * 1_024;
const OUTPUT_KEPT_MAX = 2_000;
/** What a program needs to run at all; nothing else of canaryd's own environment is passed on. */
const INHERITED = ['PATH', 'HOME', 'LANG'];
/** The machine is short of something for the moment. */
const TRANSIENT = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETXTBSY']);

export type CommandOptions = {
  readonly via: CommandVia;
  readonly deliveryId: string;
  readonly payload: ActionPayload;
  readonly timeoutMs: number;
  /** Resolved. */
  readonly env: Readonly<Record<string, string>>;
  /** Those values of `env` that may not be shown. */
  readonly secrets: readonly string[];
  readonly values: TemplateValues;
  readonly signal: AbortSignal;
};

export async function runCommand(options: CommandOptions): Promise<Outcome> {
  const [program = '', ...args] = options.via.argv;
  if (program === '' || program.includes('${')) {
    const detail = 'argv[0]: the program is fixed by the policy; found none or a placeholder';
    return { kind: 'refused', reason: 'misconfigured', detail };
  }
  const started = performance.now();
  const result = await run({
    argv: [program, ...args.map((argument) => fill(argument, options.values))],
    env: environmentOf(options),
    stdin: JSON.stringify(options.payload),
    timeoutMs: options.timeoutMs,
    outputBytesMax: OUTPUT_BYTES_MAX,
    signal: options.signal,
  });
  return outcomeOf(result, options, program, performance.now() - started);
}

function environmentOf({ payload, deliveryId, env }: CommandOptions): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const { data } = payload;
  return {
    ...Object.fromEntries(inherited),
    ...env,
    CANARYD_DELIVERY_ID: deliveryId,
    CANARYD_ACTION: payload.type.replace('canaryd.', ''),
    CANARYD_WATCH: data.watch,
    CANARYD_SERVICE: data.service,
    CANARYD_ENVIRONMENT: data.environment,
    CANARYD_VERSION: data.version,
    CANARYD_PREVIOUS_VERSION: data.previous_version ?? '',
  };
}

function outcomeOf(
  result: RunResult,
  options: CommandOptions,
  program: string,
  tookMs: number,
): Outcome {
  if (result.kind === 'not_started') {
    const detail = `cannot start ${program}: ${START_ERRORS.get(result.code) ?? result.code}`;
    return TRANSIENT.has(result.code)
      ? retryable('not_started', detail, false)
      : { kind: 'refused', reason: 'not_started', detail };
  }
  const said = saidBy(result.output, options.secrets);
  switch (result.kind) {
    case 'exited':
      return result.code === 0
        ? { kind: 'delivered', detail: `exit code 0 in ${Math.round(tookMs)} ms${said}` }
        : retryable('exit_code', `exit code ${result.code}${said}`, false);
    case 'killed':
      return retryable('exit_code', `ended by ${result.by}${said}`, true);
    case 'timeout':
      return retryable(
        'timeout',
        `not finished within ${options.timeoutMs} ms, stopped; it may have taken effect${said}`,
        true,
      );
    case 'aborted':
      return retryable('interrupted', `interrupted; it may have taken effect${said}`, true);
  }
}

const START_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'ENOENT, no such program (or its working directory or interpreter is missing)'],
  ['EACCES', 'EACCES, not executable for the user that canaryd runs as'],
  ['ERR_INVALID_ARG_VALUE', 'an argument or a variable has a NUL character'],
]);

function saidBy(output: string, secrets: readonly string[]): string {
  // Secrets first: cutting could leave the rest of one that is no longer recognised.
  const text = cutStart(printable(redact(output, secrets), { keepLines: true }), OUTPUT_KEPT_MAX);
  return text === '' ? '' : `: ${text}`;
}

function retryable(
  reason: 'exit_code' | 'timeout' | 'interrupted' | 'not_started',
  detail: string,
  maybeDelivered: boolean,
): Outcome {
  return { kind: 'retryable', reason, detail, retryAfterMs: null, maybeDelivered };
}
