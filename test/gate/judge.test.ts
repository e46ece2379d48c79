import { describe, expect, it } from 'vitest';
import type { SignOffStore } from '../../src/gate/gate.ts';
import { judge } from '../../src/gate/judge.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { gateFile, line } from '../support/gate.ts';

const GATE = `
title: Release
service: aurora
criteria: { green: [${line('one')}] }
decision: { yellow_unmitigated_max: 0 }
`;

/** The first reading goes well; the next does as is said. */
function storeThat(then: Awaited<ReturnType<SignOffStore['list']>>) {
  let reads = 0;
  const store: SignOffStore = {
    list: async () => (++reads === 1 ? { kind: 'sign_offs', signOffs: [] } : then),
    add: async () => ({ kind: 'added' }),
  };
  return { store, reads: () => reads };
}

const gone = { kind: 'failed', reason: 'gone', isUnreachable: true } as const;
const tools = { clock: systemClock, folder: '.', env: { A: '1' } };

describe('a run of a gate', () => {
  it('that is interrupted asks nobody any more: it says that, and not who was away', async () => {
    const interruption = new AbortController();
    const { store, reads } = storeThat(gone);
    const judged = await judge(gateFile(GATE), store, {
      ...tools,
      signal: interruption.signal,
      onProgress: () => interruption.abort(),
    });
    expect(judged).toMatchObject({ kind: 'undecided', why: 'interrupted' });
    expect(reads()).toBe(1);
  });

  it('decides nothing when the signatures cannot be read at its end', async () => {
    const { store } = storeThat(gone);
    const { signal } = new AbortController();
    expect(await judge(gateFile(GATE), store, { ...tools, signal })).toEqual(gone);
  });

  it('counts what was signed while its checks ran', async () => {
    const text = GATE.replace(
      '] }\ndecision',
      ', { id: two, title: Two, sign_off: { role: lead } }] }\ndecision',
    );
    const { gate, deploy } = gateFile(text);
    const { environment, version } = deploy;
    const signed = {
      ...{ gate: gate.name, criterion: 'two', role: 'lead', name: 'Ada', environment, version },
      ...{ atMs: systemClock.now(), note: null },
    };
    const { store } = storeThat({ kind: 'sign_offs', signOffs: [signed] });
    const { signal } = new AbortController();
    const judged = await judge(gateFile(text), store, { ...tools, signal });
    expect(judged).toMatchObject({ kind: 'decided', record: { decision: 'go' } });
  });
});
