// The GO that a policy requires, looked up in a real journal when a watch is started.
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Requires } from '../../src/core/gate-needed.ts';
import type { GateRecord, SignOff } from '../../src/core/gate-record.ts';
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

/** The policy of deploys that bring how much they may trade. */
function withCapital() {
  const spec = { type: 'number', above: 0, atLeast: null, unit: 'usd', default: null } as const;
  const parameters = { deploy_capital: spec };
  return aPolicy({ environment: 'testnet', requires: REQUIRES, parameters });
}

/** What the gate said of the shop's next version on the testnet. */
async function decided(
  { journal }: Pick<Engine, 'journal'>,
  decision: 'go' | 'no_go',
  over: {
    readonly version?: string;
    readonly environment?: string;
    readonly atMs?: number;
    readonly receivedAtMs?: number;
    readonly parameters?: Readonly<Record<string, number | string>>;
    readonly criteria?: GateRecord['criteria'];
  } = {},
) {
  const { version = '2.0.0', environment = 'testnet', atMs = T0 - HOUR, ...rest } = over;
  const { receivedAtMs = atMs, parameters = {}, criteria } = rest;
  const record = {
    ...aDecision({ unsigned: decision === 'go' ? [] : ['code_review'] }),
    id: `g_${decision}_${version}_${environment}_${atMs}_${receivedAtMs}`,
    decision,
    reasons: decision === 'go' ? [] : ['green code_review: nobody has signed'],
    deploy: { service: 'shop', environment, version, parameters },
    endedAt: new Date(atMs).toISOString(),
    receivedAtMs,
    ...(criteria === undefined ? {} : { criteria }),
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
            '--service shop --environment testnet --daemon), then start again',
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
    [
      'an older GO that arrives after a newer NO-GO',
      async (engine) => {
        await decided(engine, 'no_go');
        await decided(engine, 'go', { atMs: T0 - 2 * HOUR, receivedAtMs: T0 - 60_000 });
      },
      'found NO-GO of 2025-12-31 23:00 UTC',
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

  it('tells of a rollback what was found, though it needs none', async () => {
    const engine = requiring();
    await decided(engine, 'go');
    await decided(engine, 'no_go', { version: '1.9.0' });
    await engine.watch({ previousVersion: '1.9.0' });
    await engine.commands.stop('w_1', { by: 'ann', reason: 'wrong prices' });
    const id = await engine.watch({ version: '1.9.0' });
    const [first] = await engine.events(id);
    expect(first).toMatchObject({ rollbackOf: 'w_1', neededNoGo: expect.stringMatching(/^NO-GO/) });
  });

  it('is refused for a version that was stopped itself, however it is called', async () => {
    const engine = requiring();
    await decided(engine, 'go', { version: '1.9.0' });
    await decided(engine, 'go');
    await engine.watch({ version: '1.9.0' });
    await engine.commands.stop('w_1', { by: 'ann', reason: 'wrong prices' });
    await engine.clock.advance(1_000);
    await engine.watch({ previousVersion: '1.9.0' });
    await decided(engine, 'no_go', { version: '1.9.0', atMs: T0 });
    await engine.commands.stop('w_2', { by: 'ann', reason: 'wrong prices' });
    await engine.clock.advance(1_000);
    await expect(engine.watch({ version: '1.9.0' })).rejects.toMatchObject({
      code: 'gate_missing',
    });
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
        gateHeads: async () => {
          throw new Error('disk gone');
        },
      });
      await expect(requiring({ otherwise }, { journal }).watch()).rejects.toThrow('disk gone');
    },
  );

  it('finds its own GO behind those of pipelines for other parameters', async () => {
    const engine = requiring({}, { policies: [withCapital()] });
    const of = (deploy_capital: number) => ({ parameters: { deploy_capital } });
    for (const [minute, capital] of [7, ...Array<number>(20).fill(1_000)].entries()) {
      await decided(engine, 'go', { atMs: T0 - HOUR + minute * 60_000, ...of(capital) });
    }
    await expect(engine.watch(of(8))).rejects.toMatchObject({
      problems: [{ message: expect.stringContaining('for deploy_capital 1000, not 8') }],
    });
    const [first] = await engine.events(await engine.watch(of(7)));
    expect(first).not.toHaveProperty('withoutGo');
  });

  it('takes no GO for other parameters', async () => {
    const engine = requiring({}, { policies: [withCapital()] });
    await decided(engine, 'go', { parameters: { deploy_capital: 1_000 } });
    const start = (deploy_capital: number) => engine.watch({ parameters: { deploy_capital } });
    await expect(start(100_000_000)).rejects.toThrow('for deploy_capital 1000, not 100000000');
    expect(await start(1_000)).toMatch(/^w_/);
  });
});

