// A trading service that exists only as figures: it submits orders, fills most of them, earns a
// little, and can be told to go wrong in one named way at a time. Time is an argument, and the
// same seed gives the same figures. It knows nothing of HTTP and nothing of canaryd.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Behaviour, FAULTY, type Fault, HEALTHY } from './faults.ts';

const BACKGROUND_REQUESTS_PER_SECOND = 5;
/** Longest step: a test that asks for an hour at once would only wait for nothing. */
const STEP_MAX_MS = 3_600_000;
/** The exchange fills an order this long after it was submitted; until then it is in flight. */
const FILL_DELAY_MS = 1_000;
/** Orders of one step are drawn in slices, so that gauges move between them. */
const SLICE_MS = 100;

const LATENCY_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10];
/** Healthy submit latency: share of orders that are faster than so many seconds. */
const HEALTHY_LATENCY: readonly (readonly [share: number, seconds: number])[] = [
  [0, 0.02],
  [0.5, 0.08],
  [0.9, 0.15],
  [0.95, 0.19],
  [0.99, 0.38],
  [0.998, 0.6],
  [1, 0.9],
];

/** mulberry32: 32 bits of state are plenty for a show. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Evenly spread numbers in [0, 1): a share of 2 % is 2 of every 100 orders, not "2 on average".
 * A demo must not depend on luck, and a range of seconds must show the true figure.
 */
function evenlySpread(start: number, stride: number): () => number {
  let at = start;
  return () => {
    at = (at + stride) % 1;
    return at;
  };
}

function healthyLatency(share: number): number {
  for (const [index, [upTo, seconds]] of HEALTHY_LATENCY.entries()) {
    const [from, fromSeconds] = HEALTHY_LATENCY[index - 1] ?? [0, seconds];
    if (share <= upTo && upTo > from) {
      return fromSeconds + ((share - from) / (upTo - from)) * (seconds - fromSeconds);
    }
  }
  return HEALTHY_LATENCY.at(-1)?.[1] ?? 1;
}

/** The metrics of one process: a restart makes new ones, from zero. */
function processMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  return {
    submitted: counter('aurora_orders_submitted_total', 'Orders sent to the exchange'),
    latency: new Histogram({
      name: 'aurora_order_submit_latency_seconds',
      help: 'Time until the exchange acknowledged an order',
      buckets: LATENCY_BUCKETS,
      registers,
    }),
    trades: counter('aurora_trades_total', 'Trades, one for each filled order'),
    xaiEvents: counter('aurora_xai_events_total', 'Explained decisions, one for each order'),
    xaiMissing: counter('aurora_xai_events_missing_trace_total', 'Decisions without a trace'),
    logErrors: counter('aurora_log_errors_total', 'Lines of level error in the log'),
    cpu: counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.'),
    realizedPnl: gauge('aurora_realized_pnl_usd', 'Profit of closed positions since the start'),
    pnl: gauge('aurora_pnl_usd', 'Profit of closed and open positions since the start'),
    positions: gauge('aurora_open_positions', 'Open positions'),
    memory: gauge('process_resident_memory_bytes', 'Resident memory size in bytes.'),
    mutationScore: gauge('aurora_mutation_score', 'Share of mutants the tests of the build kill'),
    requests: new Counter({
      name: 'http_requests_total',
      help: 'Requests answered, by status',
      labelNames: ['status'] as const,
      registers,
    }),
    coverage: new Gauge({
      name: 'aurora_test_coverage',
      help: 'Share of lines or branches that the tests of the build cover',
      labelNames: ['kind'] as const,
      registers,
    }),
    findings: new Gauge({
      name: 'aurora_security_findings',
      help: 'Open findings of the security scan of the build',
      labelNames: ['severity'] as const,
      registers,
    }),
    buildInfo: new Gauge({
      name: 'aurora_build_info',
      help: 'Always 1; the label says which version runs',
      labelNames: ['version'] as const,
      registers,
    }),
  };
}

export type SimulationOptions = {
  readonly version: string;
  readonly seed?: number;
  /** USD; profits and losses are shares of it. */
  readonly deployCapital?: number;
  readonly expectedPositions?: number;
};

export class AuroraSimulation {
  readonly #random: () => number;
  readonly #fills: () => number;
  readonly #latencies: () => number;
  readonly #traces: () => number;
  readonly #answers: () => number;
  readonly #deployCapital: number;
  readonly #expectedPositions: number;
  #registry: Registry;
  #metrics: ReturnType<typeof processMetrics>;
  /** Made at the first fill, as client libraries do: before it there is no such series. */
  #filled: Counter | null = null;
  #version: string;
  #previousVersion: string | null = null;
  #fault: Fault | null = null;
  #trading = true;
  #realizedPnl = 0;
  #owed = { orders: 0, requests: 0, errors: 0 };
  /** Since the process began. */
  #upMs = 0;
  /** When each order in flight will be filled, oldest first: one second of orders at most. */
  #inFlight: number[] = [];

  constructor(options: SimulationOptions) {
    this.#random = seededRandom(options.seed ?? 1);
    // Strides that are irrational and unrelated: the sequences do not move in step.
    this.#fills = evenlySpread(this.#random(), Math.SQRT2 % 1);
    this.#latencies = evenlySpread(this.#random(), (Math.sqrt(5) - 1) / 2);
    this.#traces = evenlySpread(this.#random(), Math.sqrt(3) % 1);
    this.#answers = evenlySpread(this.#random(), Math.sqrt(7) % 1);
    this.#deployCapital = options.deployCapital ?? 100_000;
    this.#expectedPositions = options.expectedPositions ?? 10;
    this.#version = options.version;
    this.#registry = new Registry();
    this.#metrics = this.#start();
  }

