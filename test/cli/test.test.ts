import { describe, expect, it } from 'vitest';
import { caseFile, HEALTHY } from '../support/case-file.ts';
import { cli } from '../support/cli.ts';

const GOOD = { name: 'A good deploy goes on', expect: { '1m': { watch: 'watching' } } };
const BAD = {
  name: 'A wrong expectation',
  series: { queue_length: { '0s': 5, '1m': 60 } },
  expect: { '1m': { queue: 'inactive 5', watch: 'stopped' } },
};

const file = (...cases: readonly object[]) =>
  caseFile({ policy: 'shop.yaml', series: HEALTHY, cases });

/** Both ways for every condition of the shop. */
const FULL = [
  { name: 'passes', expect: { '11m': { watch: 'passed' } }, never: { message: 'Warning' } },
  {
    name: 'fails requests',
    series: { failed_total: '+1/s' },
    expect: { '1m': { watch: 'stopped' } },
  },
  { name: 'is ill', health: 'HTTP 503', expect: { '1m': { watch: 'stopped' } } },
  { name: 'queues', series: { queue_length: 60 }, expect: { '1m': { queue: 'firing' } } },
  {
    name: 'is slow',
    series: { latency_seconds: '+9/s of 4s' },
    expect: { '1m': { p90: 'firing' } },
  },
  {
    name: 'is so so',
    series: { failed_total: '+0.3/s' },
    expect: { '12m': { errors: 'inactive' } },
  },
];

async function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const shell = cli({ server: 'http://127.0.0.1:1', env });
  const code = await shell.run('test', ...argv);
  return { code, out: shell.out(), err: shell.err() };
}

describe('canaryd test', () => {
  it('ends with 0 when all cases pass', async () => {
    const { code, out } = await run([file(GOOD)]);
    expect(out).toContain('✓ A good deploy goes on');
    expect(out).toContain('1 passed, 0 failed');
    expect(code).toBe(0);
  });

  it('ends with 1 when one fails, and says what, what was expected, what came, what was said', async () => {
    const { code, out } = await run([file(GOOD, BAD)]);
    expect(code).toBe(1);
    const text = out.split('\n').map((line) => line.trim());
    expect(text).toContain('1m queue');
    expect(text).toContain('expected  inactive 5');
    expect(text).toContain('got       firing 60');
    expect(text.filter((line) => line === 'canaryd said')).toHaveLength(1);
    expect(out).toContain('T+1m      warning: Queue 60');
    expect(out.split('Queue: warn above 50')).toHaveLength(2);
    expect(out).toContain('1 passed, 1 failed');
  });

  it('ends with 2 when a file is not valid, with the mistakes of all files, and plays nothing', async () => {
    const wrong = file({ ...GOOD, name: '' });
    const { code, out, err } = await run([file(GOOD), wrong, 'missing.test.yaml']);
    expect(code).toBe(2);
    expect(err).toContain('cases[0].name');
    expect(err).toContain('missing.test.yaml: 1 problem');
    expect(out).toBe('');
  });

  it('plays only cases that the filter names', async () => {
    const path = file(GOOD, BAD);
    expect((await run([path, '--filter', 'GOOD dep'])).out).toContain('1 passed, 0 failed');
    const none = await run([path, '--filter', 'nothing']);
    expect(none).toMatchObject({ code: 2 });
    expect(none.err).toContain('no case has "nothing" in its name');
  });

  it('draws and marks in ASCII when asked, by option or environment', async () => {
    const path = file(GOOD, BAD);
    expect((await run([path, '--ascii'])).out).toMatch(/^[\n -~]+$/);
    expect((await run([path], { NO_UNICODE: '1' })).out).toMatch(/^[\n -~]+$/);
    expect((await run([path])).out).toContain('•');
  });

  it('names conditions that no case makes fire, or hold', async () => {
    const path = file(...FULL.filter(({ name }) => name !== 'queues' && name !== 'is so so'));
    const { code, out } = await run([path, '--coverage']);
    expect(code).toBe(0);
    expect(out).toContain('Coverage of shop: 3 of 5 conditions both ways');
    const [, unfired, unheld] = out.split(
      /No case makes these fire:|No case judges these without firing:/,
    );
    expect(out).not.toContain('but no case expects it');
    expect(unfired).toContain('early.warn.queue: Warn when Queue above 50');
    expect(unheld).toContain('late.pass.errors: Pass needs Failed requests below 1 %');
    expect((await run([path, '--coverage=required'])).code).toBe(1);
  });

  it('does not count what happens without an expectation, and names it apart', async () => {
    const looks = ({ series = {}, health = 'ok' }: { series?: object; health?: string }) => ({
      series,
      health,
      expect: { '1m': { window: 'early' }, '12m': { window: 'late' } },
    });
    const good = FULL.map((one) => ({ ...looks(one), name: one.name }));
    const stop = { expect: { '1m': { window: 'early' } } };
    const cases = good.map((one) => (/fails|ill/.test(one.name) ? { ...one, ...stop } : one));
    const { code, out } = await run([file(...cases), '--coverage=required']);
    expect(out).toContain('6 passed, 0 failed');
    expect(out).toContain('Coverage of shop: 0 of 5 conditions both ways');
    const [, unfired, unheld] = out.split(
      /These fired, but no case|These were judged without firing, but no case/,
    );
    expect(unfired?.match(/^ {4}\S+:/gm)).toHaveLength(5);
    expect(unheld?.match(/^ {4}\S+:/gm)).toHaveLength(5);
    expect(code).toBe(1);
  });

  it('is content with a coverage that is complete, over several files of a policy', async () => {
    expect((await run([file(...FULL), '--coverage=required'])).code).toBe(0);
    const wrong = await run(['--coverage', file(...FULL), 'other']);
    expect(wrong.code).toBe(2);
  });

  it('gives everything as JSON', async () => {
    const { code, out } = await run([file(GOOD, BAD), '--json', '--coverage=required']);
    const result = JSON.parse(out);
    expect(code).toBe(1);
    expect(result).toMatchObject({ ok: false, invalid: [] });
    expect(result.files[0].cases).toMatchObject([
      { name: GOOD.name, ok: true, failures: [] },
      {
        name: BAD.name,
        ok: false,
        failures: [
          { at: '1m', found_at: '1m', field: 'queue', expected: 'inactive 5', got: 'firing 60' },
          { at: '1m', field: 'watch', expected: 'stopped', got: 'watching' },
        ],
      },
    ]);
    expect(result.coverage[0]).toMatchObject({ policy: 'shop' });
    expect(result.coverage[0].conditions).toHaveLength(5);
    const queue = { condition: 'early.warn.queue', fired: 'seen', held: 'seen' };
    expect(result.coverage[0].conditions).toContainEqual(expect.objectContaining(queue));
  });

  it('gives mistakes as JSON', async () => {
    const { code, out } = await run([file({ ...GOOD, name: '' }), '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(out).invalid[0].problems[0].path).toBe('cases[0].name');
  });
});