describe('a signature that was taken back after the GO', () => {
  const SIGNED: SignOff = {
    ...{ gate: 'aurora-testnet', criterion: 'code_review', role: 'engineering_lead', name: 'Ada' },
    ...{ service: 'shop', environment: 'testnet', version: '2.0.0' },
    ...{ atMs: T0 - 2 * HOUR, note: null },
  };
  const TAKEN = { ...SIGNED, name: 'ADA', atMs: T0 - 60_000, isWithdrawn: true } as const;

  /** A GO that counts Ada's signature, and what came after it. */
  async function signed(entries: readonly SignOff[]) {
    const engine = requiring();
    const criteria = aDecision().criteria.map((one) => ({
      ...one,
      signOffs: one.signOffs.map((wanted) => ({ ...wanted, signed: null })),
    }));
    const [first, ...rest] = criteria;
    if (first === undefined) throw new Error('no criteria');
    const wanted = { role: SIGNED.role, statement: '', text: '', signed: SIGNED };
    const all = [{ ...first, signOffs: [wanted] }, ...rest];
    await engine.journal.addSignOff(SIGNED);
    await decided(engine, 'go', { criteria: all });
    for (const entry of entries) await engine.journal.addSignOff(entry);
    return engine;
  }

  it('makes it none', async () => {
    const engine = await signed([TAKEN]);
    await expect(engine.watch()).rejects.toThrow('whose signature by Ada has been taken back');
  });

  it.each<[string, readonly SignOff[]]>([
    ['was given anew', [TAKEN, { ...SIGNED, atMs: T0 - 30_000 }]],
    ['is of somebody else', [{ ...TAKEN, name: 'Kim' }]],
    ['is of another criterion', [{ ...TAKEN, criterion: 'audit' }]],
    ['is of another service', [{ ...TAKEN, service: 'other' }]],
    ['was taken back before it was given', [{ ...TAKEN, atMs: T0 - 3 * HOUR }]],
  ])('changes nothing when it %s', async (_, entries) => {
    const engine = await signed(entries);
    expect(await engine.watch()).toBe('w_1');
  });
});

describe('a decision or a signature that cannot be read', () => {
  /** The row is there, and no longer what it was. */
  type Table = 'gate_records' | 'gate_sign_offs';

  function damage({ path }: { readonly path: string }, table: Table) {
    const column = { gate_records: 'head', gate_sign_offs: 'body' }[table];
    const database = new DatabaseSync(path);
    database.exec(`
      DROP TRIGGER gate_records_are_facts; DROP TRIGGER sign_offs_are_facts; UPDATE ${table} SET ${column} = '{'`);
    database.close();
  }

  async function damaged(otherwise: Requires['otherwise'], table: Table = 'gate_records') {
    const journal = tempJournal();
    const engine = requiring({ otherwise }, { journal });
    await decided(engine, 'go');
    await decided(engine, 'go', { version: '1.9.0' });
    await engine.watch({ previousVersion: '1.9.0' });
    const atMs = T0;
    const who = { gate: 'aurora-testnet', criterion: 'c', role: 'r', name: 'Ada', note: null };
    for (const version of ['3.0.0', '1.9.0']) {
      await decided(engine, 'go', { version, atMs });
      await journal.addSignOff({ ...who, environment: 'testnet', version, atMs });
    }
    damage(journal, table);
    return engine;
  }

  it('is no GO', async () => {
    const engine = await damaged('refuse');
    await engine.clock.advance(1_000);
    await expect(engine.watch({ version: '3.0.0' })).rejects.toMatchObject({
      code: 'gate_missing',
      message: expect.stringMatching(/found a decision that cannot be read .*decision g_go_3.0.0/),
    });
  });

  it('is no GO when it is a signature', async () => {
    const engine = await damaged('refuse', 'gate_sign_offs');
    await engine.clock.advance(1_000);
    await expect(engine.watch({ version: '3.0.0' })).rejects.toMatchObject({
      code: 'gate_missing',
      message: expect.stringContaining('whose signatures cannot be read'),
    });
  });

  it.each(['gate_records', 'gate_sign_offs'] as const)(
    'hinders no watch that only alerts (%s)',
    async (table) => {
      const engine = await damaged('alert', table);
      await engine.clock.advance(1_000);
      const id = await engine.watch({ version: '3.0.0' });
      expect(await engine.commands.watch(id)).toMatchObject({
        withoutGo: expect.stringContaining('cannot be read'),
      });
    },
  );

  it('hinders no start that is repeated', async () => {
    const engine = await damaged('refuse');
    expect(await engine.watch({ previousVersion: '1.9.0' })).toBe('w_1');
  });

  it('hinders no rollback', async () => {
    const engine = await damaged('refuse');
    await engine.commands.stop('w_1', { by: 'ann', reason: 'wrong prices' });
    const id = await engine.watch({ version: '1.9.0' });
    expect(await engine.commands.watch(id)).toMatchObject({ rollbackOf: 'w_1' });
  });
});

describe('a journal that cannot be asked for decisions', () => {
  it('hinders neither a rollback nor a start that is repeated', async () => {
    let isGone = false;
    const real = tempJournal();
    const journal = changed(real, {
      gateHeads: (...args) =>
        isGone ? Promise.reject(new Error('too slow')) : real.gateHeads(...args),
    });
    const engine = requiring({}, { journal });
    await decided(engine, 'go');
    await engine.watch({ previousVersion: '1.9.0' });
    isGone = true;
    expect(await engine.watch({ previousVersion: '1.9.0' })).toBe('w_1');
    await engine.commands.stop('w_1', { by: 'ann', reason: 'wrong prices' });
    const id = await engine.watch({ version: '1.9.0' });
    expect(await engine.commands.watch(id)).toMatchObject({ rollbackOf: 'w_1' });
  });
});
