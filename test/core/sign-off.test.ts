// What people sign on a watch: when they are asked, what is told, and that the verdict stays.
import { describe, expect, it } from 'vitest';
import type { EventBody, WatchEvent } from '../../src/core/event.ts';
import { tell } from '../../src/core/message.ts';
import { planDeliveries } from '../../src/core/plan.ts';
import { missingSignOffs, type SignOffDemand, signOffDue } from '../../src/core/sign-off.ts';
import { fold } from '../../src/core/watch.ts';
import { aPolicy, started, T0 } from '../support/build.ts';
import { eventsOf } from '../support/states.ts';

const MINUTE = 60_000;
const SIGN_OFFS: SignOffDemand = {
  afterMs: 15 * MINUTE,
  needed: [
    { role: 'constructor', statement: 'Built as planned' },
    { role: 'qa_lead', statement: 'Audit trail validated' },
  ],
};
const POLICY = aPolicy({ signOffs: SIGN_OFFS });

function signed(role: string, name = 'Ada', note: string | null = null): EventBody {
  return { type: 'watch.signed', role, name, by: name.toLowerCase(), note };
}

const stateAfter = (...bodies: EventBody[]) =>
  fold(eventsOf([0, started()], ...bodies.map((body, index) => [index + 1, body] as const)));

describe('people', () => {
  it.each<[string, EventBody[], number, string[] | null]>([
    ['not before it is time', [], 15 * MINUTE - 1, null],
    ['as soon as it is time, all of them', [], 15 * MINUTE, ['constructor', 'qa_lead']],
    ['only those who are missing', [signed('qa_lead')], 20 * MINUTE, ['constructor']],
    ['not when all have signed', [signed('qa_lead'), signed('constructor')], 20 * MINUTE, null],
    ['once', [{ type: 'watch.sign_off_due', missing: SIGN_OFFS.needed }], 20 * MINUTE, null],
    ['not about a rollback', [started({ rollbackOf: 'w_0' })], 20 * MINUTE, null],
  ])('are asked %s', (_, bodies, sinceDeployMs, roles) => {
    const due = signOffDue(POLICY, stateAfter(...bodies), sinceDeployMs);
    const missing = due?.type === 'watch.sign_off_due' ? due.missing : null;
    expect(missing?.map(({ role }) => role) ?? null).toEqual(roles);
  });

  it('are not asked by a policy without sign_offs, nor by one of an older journal', () => {
    expect(signOffDue(aPolicy(), stateAfter(), 20 * MINUTE)).toBeNull();
    expect(missingSignOffs(JSON.parse(JSON.stringify(aPolicy())), stateAfter())).toEqual([]);
  });
});

describe('a signature', () => {
  it('is the newest of its role', () => {
    const state = stateAfter(signed('qa_lead', 'Ada'), signed('qa_lead', 'Bob', 'checked again'));
    expect(state.signed).toEqual([
      { role: 'qa_lead', name: 'Bob', by: 'bob', note: 'checked again', atMs: T0 + 2_000 },
    ]);
  });

  it('changes neither the phase nor what waits for a person', () => {
    const [before, after] = [stateAfter(), stateAfter(signed('qa_lead'))];
    expect({ ...after, signed: [] }).toEqual(before);
  });
});

function told(...bodies: EventBody[]) {
  const events = eventsOf([0, started()], ...bodies.map((body) => [900, body] as const));
  const event = events.at(-1) as WatchEvent;
  return tell(event, { watchId: 'w_1', policy: POLICY, state: fold(events), publicUrl: null });
}

const passed: EventBody = { type: 'watch.passed', conditions: [], coverage: {} };
const inconclusive: EventBody = {
  type: 'watch.inconclusive',
  reason: 'deadline',
  coverage: {},
  because: ['too little traffic'],
};

describe('what is told', () => {
  it('says that it is time, who is missing, and how to sign', () => {
    expect(told({ type: 'watch.sign_off_due', missing: SIGN_OFFS.needed })).toMatchObject({
      severity: 'warning',
      headline: 'SIGN-OFF DUE shop 2.0.0 (production): constructor, qa_lead',
      lines: ['constructor: Built as planned', 'qa_lead: Audit trail validated'],
      next: 'Look, then sign on the page of the watch, or: canaryd sign w_1 --role ROLE --name NAME',
    });
  });

  it('says who has signed what, and who is still missing', () => {
    expect(told(signed('qa_lead', 'Ada', 'all 1,204 events'))).toMatchObject({
      severity: 'info',
      headline: 'Ada signed shop 2.0.0 (production) as qa_lead',
      lines: ['Audit trail validated', 'all 1,204 events', 'Still missing: constructor'],
    });
    expect(told(signed('constructor'), signed('qa_lead'))?.lines.at(-1)).toBe('All have signed.');
  });

  it('names with the verdict who has not signed, and how to', () => {
    expect(told(signed('constructor'), passed)).toMatchObject({
      severity: 'info',
      headline: 'PASSED shop 2.0.0 (production)',
      lines: ['Not signed by qa_lead: Audit trail validated'],
      next: 'Sign what is missing: canaryd sign w_1 --role qa_lead --name NAME',
    });
    expect(told(inconclusive)).toMatchObject({
      lines: [
        'too little traffic',
        'Not signed by constructor: Built as planned',
        'Not signed by qa_lead: Audit trail validated',
      ],
      next: expect.stringMatching(
        /^Not passed: check by hand.* Sign what is missing: canaryd sign/,
      ),
    });
  });

  it('says nothing of signatures when all have signed', () => {
    const message = told(signed('constructor'), signed('qa_lead'), passed);
    expect(message).toMatchObject({ lines: [], next: null });
  });

  it.each([
    ['passed', passed],
    ['inconclusive', inconclusive],
  ])('is one message when it is time in the tick that ends the watch (%s)', (_, end) => {
    const due: EventBody = { type: 'watch.sign_off_due', missing: SIGN_OFFS.needed };
    const events = eventsOf([0, started()], [900, due], [900, end]);
    const turn = events.slice(1);
    const context = { watchId: 'w_1', policy: POLICY, state: fold(events), publicUrl: null };
    const messages = turn.flatMap((event) => planDeliveries(event, context, ['oncall'], turn));
    expect(messages.map(({ id }) => id)).toEqual(['w_1-e3-oncall']);
  });
});
