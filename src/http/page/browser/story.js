// The journal as a story: one sentence for each event, with the figures it rests on.
/** @import { ConditionView, Tone, WatchEvent } from './types.d.ts' */
/** @import { BlindEvidence, Evidence } from '../../../core/event.ts' */
import { formatNumber, formatValue, span, timeOf } from './format.js';
import { actionName } from './words.js';

/** @typedef {ReadonlyMap<string, ConditionView>} Known */
/** @typedef {{ tone: Tone, title: string, text: string }} Line */

/** @param {readonly ConditionView[]} conditions */
export function knownOf(conditions) {
  return new Map(conditions.map((condition) => [condition.condition, condition]));
}

/**
 * "Order fill rate 72.4 % (871 of 1,204), must be at least 80 %".
 * @param {Evidence} evidence
 * @param {Known} known
 */
export function evidenceText(evidence, known) {
  const { condition, indicator, value, counts, detail } = evidence;
  const found = known.get(condition);
  if (found === undefined) return `${indicator} ${formatNumber(value)}`;
  const isHealth = evidence.limit === null && found.limit === null;
  if (isHealth) {
    const word = value === 1 ? 'good' : 'bad';
    return `${found.title} ${word}${detail ? ` (${detail})` : ''}, ${found.must}`;
  }
  const { part, total } = counts ?? { part: 0, total: 0 };
  const all = formatNumber(total, 0);
  const isShare = part !== 0 || found.unit === 'ratio';
  const figures = isShare ? `${formatNumber(part, 0)} of ${all}` : `${all} observations`;
  const behind = counts === undefined ? '' : ` (${figures})`;
  return `${found.title} ${formatValue(value, found.unit)}${behind}, ${found.must}`;
}

/**
 * @param {BlindEvidence} blind
 * @param {Known} known
 */
function blindText({ condition, indicator, reason, detail }, known) {
  return `${known.get(condition)?.title ?? indicator}: ${reason.replaceAll('_', ' ')} (${detail})`;
}

/**
 * @param {WatchEvent} event
 * @param {Known} known
 * @returns {Line}
 */
export function lineOf(event, known) {
  /** @param {readonly Evidence[]} list */
  const evidence = (list) => list.map((one) => evidenceText(one, known)).join('; ');
  /** @param {readonly BlindEvidence[]} list */
  const blind = (list) => list.map((one) => blindText(one, known)).join('; ');
  switch (event.type) {
    case 'watch.started': {
      const { version, by } = event.deploy;
      const who = by === null ? '' : ` by ${by}`;
      const late = event.lateMs > 60_000 ? `, ${span(event.lateMs)} after the deploy` : '';
      const mode = event.mode === 'observe' ? '; it only observes' : '';
      const { neededNoGo } = event;
      const back = neededNoGo === undefined ? '' : `; a rollback, without a GO: ${neededNoGo}`;
      const text = `${version} deployed${who}${late}${mode}${back}`;
      if (event.withoutGo === undefined) return calm('Watch started', text);
      const found = `${text}; found ${event.withoutGo}`;
      return { tone: 'bad', title: 'Watch started WITHOUT a GO', text: found };
    }
    case 'watch.baselined': {
      const count = Object.keys(event.values).length;
      const red = event.preExisting.map((id) => known.get(id)?.title ?? id).join(', ');
      const text = `${count} ${count === 1 ? 'indicator' : 'indicators'}${red === '' ? '' : `; red already: ${red}`}`;
      return { tone: red === '' ? 'calm' : 'warn', title: 'State before the deploy taken', text };
    }
    case 'watch.armed':
      return {
        tone: 'good',
        title: 'Armed',
        text: `${event.armed} of ${event.total} stop conditions`,
      };
    case 'watch.unarmed': {
      const text = `only ${event.armed} of ${event.total}: ${blind(event.conditions)}`;
      return { tone: 'blind', title: 'Not armed', text };
    }
    case 'window.entered':
      return calm(`Window ${event.window} began`, '');
    case 'conditions.blinded':
      return { tone: 'blind', title: 'Blind', text: blind(event.conditions) };
    case 'conditions.sighted': {
      const names = event.conditions.map(
        ({ condition, blindMs }) =>
          `${known.get(condition)?.title ?? condition} after ${span(blindMs)}`,
      );
      return calm('Sees again', names.join('; '));
    }
    case 'condition.warned':
      return { tone: 'warn', title: 'Warning', text: evidence([event.evidence]) };
    case 'condition.recovered':
      return { tone: 'good', title: 'Recovered', text: evidence([event.evidence]) };
    case 'condition.pre_existing': {
      const text = evidence([event.evidence]);
      return { tone: 'warn', title: 'Red before the deploy already', text };
    }
    case 'watch.resumed':
      return { tone: 'warn', title: 'Resumed', text: `nobody watched for ${span(event.awayMs)}` };
    default:
      return endOf(event, evidence) ?? humanOf(event) ?? actionOf(event, evidence);
  }
}

