// Reads indicators from the service's own `/metrics`, without a Prometheus in between: one scrape
// of all targets per tick, shared by all watches, and the history that ranges and the time before
// a deploy need. May not show a point that is later than the query time.
import { measure, metricNames } from '../core/measure.ts';
import type { Readings, ReadRequest, SeriesIndicator, Source } from '../core/read.ts';
import type { Blind, Reading } from '../core/sample.ts';
import { cut } from '../core/select.ts';
import type { SeriesSet } from '../core/series.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';
import { type HttpAnswer, type HttpFailure, send } from '../kit/http.ts';
import type { Logger } from '../kit/logger.ts';
import { headerSecrets, redact } from '../kit/redact.ts';
import { type MetricSample, parseMetrics, TEXT_LENGTH_MAX } from './metrics-text.ts';
import { agentsOf, askOver } from './prometheus-api.ts';
import { ScrapeHistory, SERIES_MAX } from './scrape-history.ts';

/** Reads this close together are of one tick and share a scrape. */
export const SHARE_MS = 200;
const RESPONSE_BYTES_MAX = TEXT_LENGTH_MAX;
/** OpenMetrics first: its `# EOF` tells a whole answer from a cut one. */
const ACCEPT =
  'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

export type ScrapeOptions = {
  /** URLs of `/metrics`, one per instance of the service. */
  readonly targets: readonly string[];
  /** May hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** For one target; all are scraped side by side. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** How long a connection is kept for the next scrape; default: of who looks once. */
  readonly idleMs?: number;
  readonly logger?: Logger;
  /** Instead of a request over the network: for what is played offline. */
  readonly get?: (url: string) => Promise<HttpAnswer | HttpFailure>;
  /** For each target and scrape: `ok`, `http_status`, `bad_text` or a failure of `kit/http.ts`. */
  readonly onRequest?: (outcome: string, seconds: number) => void;
};

type Target = { readonly url: string; readonly instance: string };

type Failure = { readonly reason: 'unreachable' | 'rejected'; readonly detail: string };

/** One scrape of all targets. */
type Scrape = {
  readonly startedAt: number;
  /** Time of its samples: the earliest query time of the reads that wait for it. */
  stampMs: number;
  readonly done: Promise<readonly (Failure | null)[]>;
  hasEnded: boolean;
};

export function createScrapeSource(options: ScrapeOptions): Source {
  return new ScrapeSource(options);
}

class ScrapeSource implements Source {
  readonly #options: ScrapeOptions;
  readonly #targets: readonly Target[];
  readonly #history = new ScrapeHistory();
  readonly #agents: ReturnType<typeof agentsOf>;
  /** What each watch asks for. */
  readonly #asked = new Map<string, { metrics: ReadonlySet<string>; longestMs: number }>();
  #askedMetrics: ReadonlySet<string> = new Set();
  #last: Scrape | null = null;
  #hasWarned = false;

  constructor(options: ScrapeOptions) {
    this.#options = options;
    this.#targets = targetsOf(options.targets);
    this.#agents = agentsOf({ idleMs: options.idleMs });
  }

  async read(request: ReadRequest): Promise<Readings> {
    this.#ask(request);
    // The time before a deploy is over: what is there now says nothing about it.
    const isPast = request.deployedAtMs === null;
    const failures = isPast ? null : await this.#scraped(request.atMs, request.signal);
    const readings = request.indicators.map((indicator) => [
      indicator.id,
      this.#reading(indicator, request, failures),
    ]);
    return Object.fromEntries(readings);
  }

