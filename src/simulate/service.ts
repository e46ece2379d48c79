// A service that exists only as figures: it shows the metrics that a policy reads, answers its health
// URLs, and can go wrong in the one planned way. Counts grow with the clock; a deploy is a restart.
// Loopback only.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Condition, HttpIndicator, Policy } from '../core/policy.ts';
import { fill, type TemplateValues } from '../core/template.ts';
import type { RolledBack } from '../demo/ops.ts';
import { listen } from '../demo/server.ts';
import type { Clock } from '../kit/clock.ts';
import type { CounterFigure, Figures, HistogramFigure } from './figures.ts';
import type { Labels } from './labels.ts';
import { type Plan, planOf } from './plan.ts';
import type { Parameters } from './targets.ts';

/** What the story needs of a service, whether made from a policy or the demo's. */
export interface SimulatedService extends RolledBack {
  /** The whole URL of `/metrics`. */
  readonly metricsUrl: string;
  /** Where the health of an http indicator is asked. */
  healthUrl(indicator: string): string;
  readonly version: string;
  /** From now on the chosen condition is wrong; until the next deploy. */
  goWrong(): void;
  close(): Promise<void>;
}

export type ServiceOptions = {
  readonly policy: Policy;
  readonly parameters: Parameters;
  readonly fault: Condition | null;
  /** Placeholders for a version that runs. */
  readonly valuesFor: (version: string) => TemplateValues;
  readonly version: string;
  readonly clock: Clock;
};

export async function startService(options: ServiceOptions): Promise<SimulatedService> {
  const service = new FigureService(options);
  const server = createServer((request, response) => service.answer(request, response));
  const { url, close } = await listen(server, 0, '127.0.0.1');
  return {
    metricsUrl: `${url}/metrics`,
    healthUrl: (indicator) => `${url}/health/${encodeURIComponent(indicator)}`,
    get version() {
      return service.version;
    },
    get previousVersion() {
      return service.previousVersion;
    },
    deploy: (version) => service.deploy(version),
    goWrong: () => service.goWrong(),
    // What it does is the service's own business: the figures show the rollback.
    disarm: () => {},
    arm: () => {},
    close,
  };
}