  get version(): string {
    return this.#version;
  }

  get previousVersion(): string | null {
    return this.#previousVersion;
  }

  get activeFault(): Fault | null {
    return this.#fault;
  }

  get trading(): boolean {
    return this.#trading;
  }

  get health(): 'ok' | 'failing' | 'hanging' {
    return this.#behaviour().health;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  exposition(): Promise<string> {
    return this.#registry.metrics();
  }

  /**
   * A restart with another version: counters begin at zero, faults are gone. What was disarmed
   * stays so: a deploy is no decision to trade again.
   */
  deploy(version: string): void {
    this.#previousVersion = this.#version;
    this.#version = version;
    this.#fault = null;
    this.#metrics = this.#start();
  }

  fault(name: Fault | null): void {
    this.#fault = name;
    this.#showGauges();
  }

  /** Orders stop; what is open stays open. In force until `arm`, also over a deploy. */
  disarm(): void {
    this.#trading = false;
  }

  arm(): void {
    this.#trading = true;
  }

  /** Lets that much time pass in the life of the service. */
  step(ms: number): void {
    if (!(ms >= 0 && ms <= STEP_MAX_MS)) {
      throw new RangeError(`step: ${ms} ms, wanted 0 to ${STEP_MAX_MS}`);
    }
    for (let left = ms; left > 0; left -= SLICE_MS) this.#slice(Math.min(left, SLICE_MS));
  }

  #behaviour(): Behaviour {
    return this.#fault === null ? HEALTHY : { ...HEALTHY, ...FAULTY[this.#fault] };
  }

  #start(): ReturnType<typeof processMetrics> {
    this.#registry = new Registry();
    this.#filled = null;
    this.#realizedPnl = 0;
    this.#owed = { orders: 0, requests: 0, errors: 0 };
    this.#upMs = 0;
    this.#inFlight = [];
    this.#metrics = processMetrics(this.#registry);
    this.#metrics.buildInfo.set({ version: this.#version }, 1);
    for (const status of ['200', '500']) this.#metrics.requests.inc({ status }, 0);
    this.#showGauges();
    return this.#metrics;
  }

  #slice(ms: number): void {
    const seconds = ms / 1_000;
    this.#upMs += ms;
    const behaviour = this.#behaviour();
    const metrics = this.#metrics;
    this.#owed.orders += this.#trading ? behaviour.ordersPerSecond * seconds : 0;
    this.#owed.requests += BACKGROUND_REQUESTS_PER_SECOND * seconds;
    this.#owed.errors += behaviour.logErrorsPerSecond * seconds;
    while ((this.#inFlight[0] ?? Number.POSITIVE_INFINITY) <= this.#upMs) {
      this.#inFlight.shift();
      this.#fill();
    }
    for (; this.#owed.orders >= 1; this.#owed.orders -= 1) this.#order(behaviour);
    for (; this.#owed.requests >= 1; this.#owed.requests -= 1) this.#answer(behaviour);
    for (; this.#owed.errors >= 1; this.#owed.errors -= 1) metrics.logErrors.inc();
    metrics.cpu.inc(behaviour.cpu * seconds);
    const target = behaviour.profit * this.#deployCapital;
    // Half of the way each second: a loss builds up, it does not appear.
    this.#realizedPnl += (target - this.#realizedPnl) * (1 - 0.5 ** seconds);
    this.#showGauges();
  }

  #order(behaviour: Behaviour): void {
    const metrics = this.#metrics;
    metrics.submitted.inc();
    this.#answer(behaviour);
    const share = this.#latencies();
    const { slow } = behaviour;
    const healthyShare = 1 - slow.share;
    metrics.latency.observe(
      share < healthyShare
        ? healthyLatency(share / healthyShare)
        : slow.fromS + ((share - healthyShare) / slow.share) * (slow.toS - slow.fromS),
    );
    metrics.xaiEvents.inc();
    if (this.#traces() < behaviour.missingTraces) metrics.xaiMissing.inc();
    if (this.#fills() < behaviour.fillRate) this.#inFlight.push(this.#upMs + FILL_DELAY_MS);
  }

  #fill(): void {
    this.#filled ??= new Counter({
      name: 'aurora_orders_filled_total',
      help: 'Orders that the exchange filled',
      registers: [this.#registry],
    });
    this.#filled.inc();
    this.#metrics.trades.inc();
  }

  #answer(behaviour: Behaviour): void {
    const failed = this.#answers() < behaviour.httpErrors;
    this.#metrics.requests.inc({ status: failed ? '500' : '200' });
  }

  #showGauges(): void {
    const behaviour = this.#behaviour();
    const metrics = this.#metrics;
    metrics.positions.set(Math.round(behaviour.positions * this.#expectedPositions));
    metrics.realizedPnl.set(this.#realizedPnl);
    // Open positions swing by a few hundredths of a percent of the capital.
    metrics.pnl.set(this.#realizedPnl + (this.#random() - 0.5) * 0.0004 * this.#deployCapital);
    metrics.memory.set(Math.round(behaviour.memoryBytes * (1 + this.#random() * 0.02)));
    metrics.mutationScore.set(behaviour.mutationScore);
    metrics.coverage.set({ kind: 'line' }, behaviour.lineCoverage);
    metrics.coverage.set({ kind: 'branch' }, behaviour.branchCoverage);
    metrics.findings.set({ severity: 'LOW' }, 3);
    metrics.findings.set({ severity: 'MEDIUM' }, 1);
    metrics.findings.set({ severity: 'HIGH' }, behaviour.criticalFindings);
    metrics.findings.set({ severity: 'CRITICAL' }, behaviour.criticalFindings);
  }
}
