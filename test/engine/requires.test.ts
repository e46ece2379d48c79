// The GO that a policy requires, looked up in a real journal when a watch is started.
import { describe, expect, it } from 'vitest';
import type { Requires } from '../../src/core/gate-needed.ts';
import { aPolicy, T0 } from '../support/build.ts';
import { anEngine, changed, type Engine, share, tempJournal } from '../support/engine.ts';
import { aDecision } from '../support/gate-decision.ts';

const HOUR = 3_600_000;
const REQUIRES: Requires = { gate: 'aurora-testnet', freshMs: 24 * HOUR, otherwise: 'refuse' };

function requiring(
  over: Partial<Requires> = {},
  more: Partial<Parameters<typeof anEngine>[0]> = {},
) {
  const requires = { ...REQUIRES, ...over };
  const engine = anEngine({ policies: [aPolicy({ environment: 'testnet', requires })], ...more });
  engine.world.readings = { fill_rate: share(0.97) };
  return engine;
}

/** What the gate said of the shop's next version on the testnet. */
async function decided(
  { journal }: Pick<Engine, 'journal'>,
  decision: 'go' | 'no_go',
  over: { readonly version?: string; readonly environment?: string; readonly atMs?: number } = {},
) {
  const { version = '2.0.0', environment = 'testnet', atMs = T0 - HOUR } = over;
  const record = {
    ...aDecision({ unsigned: decision === 'go' ? [] : ['code_review'] }),
    id: `g_${decision}_${version}_${environment}_${atMs}`,
    decision,
    reasons: decision === 'go' ? [] : ['green code_review: nobody has signed'],
    deploy: { service: 'shop', environment, version, parameters: {} },
    endedAt: new Date(atMs).toISOString(),
    receivedAtMs: atMs,
  };
  expect(await journal.addGateRecord(record, [])).toBe(true);
}

describe('a start whose policy requires a GO', () => {
  it('is taken when the gate said GO lately, without another word', async () => {
    const engine = requiring();
    await decided(engine, 'go');
    const id = await engine.watch();
    const [first] = await engine.events(id);
    expect(first).not.toHaveProperty('withoutGo');
    expect(await engine.commands.watch(id)).toMatchObject({ phase: 'watching', withoutGo: null });
  });

  it('is refused without one, in words that say what was found and what to do', async () => {
    const engine = requiring();
    await expect(engine.watch()).rejects.toMatchObject({
      code: 'gate_missing',
      message: expect.stringContaining('Cannot watch shop 2.0.0 (testnet)'),
      problems: [
        {
          path: 'requires',
          message:
            "policy 'shop' wants a fresh GO of gate aurora-testnet; found no decision of it for " +
            'this version; carry it out (canaryd gate aurora-testnet --version 2.0.0 ' +
            '--environment testnet --daemon), then start again',
        },
      ],
    });
    expect(await engine.commands.watches({ limit: 10 })).toEqual([]);
  });

  it.each<[string, (engine: Engine) => Promise<void>, string]>([
    [
      'a GO that has been overtaken by a NO-GO',
      async (engine) => {
        await decided(engine, 'go', { atMs: T0 - 2 * HOUR });
        await decided(engine, 'no_go');
      },
      'found NO-GO of 2025-12-31 23:00 UTC (green code_review: nobody has signed)',
    ],
    [
      'a GO of last week',
      (engine) => decided(engine, 'go', { atMs: T0 - 170 * HOUR }),
      'found a GO of 2025-12-24 22:00 UTC, 7d2h old',
    ],
    ['a GO of another version', (e) => decided(e, 'go', { version: '1.9.0' }), 'found no decision'],
    [
      'a GO for production',
      (engine) => decided(engine, 'go', { environment: 'production' }),
      'found no decision',
    ],
  ])('is refused with %s', async (_, prepare, found) => {
    const engine = requiring();
    await prepare(engine);
    await expect(engine.watch()).rejects.toMatchObject({
      code: 'gate_missing',
      problems: [{ message: expect.stringContaining(found) }],
    });
  });

  it('ends no earlier watch when it is refused', async () => {
    const engine = requiring();
    await decided(engine, 'go');
    await engine.watch();
    await engine.clock.advance(HOUR);
    await expect(engine.watch({ version: '3.0.0' })).rejects.toMatchObject({
      code: 'gate_missing',
    });
    expect(await engine.types('w_1')).toEqual(['watch.started']);
  });

  it('is the same watch when it is started again, also when the GO is old by then', async () => {
    const engine = requiring({ freshMs: 2 * HOUR });
    await decided(engine, 'go');
    await engine.watch({ idempotencyKey: 'k' });
    await engine.clock.advance(HOUR + 60_000);
    const again = { service: 'shop', version: '2.0.0', parameters: {} };
    expect(await engine.commands.start(again)).toMatchObject({ created: false });
    expect(await engine.commands.start({ ...again, idempotencyKey: 'k' })).toMatchObject({
      created: false,
    });
  });

  it('needs none for the deploy of a rollback', async () => {
    const engine = requiring();
    await decided(engine, 'go');
    await engine.watch({ previousVersion: '1.9.0' });
    await engine.commands.stop('w_1', { by: 'ann', reason: 'wrong prices' });
    const id = await engine.watch({ version: '1.9.0' });
    expect(await engine.commands.watch(id)).toMatchObject({ rollbackOf: 'w_1', withoutGo: null });
  });

  it('goes on loudly where the policy only alerts', async () => {
    const engine = requiring({ otherwise: 'alert' });
    engine.start();
    const id = await engine.watch();
    await engine.clock.advance(1_000);
    expect(await engine.commands.watch(id)).toMatchObject({
      withoutGo: 'no decision of it for this version',
    });
    expect(engine.world.messages[0]).toMatchObject({
      kind: 'watch.started',
      severity: 'critical',
      headline: 'shop 2.0.0 (testnet) started WITHOUT a GO of gate aurora-testnet',
    });
  });

  it.each(['refuse', 'alert'] as const)(
    'is not taken while the journal cannot be asked (%s): unknown is no GO',
    async (otherwise) => {
      const journal = changed(tempJournal(), {
        gateRecords: async () => {
          throw new Error('disk gone');
        },
      });
      await expect(requiring({ otherwise }, { journal }).watch()).rejects.toThrow('disk gone');
    },
  );
});
