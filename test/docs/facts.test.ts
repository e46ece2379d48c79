// Names in the documents are names of the code: metrics, alerts, environment variables, causes.
import { describe, expect, it } from 'vitest';
import { BLIND_REASONS } from '../../src/core/sample.ts';
import { PHASES } from '../../src/core/watch.ts';
import { TICK_SLOT_MS, WATCHES_MAX } from '../../src/engine/watch-keeper.ts';
import { REQUESTS_AT_ONCE_MAX, SOCKET_IDLE_MS } from '../../src/source/prometheus-api.ts';
import { BASE_MS_MAX, SERIES_MAX, STANDBY_MS } from '../../src/source/scrape-history.ts';
import { EXPRESSION_BYTES_MAX } from '../../src/source/shared-expressions.ts';
import { SHARED_MAX } from '../../src/source/shared-query.ts';
import { metricNamesIn, ownMetricNames, ownMetrics, rules } from '../ops/files.ts';
import { DOCUMENTS, inlineCode, read } from './markdown.ts';

const all = DOCUMENTS.map((file) => [file, read(file)] as const);
const unwrapped = (file: string) => read(file).replaceAll(/\s+/g, ' ');

describe.each(all)('%s', (_, text) => {
  it('names metrics that exist', async () => {
    const metrics = await ownMetrics();
    const named = inlineCode(text).flatMap((code) => metricNamesIn(code, ['canaryd']));
    expect(named.filter((name) => !metrics.has(name))).toEqual([]);
  });

  it('names alerts that exist', () => {
    const alerts = rules().flatMap(({ alert }) => alert ?? []);
    const named = [...text.matchAll(/\bCanaryd[A-Z]\w+/g)].map(([name]) => name);
    expect(named.filter((name) => !alerts.includes(name))).toEqual([]);
  });

  it('names environment variables that the code reads or sets', () => {
    const named = [...text.matchAll(/\bCANARYD_[A-Z_]*[A-Z]\b/g)].map(([name]) => name);
    const readers = ['src/act/command.ts', 'src/cli/client.ts', 'test/fuzz/runs.ts'];
    const code = readers.map(read).join('\n');
    // Tokens have names that the operator chooses.
    const chosen = /^CANARYD_(?:PIPELINE|ONCALL)_TOKEN$/;
    expect(named.filter((name) => !code.includes(name) && !chosen.test(name))).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  it('lists every metric', async () => {
    const text = read('docs/operations.md');
    const names = await ownMetricNames();
    expect(names.filter((name) => !text.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it('has the limits of the code', () => {
    const text = read('docs/operations.md');
    expect(text).toContain(`| ${WATCHES_MAX.toLocaleString('en')} |`);
    expect(text).toContain(`| ${SERIES_MAX.toLocaleString('en')} |`);
  });

  it('has a unit that starts the program as package.json does', () => {
    const unit = read('config/systemd/canaryd.service');
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    const [, verb = 'none'] = /^exec node (.+) --config/.exec(scripts.start) ?? [];
    expect(unit).toContain(`/node ${verb} --config`);
  });
});

describe('causes of blindness', () => {
  it.each(['docs/judgement.md', 'docs/sources.md'])('are all in %s', (file) => {
    const rows = BLIND_REASONS.map((reason) => `| \`${reason}\` |`);
    expect(rows.filter((row) => !read(file).includes(row))).toEqual([]);
  });
});

describe('docs/sources.md', () => {
  it('says how long the time before a deploy is kept', () => {
    expect(unwrapped('docs/sources.md')).toContain(`for ${STANDBY_MS / 60_000} minutes`);
    expect(unwrapped('docs/sources.md')).toContain(`for ${BASE_MS_MAX / 3_600_000} hours`);
  });

  it('says how many watches share a request, and how many requests there are', () => {
    const text = unwrapped('docs/sources.md');
    expect(text).toContain(`slots of ${TICK_SLOT_MS} ms`);
    expect(text).toContain(`up to ${SHARED_MAX} of them ask in one request`);
    expect(text).toContain(`up to ${EXPRESSION_BYTES_MAX / 1_000} kB of text`);
    expect(text).toContain(`At most ${REQUESTS_AT_ONCE_MAX} requests`);
    expect(text).toContain(`kept for ${SOCKET_IDLE_MS / 1_000} s`);
  });
});

describe('docs/performance.md', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const text = unwrapped('docs/performance.md');

  it('names every bench but that of the backtest, which has its own page', () => {
    const named = new Set([...text.matchAll(/npm run (bench:\w+)/g)].map(([, name]) => name));
    const benches = Object.keys(scripts).filter((name) => name.startsWith('bench:'));
    expect([...named, 'bench:backtest'].toSorted()).toEqual(benches.toSorted());
  });

  it('names the flags of Node that the daemon is started with', () => {
    const [, flags = 'none'] = /^exec node (.+) src\/main\.ts/.exec(scripts['start'] ?? '') ?? [];
    expect(text).toContain(`\`${flags}\``);
  });

  it('names tests that exist', () => {
    const files = [...text.matchAll(/`(test\/[\w/.-]+\.ts)`/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => read(file) === '')).toEqual([]);
  });
});

describe('README.md', () => {
  it('says how every watch can end', () => {
    const ends = PHASES.filter((phase) => phase !== 'watching');
    expect(ends.filter((phase) => !read('README.md').includes(phase))).toEqual([]);
  });

  it('shows messages as they are in docs/messages.md', () => {
    const messages = read('docs/messages.md');
    const shown = [
      'BLIND aurora 2.1.0 (testnet): cannot judge fill_rate',
      'NOT ARMED aurora 2.1.0 (testnet): only 12 of 13 stop conditions have data',
      'Already bad before the deploy of aurora 2.1.0',
      'was judged in 12 % of its window, at least 50 % is wanted',
      'too_few, 3 of at least 20 events in 1m',
      'ROLLBACK NOT CONFIRMED',
    ];
    for (const text of shown) {
      expect(read('README.md')).toContain(text);
      expect(messages).toContain(text);
    }
  });

  it('has the version of Node that package.json asks for', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(read('README.md')).toContain(`Node ${engines.node.replace('>=', '')} or later`);
  });
});

describe('src/README.md', () => {
  it.each(['J1', 'J2', 'J3', 'J4', 'J5', 'J6', 'J7', 'J8'])(
    'says where %s is kept',
    (invariant) => {
      const row = read('src/README.md')
        .split('\n')
        .find((line) => line.startsWith(`| ${invariant} `));
      expect(row).toMatch(/`src\/[\w/-]+\.ts`/);
    },
  );
});
