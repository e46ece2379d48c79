// Signatures of people on a watch, on a real journal: what is written, and every refusal.
import { describe, expect, it } from 'vitest';
import type { SignOffDemand } from '../../src/core/sign-off.ts';
import type { SignCommand } from '../../src/engine/control.ts';
import { aPolicy } from '../support/build.ts';
import { anEngine, type Engine, share } from '../support/engine.ts';

const MINUTE = 60_000;
const BY = { by: 'ann', reason: 'test' };
const SIGN_OFFS: SignOffDemand = {
  afterMs: 10 * MINUTE,
  needed: [
    { role: 'engineering_lead', statement: 'System stable' },
    { role: 'qa_lead', statement: 'Audit trail validated' },
  ],
};

async function watched(signOffs: SignOffDemand | null = SIGN_OFFS): Promise<Engine> {
  const policy = aPolicy(signOffs === null ? {} : { signOffs });
  const engine = anEngine({ policies: [policy], publicUrl: 'https://canaryd.example' });
  engine.world.readings = { fill_rate: share(0.97) };
  await engine.watch();
  return engine;
}

function aSignature(over: Partial<SignCommand> = {}): SignCommand {
  return { role: 'qa_lead', name: 'Ada', by: 'ada', note: null, ...over };
}

describe('a signature', () => {
  it('is written, told, and shown with its statement and when it is due', async () => {
    const engine = await watched();
    engine.start();
    await engine.clock.advance(MINUTE);
    const view = await engine.commands.sign('w_1', aSignature({ note: 'all events' }));
    expect(view.signOffs).toEqual([
      {
        role: 'engineering_lead',
        statement: 'System stable',
        dueAt: '2026-01-01T00:10:00.000Z',
        signed: null,
      },
      {
        role: 'qa_lead',
        statement: 'Audit trail validated',
        dueAt: '2026-01-01T00:10:00.000Z',
        signed: { name: 'Ada', by: 'ada', note: 'all events', at: '2026-01-01T00:01:00.000Z' },
      },
    ]);
    await engine.clock.advance(5_000);
    expect(engine.world.messages.at(-1)).toMatchObject({
      kind: 'watch.signed',
      headline: 'Ada signed shop 2.0.0 (production) as qa_lead',
    });
    expect((await engine.events('w_1')).at(-1)).toMatchObject({
      ...{ type: 'watch.signed', role: 'qa_lead', name: 'Ada', by: 'ada', note: 'all events' },
    });
  });

  it('is one when the same person sends it again', async () => {
    const engine = await watched();
    await engine.commands.sign('w_1', aSignature());
    await engine.commands.sign('w_1', aSignature({ by: 'a token' }));
    await engine.commands.sign('w_1', aSignature({ name: ' ADA\u3164' }));
    expect(await engine.types('w_1')).toEqual(['watch.started', 'watch.signed']);
    await engine.commands.sign('w_1', aSignature({ name: 'Bob' }));
    expect((await engine.types('w_1')).filter((type) => type === 'watch.signed')).toHaveLength(2);
  });

  it('is asked for at its time, once, and also after a restart', async () => {
    const engine = await watched();
    engine.start();
    await engine.clock.advance(9 * MINUTE);
    expect(await engine.types('w_1')).not.toContain('watch.sign_off_due');
    await engine.clock.advance(2 * MINUTE);
    const due = (await engine.events('w_1')).filter(({ type }) => type === 'watch.sign_off_due');
    expect(due).toMatchObject([{ missing: SIGN_OFFS.needed, atMs: engine.clock.now() - MINUTE }]);
    await engine.stop();
    const { clock, journal, world } = engine;
    const second = anEngine({ clock, journal, world, policies: [aPolicy()], replica: 'r_2' });
    second.start();
    await clock.advance(5 * MINUTE);
    const types = await second.types('w_1');
    expect(types.filter((type) => type === 'watch.sign_off_due')).toHaveLength(1);
  });

  it('is taken after the watch has passed, whose verdict names who was missing', async () => {
    const engine = await watched();
    engine.start();
    await engine.clock.advance(25 * MINUTE);
    const verdict = engine.world.messages.find(({ kind }) => kind === 'watch.passed');
    expect(verdict?.lines).toContain('Not signed by qa_lead: Audit trail validated');
    const view = await engine.commands.sign('w_1', aSignature());
    expect(view).toMatchObject({ phase: 'passed', signOffs: [{}, { signed: { name: 'Ada' } }] });
  });
});

describe('a signature is refused', () => {
  it('for a role that the policy does not name; the answer lists those that it does', async () => {
    const engine = await watched();
    await expect(engine.commands.sign('w_1', aSignature({ role: 'cto' }))).rejects.toMatchObject({
      code: 'usage',
      problems: [
        {
          path: 'role',
          message: 'found cto; wanted one of engineering_lead, qa_lead: these sign this watch',
        },
      ],
    });
  });

  it('on a watch whose policy wants none', async () => {
    const engine = await watched(null);
    await expect(engine.commands.sign('w_1', aSignature())).rejects.toMatchObject({
      code: 'conflict',
      message: "Cannot sign watch w_1: policy 'shop' has no sign_offs",
    });
  });

  it('on the watch of a rollback', async () => {
    const engine = await watched();
    await engine.commands.stop('w_1', BY);
    await engine.watch({ version: '1.0.0' });
    await engine.clock.advance(MINUTE);
    const { journal, clock } = engine;
    const other = anEngine({ journal, clock, policies: [aPolicy({ signOffs: SIGN_OFFS })] });
    const id = await other.watch({ version: '3.0.0', previousVersion: '2.5.0' });
    await other.commands.stop(id, BY);
    const rollback = await other.watch({ version: '2.5.0' });
    expect(await other.commands.watch(rollback)).toMatchObject({ rollbackOf: id, signOffs: [] });
    await expect(other.commands.sign(rollback, aSignature())).rejects.toMatchObject({
      code: 'conflict',
      message: `Cannot sign watch ${rollback}: it watches the rollback of ${id}, which nobody signs`,
    });
  });

  it('on a watch that is not there', async () => {
    const engine = await watched();
    await expect(engine.commands.sign('w_9', aSignature())).rejects.toMatchObject({
      code: 'watch_not_found',
    });
  });

  it.each([
    ['stopped', 'its version was stopped', (e: Engine) => e.commands.stop('w_1', BY)],
    ['cancelled', 'nobody watched', (e: Engine) => e.commands.cancel('w_1', BY)],
    ['superseded', 'a newer version', (e: Engine) => e.watch({ version: '3.0.0' })],
  ])('on a watch that is %s', async (phase, why, end) => {
    const engine = await watched();
    await engine.clock.advance(MINUTE);
    await end(engine);
    await expect(engine.commands.sign('w_1', aSignature())).rejects.toMatchObject({
      code: 'watch_closed',
      message: expect.stringMatching(new RegExp(`ended \\(${phase}\\), ${why}.*; sign the watch`)),
    });
  });
});
