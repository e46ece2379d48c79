// Waiting for a level, for hooks and tests alike: what is expected holds, or the last miss is told.
import { vi } from 'vitest';

export function until(check: () => Promise<void> | void, timeoutMs = 30_000): Promise<void> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 50 });
}

/** Every target has been scraped a few times: the time before a deploy is known. */
export function untilScraped(prometheusUrl: string, targets: number): Promise<void> {
  const query = encodeURIComponent(
    'count(count_over_time(aurora_orders_submitted_total[1m]) >= 4)',
  );
  return until(async () => {
    const answer = await fetch(`${prometheusUrl}/api/v1/query?query=${query}`);
    const { data } = (await answer.json()) as { data: { result: { value: [0, string] }[] } };
    const scraped = Number(data.result[0]?.value[1] ?? 0);
    if (scraped !== targets) throw new Error(`${scraped} of ${targets} targets scraped`);
  });
}
