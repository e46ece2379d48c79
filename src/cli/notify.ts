// `notify test`: sends a marked message through the channels of a config and says what came of each.
// It needs no daemon, and reads no policy's figures.
import { loadConfig } from '../config/load.ts';
import type { DeliveryReason } from '../core/event.ts';
import { createRoads } from '../daemon/channels.ts';
import { type TrialResult, tryRoads } from '../daemon/trial.ts';
import { createLogger } from '../kit/logger.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';

export type NotifyOptions = {
  readonly config: string;
  readonly channel?: string;
  readonly critical?: boolean;
};

/** Exit code 0: all took it; 1: some did not. A config that is wrong is thrown. */
export async function notifyTest(
  io: CliIo,
  output: Output,
  options: NotifyOptions,
): Promise<ExitCode> {
  const { config } = loadConfig(options.config, { env: io.env });
  const names = Object.keys(config.channels);
  const { channel } = options;
  if (channel !== undefined && !names.includes(channel)) {
    const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw usage(`--channel: found ${channel}, which ${options.config} does not define; ${known}`);
  }
  if (names.length === 0) {
    output.line(`${options.config} defines no channel: messages go to the log only`);
    if (output.isJson) output.json({ ok: true, channels: [] });
    return EXIT.passed;
  }
  const wanted = Object.entries(config.channels).filter(
    ([name]) => channel === undefined || name === channel,
  );
  // The result says what the log would.
  const tools = { clock: io.clock, logger: createLogger('silent') };
  const results = await tryRoads(createRoads(Object.fromEntries(wanted), tools), {
    isCritical: options.critical === true,
    clock: io.clock,
    signal: io.signal,
  });
  const isOk = results.every(({ outcome }) => outcome.kind === 'delivered');
  if (output.isJson) output.json({ ok: isOk, channels: results.map(resultJson) });
  else for (const result of results) output.line(resultText(result));
  return isOk ? EXIT.passed : EXIT.stopped;
}

function resultText({ name, outcome, tookMs }: TrialResult): string {
  if (outcome.kind === 'delivered') {
    return `✓ ${name}: delivered in ${tookMs} ms (${outcome.detail})`;
  }
  const { reason, detail } = outcome;
  return `✗ ${name}: ${reason} after ${tookMs} ms: ${detail}\n  ${adviceOn(reason)}`;
}

function resultJson({ channel, name, outcome, tookMs }: TrialResult) {
  const { detail } = outcome;
  const delivered = outcome.kind === 'delivered';
  const why = delivered ? {} : { reason: outcome.reason, advice: adviceOn(outcome.reason) };
  const webhook = name === channel ? {} : { webhook: name.slice(channel.length + 1) };
  return { channel, ...webhook, delivered, took_ms: tookMs, detail, ...why };
}

/** What to do, where the detail does not say it. */
function adviceOn(reason: DeliveryReason): string {
  return ADVICE[reason] ?? 'Look at the channel in the config, and at docs/channels.md.';
}

const ADVICE: Readonly<Partial<Record<DeliveryReason, string>>> = {
  timeout: 'Check host and firewall, or give it more time with "timeout". It may have arrived.',
  network: 'Check host name, port and firewall; is the service up?',
  tls: 'Check the certificate, and https:// or TLS against what the server speaks.',
  rate_limited: 'The service wants fewer messages: try again later.',
  server_error: 'The service has trouble of its own: try again later.',
  client_error: 'The service refuses the message: check the ids in the config, and its rights.',
  redirect: 'Set the final URL.',
  bad_response: 'Something else answers at this address: check the URL, and proxies on the way.',
  misconfigured: 'Check the secret and the fields of this channel in the config.',
  interrupted: 'It was interrupted: run it again.',
};