/**
 * @param {WatchEvent} event
 * @param {(list: readonly Evidence[]) => string} evidence
 * @returns {Line | null}
 */
function endOf(event, evidence) {
  switch (event.type) {
    case 'watch.stopped': {
      const isHuman = event.cause === 'human';
      const why = isHuman ? `by ${event.by}: ${event.reason}` : evidence(event.conditions);
      const sent = event.actions.map(actionName).join(', ').toLowerCase() || 'no action';
      const what = event.mode === 'act' ? sent : `nothing is sent (${event.mode})`;
      const title = event.mode === 'act' ? 'STOPPED' : 'Would have stopped';
      return { tone: 'bad', title, text: `${why || event.reason}; ${what}` };
    }
    case 'watch.passed':
      return { tone: 'good', title: 'PASSED', text: evidence(event.conditions) };
    case 'watch.inconclusive':
      return { tone: 'warn', title: 'INCONCLUSIVE', text: event.because.join('; ') };
    case 'watch.cancelled':
      return calm('CANCELLED', `by ${event.by}: ${event.reason}`);
    case 'watch.superseded':
      return calm('SUPERSEDED', `by version ${event.version}`);
    default:
      return null;
  }
}

/**
 * @param {WatchEvent} event
 * @returns {Line | null}
 */
function humanOf(event) {
  switch (event.type) {
    case 'watch.acknowledged':
      return calm('Acknowledged', `by ${event.by}: ${event.reason}`);
    case 'watch.resolved':
      return calm('Resolved', `by ${event.by}: ${event.reason}`);
    case 'watch.sign_off_due': {
      const roles = event.missing.map(({ role, statement }) => `${role}: ${statement}`);
      return { tone: 'warn', title: 'Sign-off due', text: roles.join('; ') };
    }
    case 'watch.signed': {
      const note = event.note === null ? '' : `: ${event.note}`;
      return { tone: 'good', title: 'Signed', text: `by ${event.name} as ${event.role}${note}` };
    }
    case 'watch.extended': {
      const until = timeOf(event.deadlineAtMs);
      return calm('Extended', `to ${until} by ${event.by}: ${event.reason}`);
    }
    case 'watch.held':
      return { tone: 'warn', title: 'Hold fire', text: `by ${event.by}: ${event.reason}` };
    case 'watch.released':
      return calm('Hold fire released', `by ${event.by}: ${event.reason}`);
    default:
      return null;
  }
}

/**
 * @param {WatchEvent} event
 * @param {(list: readonly Evidence[]) => string} evidence
 * @returns {Line}
 */
function actionOf(event, evidence) {
  switch (event.type) {
    case 'action.delayed': {
      const text = `${event.attempts} attempts failed: ${event.detail}`;
      return { tone: 'warn', title: `${actionName(event.action)} delayed`, text };
    }
    case 'action.accepted': {
      const tries = `${event.attempts} ${event.attempts === 1 ? 'attempt' : 'attempts'}`;
      const text = `after ${span(event.afterMs)}, ${tries}: ${event.detail}`;
      return calm(`${actionName(event.action)} accepted`, text);
    }
    case 'action.gave_up': {
      const text = `after ${event.attempts} attempts: ${event.detail}`;
      return { tone: 'bad', title: `${actionName(event.action)} GIVEN UP`, text };
    }
    case 'rollback.confirmed': {
      const text = `after ${span(event.afterMs)}: ${evidence(event.conditions)}`;
      return { tone: 'good', title: `${actionName(event.action)} confirmed`, text };
    }
    case 'rollback.not_confirmed': {
      const text = event.because.join('; ');
      return { tone: 'bad', title: `${actionName(event.action)} NOT CONFIRMED`, text };
    }
    default:
      // A newer canaryd may know more: better its bare word than nothing.
      return calm(event.type, '');
  }
}

/**
 * @param {string} title
 * @param {string} text
 * @returns {Line}
 */
function calm(title, text) {
  return { tone: 'calm', title, text };
}
