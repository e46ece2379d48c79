// How far back a PromQL text reaches: canaryd waits that long after a deploy, so that no decision
// uses samples of the old version (J3).
import { parseDuration } from '../core/quantity.ts';

const YEAR_MS = 365 * 86_400_000;

function durationMs(text: string): number {
  const years = /^(\d+)y(.*)$/.exec(text);
  if (years) return Number(years[1]) * YEAR_MS + durationMs(years[2] ?? '');
  // Plain numbers are seconds in PromQL.
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  return parseDuration(text) ?? 0;
}

/** Whether `${range}` is to be filled in. */
export function readsRange(promql: string): boolean {
  return promql.includes(`${'$'}{range}`);
}

/**
 * The longest fixed range (`[5m]`), with its offset; a subquery (`[1h:1m]`) looks back further
 * by the longest range inside it. `${range}` does not count: canaryd fills it in.
 */
export function fixedRangeMs(promql: string): number {
  const bare = promql
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`/g, '""')
    .replace(/#.*/g, '');
  let plainMs = 0;
  let subqueryMs = 0;
  const ranges =
    /(?:\[\s*([^\]:]+?)\s*(:[^\]]*)?\])?(?:\s*@\s*[\w.()]+)?(?:\s*\boffset\s+([\d.a-z]+))?/g;
  for (const [, range, step, offset] of bare.matchAll(ranges)) {
    const reachMs = durationMs(range ?? '') + durationMs(offset ?? '');
    if (step === undefined) plainMs = Math.max(plainMs, reachMs);
    else subqueryMs = Math.max(subqueryMs, reachMs);
  }
  return plainMs + subqueryMs;
}
