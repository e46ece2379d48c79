// What /metrics shows of a journal that answers, fails or hangs.
import { describe, expect, it, vi } from 'vitest';
import { Scrape } from '../../src/daemon/scrape.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { anEngine, changed } from '../support/engine.ts';

const STORED = /^canaryd_(?:watches|hold_fire|deliveries_pending)\b/;

/** A scrape of a journal with an open watch, a stopped one and hold fire. */
async function aScrape() {
  const engine = anEngine();
  await engine.watch();
  await engine.watch({ environment: 'staging' });
  await engine.commands.stop('w_1', { by: 'ann', reason: 'test' });
  await engine.commands.setHold({ by: 'ann', reason: 'test' });
  const world: { counts: Journal['counts'] } = { counts: () => engine.journal.counts() };
  const counts = vi.fn(() => world.counts());
  const warn = vi.fn();
  const { clock } = engine;
  const scrape = new Scrape({
    clock,
    metrics: createMetrics('1.2.3'),
    journal: changed(engine.journal, { counts }),
    here: () => ({ watches: 3, replicas: 2 }),
    logger: { warn },
  });
  /** The lines that begin so, without what is zero. */
  const shown = async (name: string | RegExp) => {
    const { body } = await scrape.text();
    const lines = body.split('\n').filter((line) => line.search(name) === 0);
    return lines.filter((line) => !line.endsWith(' 0'));
  };
  return { engine, world, counts, warn, scrape, shown, clock };
}

const away = async () => {
  throw new CanarydError('journal_failed', 'the connection was refused');
};

describe('Scrape', () => {
  it('shows what is open and pending in the journal, and what this replica does', async () => {
    const { shown, engine } = await aScrape();
    expect(await shown('canaryd_watches')).toEqual([
      'canaryd_watches{phase="watching"} 1',
      'canaryd_watches{phase="stopped"} 1',
      'canaryd_watches_active 3',
    ]);
    expect(await shown('canaryd_replicas')).toEqual(['canaryd_replicas 2']);
    expect(await shown('canaryd_deliveries_pending')).toContain(
      'canaryd_deliveries_pending{kind="rollback"} 1',
    );
    expect(await shown('canaryd_hold_fire')).toEqual(['canaryd_hold_fire 1']);
    await engine.journal.setHold(null);
    expect(await shown('canaryd_hold_fire')).toEqual([]);
  });

  it('answers while the journal fails, without figures that may be out of date', async () => {
    const { shown, scrape, world, warn } = await aScrape();
    expect(await shown(STORED)).not.toEqual([]);
    world.counts = away;
    const { body } = await scrape.text();
    expect(body.split('\n').filter((line) => STORED.test(line))).toEqual([]);
    expect(await shown('canaryd_replicas')).toEqual(['canaryd_replicas 2']);
    expect(await shown('canaryd_journal_errors_total')).toEqual(['canaryd_journal_errors_total 3']);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('shows them again when it is back, and tells the next outage', async () => {
    const { shown, scrape, world, warn, engine } = await aScrape();
    world.counts = away;
    await scrape.text();
    world.counts = () => engine.journal.counts();
    expect(await shown('canaryd_hold_fire')).toEqual(['canaryd_hold_fire 1']);
    world.counts = away;
    await scrape.text();
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('answers while the journal hangs, and asks it once however many scrapes there are', async () => {
    const { scrape, world, counts, clock, shown, engine } = await aScrape();
    await scrape.text();
    const hanging = Promise.withResolvers<Awaited<ReturnType<Journal['counts']>>>();
    world.counts = () => hanging.promise;
    const answers = [scrape.text(), scrape.text()];
    await clock.advance(1_500);
    answers.push(scrape.text());
    await clock.advance(1_500);
    for (const { body } of await Promise.all(answers)) {
      expect(body).toContain('canaryd_watches_active 3');
      expect(body).not.toContain('canaryd_watches{');
    }
    expect(counts).toHaveBeenCalledTimes(2);

    world.counts = () => engine.journal.counts();
    hanging.reject(new CanarydError('journal_failed', 'no answer'));
    await clock.advance(1);
    expect(await shown('canaryd_watches{phase="watching"}')).toHaveLength(1);
    expect(await shown('canaryd_journal_errors_total')).toEqual(['canaryd_journal_errors_total 1']);
  });
});
