// A real Prometheus with rules, which scrapes a real exporter. What the exporter would have given in
// the last quarter of an hour is in the database from the beginning: nothing waits for ranges.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SeriesSet } from '../../../src/core/series.ts';
import { startPrometheus } from '../../support/prometheus.ts';
import { type Site, startSite } from './sites.ts';

export type Series =
  /** From `before` at the beginning of the history; without it, always the same. */
  | { readonly value: number; readonly before?: number }
  | { readonly perSecond: number }
  /** Share of the events that took at most so long, by `le`; +Inf is added. */
  | { readonly perSecond: number; readonly buckets: Readonly<Record<string, number>> }
  /** What it was so many hours before the beginning; null: it was not there. */
  | ((hoursAgo: number) => number | null);

export type Telemetry = {
  /** How far the database reaches back. Default a third of an hour. */
  readonly hours?: number;
  /** By name, with labels: `http_requests_total{status="200"}`. */
  readonly series?: Readonly<Record<string, Series>>;
  /** Alerting rules by `group/name`. */
  readonly rules?: Readonly<Record<string, Rule>>;
  /** Nothing listens. */
  readonly isDown?: boolean;
};

export type Rule = {
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
};

export type TelemetryChange = {
  readonly series?: Readonly<Record<string, Series | null>>;
  readonly rules?: Readonly<Record<string, Rule | null>>;
};

export type Running = { readonly url: string; stop(): Promise<void> };

const HOUR_MS = 3_600_000;
const HISTORY_MS = 20 * 60_000;
const STEP_MS = 5_000;
/** Of a long history: no longer than what Prometheus takes for a gap. */
const LONG_STEP_MS = 4 * 60_000;
const EVALUATED_WITHIN_MS = 20_000;

export async function startTelemetry(telemetry: Telemetry): Promise<Running> {
  if (telemetry.isDown) return { url: 'http://127.0.0.1:1', stop: async () => {} };
  const startMs = Date.now();
  const exporter = await startSite();
  exporter.set({ 'GET /metrics': { body: () => exposed(telemetry, startMs, Date.now()) } });
  const folder = mkdtempSync(join(tmpdir(), 'canaryd-rules-'));
  try {
    const rules = join(folder, 'rules.json');
    writeFileSync(rules, JSON.stringify({ groups: groupsOf(telemetry) }));
    const server = await startPrometheus({
      // A label `job` of a series is its own.
      scrapeConfigs: [
        {
          job_name: 'app',
          honor_labels: true,
          static_configs: [{ targets: [exporter.host] }],
        },
      ],
      history: historyOf(telemetry, startMs, exporter),
      config: { rule_files: [rules] },
    });
    const stop = async () => {
      await server.stop();
      await exporter.stop();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await untilEvaluated(server.url, Object.keys(telemetry.rules ?? {}).length);
    } catch (error) {
      await stop();
      throw error;
    }
    return { url: server.url, stop };
  } catch (error) {
    await exporter.stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function groupsOf({ rules = {} }: Telemetry): readonly object[] {
  const all = Object.entries(rules).map(([key, { labels = {}, ...rule }]) => {
    const [group = '', alert = ''] = key.split('/');
    return { group, rule: { alert, ...rule, labels: { severity: 'warning', ...labels } } };
  });
  const groups = Map.groupBy(all, ({ group }) => group);
  return [...groups].map(([name, own]) => ({ name, rules: own.map(({ rule }) => rule) }));
}

type Sample = {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** All samples as they are at one time; counters began a day before. */
function samplesAt({ series = {} }: Telemetry, startMs: number, atMs: number): readonly Sample[] {
  const seconds = (atMs - startMs) / 1_000 + 86_400;
  return Object.entries(series).flatMap(([key, one]): readonly Sample[] => {
    const [metric = '', written = ''] = key.split(/[{}]/);
    const pairs = [...written.matchAll(/(\w+)="([^"]*)"/g)];
    const labels = Object.fromEntries(pairs.map(([, name = '', text = '']) => [name, text]));
    if (typeof one === 'function') {
      const value = one((startMs - atMs) / HOUR_MS);
      return value === null ? [] : [{ metric, labels, value }];
    }
    if ('value' in one) {
      const { value, before = value } = one;
      const left = Math.min(1, Math.max(0, startMs - atMs) / HISTORY_MS);
      return [{ metric, labels, value: value + (before - value) * left }];
    }
    const value = whole(one.perSecond * seconds, one.perSecond);
    if (!('buckets' in one)) return [{ metric, labels, value }];
    const shares = [...Object.entries(one.buckets), ['+Inf', 1] as const];
    const buckets = shares.map(([le, share]) => {
      return {
        metric: `${metric}_bucket`,
        labels: { ...labels, le },
        value: Math.floor(value * share),
      };
    });
    return [...buckets, { metric: `${metric}_count`, labels, value }];
  });
}

/** Events are whole; seconds are not. */
function whole(value: number, perSecond: number): number {
  return perSecond < 1 ? value : Math.floor(value);
}

function exposed(telemetry: Telemetry, startMs: number, atMs: number): string {
  const lines = samplesAt(telemetry, startMs, atMs).map(({ metric, labels, value }) => {
    const pairs = Object.entries(labels).map(([name, text]) => `${name}="${text}"`);
    return `${metric}{${pairs.join(',')}} ${value}\n`;
  });
  return lines.join('');
}

/** With the labels of the scrape, so that both are one series. */
function historyOf(telemetry: Telemetry, startMs: number, { host }: Site): SeriesSet['series'] {
  const target = { job: 'app', instance: host };
  const points = new Map<string, [number, number][]>();
  const known = new Map<string, Sample>();
  const { hours } = telemetry;
  const spanMs = hours === undefined ? HISTORY_MS : hours * HOUR_MS;
  const long = stepsOf(spanMs, LONG_STEP_MS).filter((after) => after < spanMs - HISTORY_MS);
  const short = stepsOf(HISTORY_MS, STEP_MS).map((after) => after + spanMs - HISTORY_MS);
  const steps = [...long, ...short];
  // The last one is fresh: the first scrape may take a moment.
  for (const atMs of [...steps.map((after) => startMs - spanMs + after), startMs - 1]) {
    for (const sample of samplesAt(telemetry, startMs, atMs)) {
      const key = JSON.stringify([sample.metric, sample.labels]);
      known.set(key, sample);
      const own = points.get(key) ?? [];
      own.push([atMs, sample.value]);
      points.set(key, own);
    }
  }
  return [...known].map(([key, { metric, labels }]) => {
    return { metric, labels: { ...target, ...labels }, points: points.get(key) ?? [] };
  });
}

function stepsOf(spanMs: number, stepMs: number): readonly number[] {
  return Array.from({ length: Math.floor(spanMs / stepMs) }, (_, at) => at * stepMs);
}

async function untilEvaluated(url: string, count: number): Promise<void> {
  const deadlineMs = Date.now() + EVALUATED_WITHIN_MS;
  while (Date.now() < deadlineMs) {
    const response = await fetch(`${url}/api/v1/rules?type=alert`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { lastEvaluation: string }[] }[] };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    const done = rules.filter(({ lastEvaluation }) => !lastEvaluation.startsWith('0001'));
    if (done.length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not all of ${count} rules were evaluated within ${EVALUATED_WITHIN_MS} ms`);
}
