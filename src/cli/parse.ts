// Words of the command line → values, or a usage error that says what is wanted.
import { parseDuration } from '../core/quantity.ts';
import { usage } from './exit.ts';

/** What `serve` and `check` read when nothing is named. */
export const DEFAULT_CONFIG = 'config/canaryd.yaml';

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** `k=v` pairs: a plain number is a number; in double quotes it stays text. */
export function parametersOf(pairs: readonly string[]): Record<string, number | string> {
  const parameters = new Map<string, number | string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw usage(`--param: found ${JSON.stringify(pair)}, wanted name=value`);
    const name = pair.slice(0, at);
    if (parameters.has(name)) throw usage(`--param: ${name} is given twice; give it once`);
    parameters.set(name, valueOfText(pair.slice(at + 1)));
  }
  return Object.fromEntries(parameters);
}

function valueOfText(text: string): number | string {
  const quoted = /^"(.*)"$/s.exec(text)?.[1];
  if (quoted !== undefined) return quoted;
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

export function durationOf(option: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw usage(`${option}: found ${JSON.stringify(text)}, wanted a duration such as 30m or 2h`);
}

export function wholeOf(option: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw usage(`${option}: found ${JSON.stringify(text)}, wanted a whole number from 1 to ${max}`);
}

/** ISO 8601 with an offset: a time without one means something else on another machine. */
export function timeOf(option: string, text: string): string {
  const hasOffset = /T.*(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = Date.parse(text);
  if (hasOffset && !Number.isNaN(ms)) return new Date(ms).toISOString();
  const wanted = 'wanted a time with offset such as 2026-03-01T12:00:00Z';
  throw usage(`${option}: found ${JSON.stringify(text)}, ${wanted}`);
}

type Env = Readonly<Record<string, string | undefined>>;

/** Who runs this, as the CI system or the machine says; undefined: the daemon knows the token. */
export function callerOf(given: string | undefined, env: Env): string | undefined {
  return given ?? (env['GITHUB_ACTOR'] || env['GITLAB_USER_LOGIN'] || env['USER'] || undefined);
}

/** Link to the pipeline run, as the CI system says. */
export function runUrlOf(given: string | undefined, env: Env): string | undefined {
  if (given !== undefined) return given;
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repo, GITHUB_RUN_ID: run } = env;
  if (server && repo && run) return `${server}/${repo}/actions/runs/${run}`;
  return env['CI_JOB_URL'] || env['BUILD_URL'] || undefined;
}
