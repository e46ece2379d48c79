// A small correct policy, as plain data, and a way to change one place of it.

export const SAMPLE = {
  service: 'shop',
  source: 'prometheus',
  parameters: {
    capital: { type: 'number', above: 0, unit: 'USD' },
    channel: { type: 'string', default: 'web' },
  },
  indicators: {
    fill_rate: { ratio: { good: 'filled_total', total: 'submitted_total' } },
    latency: { quantile: { q: 0.99, histogram: 'latency_seconds' }, over: '1m' },
    memory: { gauge: { metric: 'process_resident_memory_bytes', aggregate: 'max' } },
    loss: { promql: '-min(pnl_usd)' },
    orders: { rate: { counter: 'submitted_total' } },
    health: { http: { url: 'http://127.0.0.1:1/health' } },
  },
  windows: [
    {
      name: 'immediate',
      until: '15m',
      stop: {
        fill_rate: { below: '80%' },
        latency: { above: '2s' },
        loss: { above: '0.5%', of: 'capital' },
        health: { failing: 3 },
      },
    },
    {
      name: 'success',
      until: '24h',
      warn: { memory: { above: '1GB' }, fill_rate: { below: '90%' } },
      pass: { fill_rate: { above: '95%' }, orders: { above: 0 } },
      for: '5m',
    },
  ],
  on_stop: [
    { disarm: { webhook: { url: 'http://127.0.0.1:1/disarm', secret: '$SECRET_A' } } },
    {
      rollback: { command: ['/bin/rollback', '${previous_version}'], env: { TOKEN: '$SECRET_B' } },
    },
    { verify: { within: '10m', pass: { health: { passing: 3 } } } },
  ],
} as const;

type Place = Record<string | number, unknown>;
type Change = readonly [path: string, value: unknown];

/** The sample with one place set (`undefined` removes it); the path is `windows.0.stop`. */
export function changed(...changes: readonly Change[]): unknown {
  return withChanges(SAMPLE, changes);
}

export function withChanges(original: object, changes: readonly Change[]): unknown {
  const policy = structuredClone(original) as Place;
  for (const [path, value] of changes) {
    const parts = path.split('.');
    const last = parts.pop() ?? '';
    const holder = parts.reduce<Place>((at, part) => {
      at[part] ??= {};
      return at[part] as Place;
    }, policy);
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return policy;
}