class FigureService {
  readonly #options: ServiceOptions;
  readonly #counts = new Map<object, number>();
  #plan: Plan;
  #figures: Figures;
  #isWrong = false;
  #steppedAt: number;
  version: string;
  previousVersion: string | null = null;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.version = options.version;
    this.#plan = this.#planned(options.version);
    this.#figures = this.#plan.healthy;
    this.#steppedAt = options.clock.now();
  }

  deploy(version: string): void {
    this.previousVersion = this.version;
    this.version = version;
    this.#plan = this.#planned(version);
    this.#figures = this.#plan.healthy;
    this.#isWrong = false;
    this.#counts.clear();
    this.#steppedAt = this.#options.clock.now();
  }

  goWrong(): void {
    this.#step();
    this.#isWrong = true;
    this.#moveCounts(this.#plan.healthy, this.#plan.faulty);
    this.#figures = this.#plan.faulty;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const path = new URL(request.url ?? '/', 'http://service').pathname;
    if (path === '/metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
      response.end(this.exposition());
      return;
    }
    const id = decodeURIComponent(/^\/health\/(.+)$/.exec(path)?.[1] ?? '');
    const indicator = this.#options.policy.indicators[id];
    const isHealth = indicator?.kind === 'http';
    const { status, body } = isHealth ? this.#health(indicator) : { status: 404, body: {} };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  exposition(): string {
    this.#step();
    const lines: string[] = [];
    const { counters, gauges, histograms } = this.#figures;
    const isNew = typesSeen(lines);
    for (const counter of counters) {
      isNew(counter.metric, 'counter');
      lines.push(line(counter.metric, counter.labels, this.#shownCount(counter)));
    }
    for (const { metric, labels, value } of gauges) {
      isNew(metric, 'gauge');
      lines.push(line(metric, labels, value));
    }
    for (const histogram of histograms) {
      isNew(histogram.metric, 'histogram');
      lines.push(...this.#histogram(histogram));
    }
    return `${lines.join('\n')}\n`;
  }

  #planned(version: string): Plan {
    const { policy, parameters, valuesFor, fault } = this.#options;
    const plan = planOf(policy, parameters, valuesFor(version), fault);
    if (plan.kind === 'refused') throw new Error(`not planned before: ${plan.why}`);
    return plan;
  }

  #step(): void {
    const now = this.#options.clock.now();
    const seconds = Math.max(0, now - this.#steppedAt) / 1_000;
    this.#steppedAt = now;
    for (const one of [...this.#figures.counters, ...this.#figures.histograms]) {
      if ('buckets' in one) this.#stepHistogram(one, seconds);
      else this.#counts.set(one, this.#countOf(one) + one.perSecond * seconds);
    }
  }

  #stepHistogram({ buckets, perSecond }: HistogramFigure, seconds: number): void {
    for (const bucket of buckets) {
      this.#counts.set(bucket, this.#countOf(bucket) + perSecond * bucket.share * seconds);
    }
    const all = this.#countOf(buckets);
    this.#counts.set(buckets, all + perSecond * seconds);
  }

  /** Events are whole. */
  #shownCount(figure: object): number {
    return Math.floor(this.#countOf(figure));
  }

  #countOf(figure: object): number {
    return this.#counts.get(figure) ?? 0;
  }

  /** The same series go on from where they are. */
  #moveCounts(from: Figures, to: Figures): void {
    const move = (a: object, b: object | undefined) => {
      if (b !== undefined) this.#counts.set(b, this.#countOf(a));
    };
    for (const one of from.counters)
      move(
        one,
        to.counters.find((other) => isSame(one, other)),
      );
    for (const one of from.histograms) {
      const other = to.histograms.find((candidate) => isSame(one, candidate));
      move(one.buckets, other?.buckets);
      for (const [index, bucket] of one.buckets.entries()) move(bucket, other?.buckets[index]);
    }
  }

  #histogram({ metric, labels, buckets, perSecond }: HistogramFigure): readonly string[] {
    const all = this.#shownCount(buckets);
    const name = `${metric}_bucket`;
    const mean = buckets[Math.floor(buckets.length / 2)]?.bound ?? 0;
    return [
      ...buckets.map((bucket) =>
        line(name, { ...labels, le: String(bucket.bound) }, this.#shownCount(bucket)),
      ),
      line(name, { ...labels, le: '+Inf' }, all),
      line(`${metric}_count`, labels, all),
      line(`${metric}_sum`, labels, perSecond === 0 ? 0 : all * mean),
    ];
  }

  #health({ id, status, json }: HttpIndicator): { status: number; body: unknown } {
    const { healthy, faulty } = this.#plan.failing;
    const isFailing = (this.#isWrong ? faulty : healthy).has(id);
    const good = status[0] ?? 200;
    const code = isFailing ? (good === 503 ? 500 : 503) : good;
    if (json === null) return { status: code, body: { status: isFailing ? 'failing' : 'ok' } };
    // Whatever version is asked for, the one that runs is told.
    const { version } = this;
    const values = { ...this.#options.valuesFor(version), version, previous_version: version };
    const value = isFailing ? 'failing' : fill(json.equals, values);
    return { status: code, body: atPointer(json.pointer, value) };
  }
}

const isSame = (a: CounterFigure | HistogramFigure, b: CounterFigure | HistogramFigure) =>
  a.metric === b.metric && JSON.stringify(a.labels) === JSON.stringify(b.labels);

/** `/build/version` → `{ build: { version: … } }` */
function atPointer(pointer: string, value: string): unknown {
  const names = pointer.split('/').slice(1);
  return names.reduceRight<unknown>((inner, name) => {
    const key = name.replaceAll('~1', '/').replaceAll('~0', '~');
    return { [key]: inner };
  }, value);
}

function typesSeen(lines: string[]): (metric: string, type: string) => void {
  const seen = new Set<string>();
  return (metric, type) => {
    if (!seen.has(metric)) lines.push(`# TYPE ${metric} ${type}`);
    seen.add(metric);
  };
}

function line(metric: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([name, text]) => {
    const escaped = text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
    return `${name}="${escaped}"`;
  });
  const shown = Number.isInteger(value) ? value : Number(value.toPrecision(12));
  return `${metric}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${shown}`;
}
