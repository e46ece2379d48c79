// What a rehearsal makes of a policy: shorter, and with nothing left that reaches beyond this machine.
import { describe, expect, it } from 'vitest';
import { readPolicy } from '../../src/config/to-policy.ts';
import { readYaml } from '../../src/config/yaml-file.ts';
import { conditionSentence } from '../../src/core/wording.ts';
import { outsideOf, rehearsedPolicy } from '../../src/simulate/files.ts';
import { type Pace, rehearse } from '../../src/simulate/rehearsal.ts';
import { chooseFault, faultsOf, readScene, type Scene } from '../../src/simulate/scene.ts';

const SHOP = 'test/simulate/shop.yaml';
const QUEUE = 'test/simulate/queue.yaml';
const AURORA = 'config/policies/aurora.yaml';
const ADDRESSES = {
  healthUrl: (id: string) => `http://127.0.0.1:1/health/${id}`,
  disarmUrl: 'http://127.0.0.1:1/disarm',
  rollbackUrl: 'http://127.0.0.1:1/rollback',
};
const OWN = ['http://127.0.0.1:1'];
const AS_IT_FITS: Pace = { untilsMs: null, speed: null };

async function sceneOf(file: string): Promise<Scene> {
  const read = await readScene(file, {});
  if (read.kind === 'refused') throw new Error(read.text);
  return read.scene;
}

async function rehearsed(file: string, fault: string | null, pace = AS_IT_FITS) {
  const scene = await sceneOf(file);
  const chosen = chooseFault(scene, fault, fault === null);
  if (chosen.kind === 'refused') throw new Error(chosen.text);
  const { input, policy } = scene;
  const rehearsal = rehearse({
    ...{ input, policy, pace },
    ...{ fault: chosen.fault, addresses: ADDRESSES, perSecondMax: null },
  });
  const result = rehearsedPolicy(rehearsal.input, file, 'it', OWN);
  if (result.kind === 'refused') throw new Error(result.text);
  return { ...rehearsal, policy: result.policy, original: policy };
}