  forget(watchId: string): void {
    if (this.#asked.delete(watchId)) this.#sumUpAsked();
  }

  async standBy(signal: AbortSignal): Promise<void> {
    await this.#scraped(this.#options.clock.now(), signal);
  }

  #ask({ watchId, indicators }: ReadRequest): void {
    const measured = indicators.filter((indicator) => indicator.kind !== 'promql');
    const metrics = new Set(measured.flatMap(metricNames));
    const longestMs = Math.max(
      0,
      ...measured.map((indicator) => (indicator.kind === 'gauge' ? 0 : (indicator.overMs ?? 0))),
    );
    const before = this.#asked.get(watchId);
    const isSame =
      before?.longestMs === longestMs &&
      before.metrics.size === metrics.size &&
      [...metrics].every((metric) => before.metrics.has(metric));
    if (isSame) return;
    this.#asked.set(watchId, { metrics, longestMs });
    this.#sumUpAsked();
  }

  #sumUpAsked(): void {
    const all = [...this.#asked.values()];
    this.#askedMetrics = new Set(all.flatMap(({ metrics }) => [...metrics]));
    this.#history.keep(Math.max(0, ...all.map(({ longestMs }) => longestMs)));
  }

  #reading(
    indicator: SeriesIndicator,
    { atMs, deployedAtMs, staleAfterMs, previous }: ReadRequest,
    /** null: not scraped, only the history is looked at. */
    failures: readonly (Failure | null)[] | 'aborted' | null,
  ): Reading {
    if (indicator.kind === 'promql') {
      const detail = 'PromQL needs a Prometheus source; this one scrapes the service itself';
      return { kind: 'blind', reason: 'rejected', detail };
    }
    if (failures === 'aborted') {
      return { kind: 'blind', reason: 'unreachable', detail: 'the tick ended before the scrape' };
    }
    const failed = failures?.filter((failure) => failure !== null) ?? [];
    if (failures !== null && failed.length === failures.length) return allFailed(failed);
    const set: SeriesSet = this.#history.read(metricNames(indicator));
    const view = { atMs, deployedAtMs, staleAfterMs, previous: previous[indicator.id] ?? null };
    const reading = measure(indicator, set, view);
    return failed.length === 0 ? reading : withFailures(reading, failed, this.#targets.length);
  }

  /** The outcome of each target; joins a scrape of the same tick where there is one. */
  async #scraped(
    atMs: number,
    signal: AbortSignal,
  ): Promise<readonly (Failure | null)[] | 'aborted'> {
    if (signal.aborted) return 'aborted';
    const scrape = this.#sharable(atMs) ?? this.#start(atMs);
    const aborted = Promise.withResolvers<'aborted'>();
    const onAbort = () => aborted.resolve('aborted');
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      // The scrape itself goes on: other watches may wait for it, and its time is limited.
      return await Promise.race([scrape.done, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #sharable(atMs: number): Scrape | null {
    const last = this.#last;
    if (last === null) return null;
    if (!last.hasEnded) {
      last.stampMs = Math.min(last.stampMs, atMs);
      return last;
    }
    const age = this.#options.clock.monotonic() - last.startedAt;
    const isOfThisTick = last.stampMs === atMs || age <= SHARE_MS;
    return isOfThisTick && last.stampMs <= atMs ? last : null;
  }

  #start(atMs: number): Scrape {
    const { clock } = this.#options;
    const bodies = this.#targets.map((target) => this.#fetch(target));
    const scrape: Scrape = {
      startedAt: clock.monotonic(),
      stampMs: Math.min(clock.now(), atMs),
      hasEnded: false,
      done: Promise.all(bodies).then((answers) => this.#keep(scrape, answers)),
    };
    this.#last = scrape;
    return scrape;
  }

  #keep(
    scrape: Scrape,
    answers: readonly (readonly MetricSample[] | Failure)[],
  ): readonly (Failure | null)[] {
    scrape.hasEnded = true;
    let lost = 0;
    const failures = answers.map((answer, index) => {
      if ('reason' in answer) return answer;
      const target = this.#targets[index];
      if (target === undefined) return null;
      const samples = this.#named(answer, target);
      const isAsked = (metric: string) => this.#askedMetrics.has(metric);
      lost += this.#history.add(target.instance, samples, scrape.stampMs, isAsked);
      return null;
    });
    this.#history.prune(scrape.stampMs);
    if (lost > 0 && !this.#hasWarned) {
      this.#hasWarned = true;
      this.#options.logger?.warn(
        { lost, limit: SERIES_MAX },
        'scrape has more series than are kept; metrics that policies use go first',
      );
    }
    return failures;
  }

  /** Each sample says which target it is from; a label of the same name stays as `exported_`. */
  #named(samples: readonly MetricSample[], { instance }: Target): readonly MetricSample[] {
    const isOnly = this.#targets.length === 1;
    return samples.map((sample) => {
      const { instance: own, ...others } = sample.labels;
      if (own !== undefined && isOnly) return sample;
      const exported = own === undefined ? {} : { exported_instance: own };
      return { ...sample, labels: { ...others, ...exported, instance } };
    });
  }

  async #fetch({ url, instance }: Target): Promise<readonly MetricSample[] | Failure> {
    const { headers, timeoutMs, clock, onRequest, get } = this.#options;
    const started = clock.monotonic();
    const told = (outcome: string) => onRequest?.(outcome, (clock.monotonic() - started) / 1_000);
    const ask = (withinMs: number) =>
      get?.(url) ??
      send({
        method: 'GET',
        url,
        headers: { accept: ACCEPT, ...lowerCased(headers) },
        timeoutMs: withinMs,
        responseBytesMax: RESPONSE_BYTES_MAX,
        ...this.#agents,
      });
    const answer = await askOver(this.#agents, ask, { timeoutMs, clock, startedMs: started });
    if (answer.kind === 'failed') {
      told(answer.reason);
      const isAnswer = answer.reason === 'too_large' || answer.reason === 'bad_url';
      const reason = isAnswer ? 'rejected' : 'unreachable';
      return { reason, detail: `${instance}: ${answer.detail}` };
    }
    if (answer.status !== 200) {
      told('http_status');
      return { reason: 'rejected', detail: `${instance}: HTTP ${answer.status}` };
    }
    const parsed = parseMetrics(answer.body, answer.headers['content-type'], (line) =>
      redact(line, headerSecrets(headers)),
    );
    told(parsed.kind === 'samples' ? 'ok' : 'bad_text');
    if (parsed.kind === 'samples') return parsed.samples;
    return { reason: 'rejected', detail: `${instance}: ${parsed.detail}` };
  }
}

