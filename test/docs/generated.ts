// What parts of the documents are made of. `node test/docs/write.ts` writes them again.
import { stringify } from 'yaml';
import { CATALOGUE } from '../../src/check/catalogue.ts';
import {
  type FindingName,
  LIVE_FINDINGS,
  STATIC_FINDINGS,
} from '../../src/config/finding-names.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { WAYS, type Way } from '../check/wrong/ways.ts';
import { messageReference } from './message-examples.ts';
import { madeReference, messageTable } from './message-table.ts';
import { checkKinds, configReference, gateReference, policyReference } from './schema-tables.ts';

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

function findingsTable(names: readonly FindingName[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = names.map((name) => {
    const { level, what, why, fix } = CATALOGUE[name];
    return `| \`${name}\` | ${level} | ${[what, why, fix].map(cell).join(' | ')} |`;
  });
  return [
    '| finding | level | what | why it matters | what to do |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function findingsReference(): string {
  return [
    ['In the policy itself', findingsTable(STATIC_FINDINGS)],
    ['At the source, with `--live`', findingsTable(LIVE_FINDINGS)],
  ]
    .map(([title, table]) => `### ${title}\n\n${table}`)
    .join('\n\n');
}

/** A change in one line, as in the file of the policy. */
function changeText(change: Way['change']): string {
  return Object.entries(change)
    .map(([path, value]) => {
      const place = path.replaceAll(/\.(\d+)/g, '[$1]');
      if (value === null) return `without \`${place}\``;
      const text = stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
      return `\`${place}: ${text}\``;
    })
    .join(', ');
}

function noticedText({ validator, check = [], live = [], test }: Way['noticed']): string {
  const codes = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');
  const parts = [
    ...(validator === undefined ? [] : [`**not valid**: \`${validator}\``]),
    ...(check.length === 0 ? [] : [`**check**: ${codes(check)}`]),
    ...(live.length === 0 ? [] : [`**live**: ${codes(live)}`]),
    ...(test === undefined ? [] : [test === 'refused' ? '**test**: refused' : `**test**: ${test}`]),
  ];
  return parts.join('<br>');
}

function waysTable(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<br>', '\u0000');
  const safe = (text: string) => cell(text).replaceAll('<', '&lt;').replaceAll('\u0000', '<br>');
  const rows = WAYS.map(({ title, policy, change, meant, happens, noticed }, index) => {
    const what = `**${title}** (${policy})<br>${changeText(change)}`;
    return `| ${[`${index + 1}`, what, meant, happens, noticedText(noticed)].map(safe).join(' | ')} |`;
  });
  return [
    '| | wrong | meant | what it would do | who notices |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

export const GENERATED: readonly Generated[] = [
  { file: 'docs/policy.md', name: 'fields of a policy', make: policyReference },
  { file: 'docs/config.md', name: 'fields of the config', make: configReference },
  { file: 'docs/gate.md', name: 'kinds of checks', make: checkKinds },
  { file: 'docs/gate.md', name: 'fields of a gate', make: gateReference },
  { file: 'docs/messages.md', name: 'messages at a glance', make: messageTable },
  { file: 'docs/messages.md', name: 'kinds of messages', make: messageReference },
  { file: 'docs/messages.md', name: 'messages made of others', make: madeReference },
  { file: 'docs/operations.md', name: 'metrics', make: metricsTable },
  { file: 'docs/check.md', name: 'findings', make: findingsReference },
  { file: 'docs/check.md', name: 'ways to be wrong', make: waysTable },
];
