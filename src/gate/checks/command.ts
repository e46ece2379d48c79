// A program of the operator's: exit code, output and time. It runs without a shell in a group of
// its own, which is ended as a whole when its time is over. Its output is foreign: it is bounded,
// and kept without the secrets that the program was given.
import { resolve } from 'node:path';
import { type RunResult, run } from '../../act/process-group.ts';
import { ms, SECRET_NAME } from '../../config/fields.ts';
import type { CommandInput } from '../../config/gate-checks/command.ts';
import { compileSearch } from '../../core/pattern.ts';
import { formatDuration, parseQuantity, roughDuration } from '../../core/quantity.ts';
import { fill, type TemplateValues } from '../../core/template.ts';
import { cutStart, printable, redact } from '../../kit/redact.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { figureWords, judgeFigure } from '../figure.ts';
import type { Found } from '../found.ts';
import { summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { missingSecret } from '../request.ts';
import { exhibit, unknown } from '../result.ts';
import { inherited, processText } from './process.ts';

/** Of stdout and stderr together; of more the last is kept. */
export const OUTPUT_BYTES_MAX = 1_000_000;
const SAID_MAX = 200;
/** From SIGTERM to the end of the last child. */
const BEYOND_RUN_MS = 4_000;

type Environment =
  | { readonly kind: 'env'; readonly env: Record<string, string>; readonly hidden: string[] }
  | { readonly kind: 'missing'; readonly text: string };

export function commandCheck(input: CommandInput, make: MakeTools): MadeCheck {
  const [program = '', ...rest] = input.run;
  const argv = [program, ...rest.map((argument) => fill(argument, make.values))];
  return {
    kind: 'command',
    wants: wantsText(input, argv),
    timeoutMs: ms(input.timeout) + BEYOND_RUN_MS,
    run: (tools) => carryOut(input, argv, tools, make),
  };
}

async function carryOut(
  input: CommandInput,
  argv: readonly string[],
  tools: CheckTools,
  make: MakeTools,
): Promise<CheckResult> {
  const environment = environmentOf(input, tools, make);
  if (environment.kind === 'missing') return unknown(environment.text);
  const { env, hidden } = environment;
  const started = tools.clock.monotonic();
  const result = await run({
    argv,
    env,
    cwd: resolve(tools.folder, fill(input.folder ?? '.', make.values)),
    stdin: '',
    timeoutMs: ms(input.timeout),
    outputBytesMax: OUTPUT_BYTES_MAX,
    signal: tools.signal,
  });
  const tookMs = tools.clock.monotonic() - started;
  if (result.kind === 'not_started') return unknown(`${argv[0]}: ${processText(result)}`);
  const clean = (text: string) => redact(text, hidden);
  const output = clean(result.output);
  const whole = exhibit('output.txt', output);
  const isCut = Buffer.byteLength(result.output) >= OUTPUT_BYTES_MAX;
  const exhibits = [{ ...whole, isCut: whole.isCut || isCut }];
  if (result.kind !== 'exited') {
    const text = `${argv[0]}: ${processText(result, ms(input.timeout))}${said(output)}`;
    return unknown(text, { exhibits });
  }
  const found = [
    exitFound(result, input, output),
    ...timeFound(tookMs, input),
    ...outputFound(output, isCut, input),
    ...numberFound(output, input, make.values),
  ];
  return summedUp(found, { exhibits });
}

function environmentOf(
  { env: written = {}, inherit = [] }: CommandInput,
  { env: all }: CheckTools,
  { secrets, values }: MakeTools,
): Environment {
  const env = inherited(all, inherit);
  const hidden: string[] = [];
  for (const [name, text] of Object.entries(written)) {
    if (!SECRET_NAME.test(text)) {
      env[name] = fill(text, values);
      continue;
    }
    const value = secrets.secret(text.slice(1)).current();
    if (value === null) return { kind: 'missing', text: missingSecret(text) };
    env[name] = value;
    hidden.push(value);
  }
  return { kind: 'env', env, hidden };
}

/** The last that it said: usually the reason. */
function said(output: string): string {
  const text = cutStart(printable(output), SAID_MAX);
  return text === '' ? '' : `: ${text}`;
}

function exitFound(
  { code }: Extract<RunResult, { kind: 'exited' }>,
  { exit }: CommandInput,
  output: string,
): Found {
  const wanted = [exit].flat();
  if (wanted.includes(code)) return { kind: 'good', text: `exit code ${code}` };
  const text = `exit code ${code}, ${wanted.join(' or ')} wanted${said(output)}`;
  return { kind: 'bad', text };
}

function timeFound(tookMs: number, { within }: CommandInput): readonly Found[] {
  if (within === undefined) return [];
  const took = roughDuration(Math.ceil(tookMs));
  const isFit = tookMs <= ms(within);
  return [{ kind: isFit ? 'good' : 'bad', text: `it took ${took}, within ${within} wanted` }];
}

function outputFound(output: string, isCut: boolean, input: CommandInput): readonly Found[] {
  const { match, not_match: notMatch } = input;
  const isThere = (source: string) => compileSearch(source)?.last(output) != null;
  const beyond = `the output is larger than ${OUTPUT_BYTES_MAX} bytes: its beginning is not known`;
  return [
    ...listOf(match).map((source): Found => {
      if (isThere(source)) return { kind: 'good', text: `the output matches ${source}` };
      if (isCut) return { kind: 'unknown', text: beyond };
      return { kind: 'bad', text: `the output does not match ${source}` };
    }),
    ...listOf(notMatch).map((source): Found => {
      if (isThere(source)) return { kind: 'bad', text: `the output matches ${source}` };
      if (isCut) return { kind: 'unknown', text: beyond };
      return { kind: 'good', text: `the output does not match ${source}` };
    }),
  ];
}

function listOf(written: string | readonly string[] | undefined): readonly string[] {
  return written === undefined ? [] : [written].flat();
}

function numberFound(
  output: string,
  { number }: CommandInput,
  values: TemplateValues,
): readonly Found[] {
  if (number === undefined) return [];
  const groups = compileSearch(number.pattern)?.last(output) ?? null;
  if (groups === null) {
    return [
      { kind: 'unknown', text: `no number in the output: nothing matches ${number.pattern}` },
    ];
  }
  const text = (groups[1] ?? groups[0] ?? '').replaceAll(',', '').trim();
  const quantity = parseQuantity(text);
  if (quantity === null) {
    return [{ kind: 'unknown', text: `"${text}" is no number; match only the number` }];
  }
  const judged = judgeFigure(number, quantity.value, values);
  if (judged.kind === 'unusable') return [{ kind: 'unknown', text: judged.text }];
  return [{ kind: judged.holds ? 'good' : 'bad', text: judged.text }];
}

function wantsText(input: CommandInput, argv: readonly string[]): string {
  const { exit, match, not_match: notMatch, number, within } = input;
  const parts = [
    `exit code ${[exit].flat().join(' or ')}`,
    ...listOf(match).map((source) => `output matches ${source}`),
    ...listOf(notMatch).map((source) => `output does not match ${source}`),
    ...(number === undefined ? [] : [`${number.pattern} ${figureWords(number)}`]),
    ...(within === undefined ? [] : [`within ${formatDuration(ms(within))}`]),
  ];
  return `${argv.join(' ')}: ${parts.join(', ')}`;
}