/** Host and port name a target: its URL may hold a password. Equal ones are told apart by path. */
function targetsOf(urls: readonly string[]): readonly Target[] {
  const parsed = urls.map((url, index) => {
    const target = URL.parse(url);
    if (target && /^https?:$/.test(target.protocol)) return { url, target };
    const message = 'is no http:// or https:// URL: write it as http://host:port/metrics';
    throw new CanarydError('config_invalid', `targets[${index}] of a scrape source ${message}`);
  });
  if (new Set(urls).size < urls.length) {
    const message = 'a target is listed twice in a scrape source: list each instance once';
    throw new CanarydError('config_invalid', message);
  }
  const hosts = parsed.map(({ target }) => hostOf(target));
  return parsed.map(({ url, target }, index) => {
    const host = hosts[index] ?? '';
    const isShared = hosts.indexOf(host) !== hosts.lastIndexOf(host);
    return { url, instance: isShared ? `${host}${target.pathname}` : host };
  });
}

function hostOf({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.fromEntries(pairs);
}

function allFailed(failed: readonly Failure[]): Blind {
  const isRejected = failed.length > 0 && failed.every(({ reason }) => reason === 'rejected');
  const detail = failed.length === 0 ? 'no targets' : failed.map((one) => one.detail).join('; ');
  return { kind: 'blind', reason: isRejected ? 'rejected' : 'unreachable', detail: cut(detail) };
}

function withFailures(reading: Reading, failed: readonly Failure[], targets: number): Reading {
  const note = `${failed.length} of ${targets} targets unreachable (${failed[0]?.detail})`;
  const detail = cut(reading.detail === undefined ? note : `${reading.detail}; ${note}`);
  return { ...reading, detail };
}
