// What the simulated service looks like when it is healthy, and in which single way each named
// fault differs. Only data: the figures are made in simulation.ts.

/**
 * Each fault moves one figure beyond a limit of config/policies/aurora.yaml and leaves the others
 * healthy. `slow`, `memory`, `cpu` and `log_errors` are worth a warning or prevent a pass.
 */
export const FAULTS = [
  'fill_rate',
  'all_orders_fail',
  'no_traffic',
  'latency',
  'p95_latency',
  'slow',
  'loss',
  'positions',
  'xai',
  'xai_coverage',
  'health',
  'health_hang',
  'memory',
  'cpu',
  'errors',
  'log_errors',
  'coverage',
  'branch_coverage',
  'mutation',
  'security',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Those that trip a stop condition of the shipped policy: the demo can show them. */
export const STOPPING_FAULTS = FAULTS.filter(
  (fault) => !['no_traffic', 'slow', 'memory', 'cpu', 'log_errors'].includes(fault),
);

export function isFault(name: string): name is Fault {
  return FAULTS.some((fault) => fault === name);
}

/** What a figure looks like, healthy or under a fault. */
export type Behaviour = {
  readonly ordersPerSecond: number;
  readonly fillRate: number;
  /** This share of orders takes between `fromS` and `toS` instead of the healthy time. */
  readonly slow: { readonly share: number; readonly fromS: number; readonly toS: number };
  /** Profit that the realized PnL moves to, as a share of the deploy's capital. */
  readonly profit: number;
  readonly positions: number;
  readonly missingTraces: number;
  readonly health: 'ok' | 'failing' | 'hanging';
  readonly memoryBytes: number;
  readonly cpu: number;
  readonly logErrorsPerSecond: number;
  readonly httpErrors: number;
  readonly lineCoverage: number;
  readonly branchCoverage: number;
  readonly mutationScore: number;
  readonly criticalFindings: number;
};

export const HEALTHY: Behaviour = {
  ordersPerSecond: 20,
  fillRate: 0.98,
  slow: { share: 0, fromS: 0, toS: 0 },
  profit: 0.0003,
  positions: 1,
  missingTraces: 0,
  health: 'ok',
  memoryBytes: 300e6,
  cpu: 0.15,
  logErrorsPerSecond: 0,
  httpErrors: 0,
  lineCoverage: 0.93,
  branchCoverage: 0.9,
  mutationScore: 0.87,
  criticalFindings: 0,
};

export const FAULTY: Readonly<Record<Fault, Partial<Behaviour>>> = {
  fill_rate: { fillRate: 0.72 },
  all_orders_fail: { fillRate: 0 },
  no_traffic: { ordersPerSecond: 0 },
  // 2 % above 2 s: the 99th percentile is far beyond it, the 95th stays near its healthy value.
  latency: { slow: { share: 0.02, fromS: 2.2, toS: 4.5 } },
  // 8 % above 2 s: the 95th percentile too, and with it, of necessity, the 99th.
  p95_latency: { slow: { share: 0.08, fromS: 2.2, toS: 4.5 } },
  // 10 % between 1 s and 2 s: worth a warning, no stop.
  slow: { slow: { share: 0.1, fromS: 1.05, toS: 1.9 } },
  loss: { profit: -0.008 },
  positions: { positions: 1.5 },
  // Between the limit for missing traces (1 %) and the one for coverage (5 %).
  xai: { missingTraces: 0.03 },
  xai_coverage: { missingTraces: 0.08 },
  health: { health: 'failing' },
  health_hang: { health: 'hanging' },
  memory: { memoryBytes: 2.4e9 },
  cpu: { cpu: 0.97 },
  errors: { httpErrors: 0.09 },
  log_errors: { logErrorsPerSecond: 5 },
  coverage: { lineCoverage: 0.61 },
  branch_coverage: { branchCoverage: 0.52 },
  mutation: { mutationScore: 0.44 },
  security: { criticalFindings: 1 },
};
