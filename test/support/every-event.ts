// One event of every type, with figures in it as they would be.
import type { BlindEvidence, EventBody, EventType } from '../../src/core/event.ts';
import { someEvidence, started, stopped, T0 } from './build.ts';

const blind: BlindEvidence = {
  condition: 'immediate.stop.fill_rate',
  indicator: 'fill_rate',
  reason: 'unreachable',
  detail: 'prometheus did not answer within 5s',
  sinceMs: T0 + 60_000,
};
const coverage = { 'immediate.stop.fill_rate': 0.97 };
const evidence = someEvidence();

const byType: { readonly [Type in EventType]: Extract<EventBody, { type: Type }> } = {
  'watch.started': started(),
  'watch.baselined': { type: 'watch.baselined', values: { fill_rate: 0.98 }, preExisting: [] },
  'watch.armed': { type: 'watch.armed', armed: 6, total: 6 },
  'watch.unarmed': { type: 'watch.unarmed', armed: 5, total: 6, conditions: [blind] },
  'window.entered': { type: 'window.entered', window: 'immediate' },
  'conditions.blinded': { type: 'conditions.blinded', conditions: [blind] },
  'conditions.sighted': {
    type: 'conditions.sighted',
    conditions: [{ condition: blind.condition, blindMs: 300_000 }],
  },
  'condition.warned': { type: 'condition.warned', evidence },
  'condition.recovered': { type: 'condition.recovered', evidence, firedMs: 300_000 },
  'condition.pre_existing': {
    type: 'condition.pre_existing',
    evidence: { ...evidence, baseline: 0.75, preExisting: true },
  },
  'watch.resumed': { type: 'watch.resumed', awayMs: 245_000 },
  'watch.stopped': stopped(),
  'watch.passed': { type: 'watch.passed', conditions: [evidence], coverage },
  'watch.inconclusive': {
    type: 'watch.inconclusive',
    reason: 'coverage',
    coverage,
    because: ['immediate.stop.fill_rate was judged in 31 % of its window'],
  },
  'watch.cancelled': { type: 'watch.cancelled', by: 'ann', reason: 'wrong policy' },
  'watch.superseded': { type: 'watch.superseded', byWatch: 'w_2', version: '2.0.1' },
  'watch.acknowledged': { type: 'watch.acknowledged', by: 'ann', reason: 'looking' },
  'watch.resolved': { type: 'watch.resolved', by: 'ann', reason: 'rolled back by hand' },
  'watch.sign_off_due': {
    type: 'watch.sign_off_due',
    missing: [{ role: 'engineering_lead', statement: 'System stable, no errors' }],
  },
  'watch.signed': {
    type: 'watch.signed',
    role: 'engineering_lead',
    name: 'Ada',
    by: 'ada',
    note: 'looked at the dashboards',
  },
  'watch.extended': {
    type: 'watch.extended',
    by: 'ann',
    reason: 'the market opens late',
    deadlineAtMs: T0 + 25 * 3_600_000,
  },
  'watch.held': { type: 'watch.held', by: 'ann', reason: 'exchange maintenance' },
  'watch.released': { type: 'watch.released', by: 'ann', reason: 'maintenance is over' },
  'action.delayed': {
    type: 'action.delayed',
    action: 'rollback',
    attempts: 3,
    detail: 'no answer within 5s',
  },
  'action.accepted': {
    type: 'action.accepted',
    action: 'rollback',
    attempts: 1,
    detail: 'HTTP 202',
    afterMs: 800,
  },
  'action.gave_up': {
    type: 'action.gave_up',
    action: 'rollback',
    attempts: 10,
    reason: 'attempts_exhausted',
    detail: 'HTTP 503',
  },
  'rollback.confirmed': {
    type: 'rollback.confirmed',
    action: 'rollback',
    conditions: [evidence],
    afterMs: 45_000,
  },
  'rollback.not_confirmed': {
    type: 'rollback.not_confirmed',
    action: 'rollback',
    reason: 'not_verified',
    because: ['Order fill rate 61 %, wanted: above 80 %'],
  },
};

export const everyEvent: readonly EventBody[] = Object.values(byType);
