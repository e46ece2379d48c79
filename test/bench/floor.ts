// The floor of `npm run bench:latency`: the time from a fault until the data shows it to anybody who
// looks over the same window. No watcher of that data and that window can be faster.
import type { BenchDeploy, BenchService } from './service.ts';
import type { ScrapeInterval, Setting } from './settings.ts';

/** Who reads the service once a second sees it half a second late, on average. */
export const READ_EVERY_MS = 1_000;
const STEP_MS = 10;
const SCRAPE_JITTER_MS = 50;

export type ScrapeTimes = Readonly<Record<ScrapeInterval, readonly number[]>>;

/** Milliseconds after the fault; null: the window never shows it. */
export function floorOf(
  service: BenchService,
  deploy: BenchDeploy,
  { who, reads, windowSeconds }: Setting,
  scrapes: ScrapeTimes,
): number | null {
  const { atMs } = deploy;
  if (atMs === null) return null;
  const windowMs = windowSeconds * 1_000;
  if (reads === 'service') {
    for (let at = atMs; at < atMs + 2 * windowMs; at += STEP_MS) {
      if (service.isShown(deploy, at - windowMs, at)) return at - atMs + READ_EVERY_MS / 2;
    }
    return null;
  }
  const times = scrapes[reads];
  const shown = times.find((at) => {
    // A rule's range begins with its first sample; canaryd counts from the one before.
    const inside = times.find((time) => time > at - windowMs) ?? at;
    const before = times.findLast((time) => time <= at - windowMs + SCRAPE_JITTER_MS) ?? inside;
    return at >= atMs && service.isShown(deploy, who === 'rules' ? inside : before, at);
  });
  return shown === undefined ? null : shown - atMs;
}
