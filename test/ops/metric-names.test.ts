import { describe, expect, it } from 'vitest';
import {
  auroraMetrics,
  dashboardExpressions,
  filesLike,
  metricNamesIn,
  ownMetricNames,
  ownMetrics,
  read,
  rules,
} from './files.ts';

const shipped = ['grafana/**/*.{json,yaml}', 'prometheus/**/*.yml', 'docs/**/*.md'].flatMap(
  filesLike,
);
const expressions = [...dashboardExpressions(), ...rules().map(({ expr }) => expr)];
const recorded = rules().flatMap(({ record }) => (record === undefined ? [] : [record]));

/** On purpose, in the table of wrong policies of docs/check.md. */
const MISSPELT = 'aurora_order_filled_total';

describe('metric names', () => {
  it('are looked for in real files', () => {
    expect(shipped.length).toBeGreaterThan(6);
    expect(expressions.length).toBeGreaterThan(40);
    expect(metricNamesIn('sum(canaryd_nonsense_total) / a:canaryd', ['canaryd'])).toEqual([
      'canaryd_nonsense_total',
    ]);
  });

  it.each(shipped)('%s names only metrics of canaryd that exist', async (path) => {
    const known = await ownMetrics();
    const unknown = metricNamesIn(read(path), ['canaryd']).filter((name) => !known.has(name));
    expect(unknown).toEqual([]);
  });

  it.each([...shipped, ...filesLike('config/**/*aurora*.yaml')])(
    '%s names only metrics of the simulated service that exist',
    async (path) => {
      const known = await auroraMetrics();
      // The name of a source may look like that of a metric.
      const text = read(path).replaceAll(/\bsource: \w+/g, '');
      const unknown = metricNamesIn(text, ['aurora']).filter((name) => !known.has(name));
      expect(unknown.filter((name) => name !== MISSPELT)).toEqual([]);
    },
  );

  it('of HTTP and the process in expressions exist where they are looked for', async () => {
    const [own, aurora] = [await ownMetrics(), await auroraMetrics()];
    const missing = expressions.flatMap((expr) => {
      const known = expr.includes('job="canaryd"') ? own : aurora;
      const names = metricNamesIn(expr, ['http', 'process', 'nodejs']);
      return names.filter((name) => !known.has(name));
    });
    expect(missing).toEqual([]);
  });

  it('of recording rules in expressions are recorded', () => {
    const used = expressions.flatMap((expr) => expr.match(/\b\w+:\w+:\w+/g) ?? []);
    expect(used.length).toBeGreaterThan(3);
    expect(used.filter((name) => !recorded.includes(name))).toEqual([]);
  });

  it('of canaryd are all on a panel or in an alert', async () => {
    const text = expressions.join('\n');
    const unseen = (await ownMetricNames()).filter((name) => !text.includes(name));
    expect(unseen).toEqual([]);
  });
});
