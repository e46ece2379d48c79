// What parts of the documents are made of. `node test/docs/write.ts` writes them again.
import { createMetrics } from '../../src/metrics/metrics.ts';
import { messageReference } from './message-examples.ts';
import { madeReference, messageTable } from './message-table.ts';
import { configReference, policyReference } from './schema-tables.ts';

export type Generated = {
  readonly file: string;
  readonly name: string;
  readonly make: () => string;
};

/** prom-client keeps what it needs of a metric in the metric itself. */
type Described = {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
};

function metricsTable(): string {
  const metrics = createMetrics('0').registry.getMetricsAsArray() as unknown as Described[];
  const rows = metrics
    .filter(({ name }) => name.startsWith('canaryd_'))
    .map(({ name, help, labelNames = [] }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${labels} | ${help}. |`;
    });
  return ['| metric | labels | |', '|---|---|---|', ...rows].join('\n');
}

export const GENERATED: readonly Generated[] = [
  { file: 'docs/policy.md', name: 'fields of a policy', make: policyReference },
  { file: 'docs/config.md', name: 'fields of the config', make: configReference },
  { file: 'docs/messages.md', name: 'messages at a glance', make: messageTable },
  { file: 'docs/messages.md', name: 'kinds of messages', make: messageReference },
  { file: 'docs/messages.md', name: 'messages made of others', make: madeReference },
  { file: 'docs/operations.md', name: 'metrics', make: metricsTable },
];