describe('a rehearsed policy', () => {
  it.each([SHOP, AURORA])(
    '%s: nothing of it reaches what is not of the rehearsal',
    async (file) => {
      const { policy, original, input } = await rehearsed(file, 'health');
      expect(outsideOf(original, OWN).length).toBeGreaterThan(3);
      expect(outsideOf(policy, OWN)).toEqual([]);
      const text = JSON.stringify(input);
      const urls = text.match(/https?:[^"]+/g) ?? [];
      expect(urls.filter((url) => !url.startsWith('http://127.0.0.1:1/'))).toEqual([]);
      expect(text).not.toMatch(/TOKEN|command|AURORA_/);
    },
  );

  it('asks no gate, and nobody to sign: windows of seconds are over before that', async () => {
    const { input, policy, original } = await rehearsed(AURORA, null);
    expect(original.signOffs?.needed).toHaveLength(4);
    expect(policy).not.toHaveProperty('signOffs');
    const demands = { requires: { gate: 'aurora-testnet', fresh: '24h' } } as const;
    const scene = await sceneOf(AURORA);
    const again = rehearse({
      input: { ...scene.input, requires: { ...demands.requires, otherwise: 'refuse' } },
      ...{ policy: scene.policy, pace: AS_IT_FITS, fault: null },
      ...{ addresses: ADDRESSES, perSecondMax: null },
    });
    expect(again.input).toEqual(input);
  });

  it('keeps what is judged: the same conditions and limits', async () => {
    const { policy, original } = await rehearsed(SHOP, 'health');
    const kept = ({ conditions }: typeof policy) => conditions.map(({ id, limit }) => [id, limit]);
    expect(kept(policy)).toEqual(kept(original));
  });

  it('has gauges in place of PromQL, with the same words, units and limits', async () => {
    const { value } = readYaml(QUEUE) as { value: unknown };
    const written = readPolicy(value, 'it');
    if (written.kind === 'problems') throw new Error(JSON.stringify(written.problems));
    const { policy, promql } = await sceneOf(QUEUE);
    expect(promql).toEqual(['saturation', 'backlog']);
    const shown = (of: typeof policy) => [
      ...of.conditions.map((condition) => conditionSentence(condition, of)),
      ...Object.values(of.indicators).map(({ id, title, unit }) => [id, title, unit]),
    ];
    expect(shown(policy)).toEqual(shown(written.policy));
    const { policy: shortened } = await rehearsed(QUEUE, 'saturation');
    expect(Object.values(shortened.indicators).map(({ kind }) => kind)).toEqual(['gauge', 'gauge']);
    expect(shortened.conditions.map(({ id }) => id)).toEqual(policy.conditions.map(({ id }) => id));
  });

  it.each(['first.stop.error_ratio', 'later.stop.restarts'])(
    '%s: goes wrong inside of its window, which is long enough',
    async (fault) => {
      const { policy, goesWrongAtMs } = await rehearsed(SHOP, fault);
      const window = policy.windows.find(({ name }) => fault.startsWith(name));
      expect(goesWrongAtMs).toBeGreaterThanOrEqual(window?.fromMs ?? Infinity);
      expect((window?.untilMs ?? 0) - goesWrongAtMs).toBeGreaterThan(120_000);
    },
  );

  it('can be given ends of windows, or a speed', async () => {
    const given = { untilsMs: [30_000, 60_000], speed: null };
    const ends = (await rehearsed(SHOP, null, given)).policy.windows;
    expect(ends.map(({ untilMs }) => untilMs)).toEqual([30_000, 60_000]);
    const fast = (await rehearsed(SHOP, null, { untilsMs: null, speed: 60 })).policy;
    expect(fast.windows.map(({ untilMs }) => untilMs)).toEqual([20_000, 120_000]);
    expect(fast.windows[1]?.passForMs).toBe(30_000);
  });

  it('never makes a time longer than the author wrote it', async () => {
    const { policy, original } = await rehearsed(AURORA, null);
    const times = (of: typeof policy) => [
      ...of.windows.map(({ untilMs }) => untilMs),
      ...of.conditions.map(({ forMs }) => forMs),
      ...Object.values(of.indicators).map((one) => ('overMs' in one ? (one.overMs ?? 0) : 0)),
    ];
    const before = times(original);
    expect(times(policy).filter((ms, index) => ms > (before[index] ?? 0))).toEqual([]);
  });
});

describe('what goes wrong', () => {
  it('is the first stop condition, unless something else is named', async () => {
    const scene = await sceneOf(SHOP);
    expect(chooseFault(scene, null, false)).toMatchObject({
      fault: { id: 'first.stop.error_ratio' },
    });
    expect(chooseFault(scene, 'memory', false)).toMatchObject({ fault: { role: 'warn' } });
    expect(chooseFault(scene, 'error_ratio', false)).toMatchObject({ fault: { window: 'first' } });
  });

  it('is refused by name where it cannot be, with what can', async () => {
    const scene = await sceneOf(SHOP);
    expect(chooseFault(scene, 'gremlins', false)).toEqual({
      kind: 'refused',
      text: expect.stringMatching(/found "gremlins", wanted one of: first\.stop\.error_ratio, /),
    });
  });

  it('is also what only PromQL tells', async () => {
    const scene = await sceneOf(QUEUE);
    expect(faultsOf(scene).map(({ condition, why }) => [condition.id, why])).toEqual([
      ['first.stop.saturation', null],
      ['first.stop.backlog', null],
      ['first.warn.saturation', null],
    ]);
    expect(chooseFault(scene, 'backlog', false)).toMatchObject({ kind: 'chosen' });
    expect(chooseFault(scene, null, true)).toMatchObject({ kind: 'chosen' });
  });
});
