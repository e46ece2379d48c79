// One line of a scenario's `expect` for an event of the journal.
import type { NewDelivery } from '../../src/core/delivery.ts';
import type { WatchEvent } from '../../src/core/event.ts';
import { formatDuration } from '../../src/core/quantity.ts';

function named(conditions: readonly { indicator: string; reason?: string }[]): string {
  const names = conditions.map(({ indicator, reason }) =>
    reason === undefined ? indicator : `${indicator} ${reason}`,
  );
  return `[${names.join(', ')}]`;
}

/** One line for an event; null for routine that every watch goes through. */
export function lineOf(event: WatchEvent, planned: readonly NewDelivery[]): string | null {
  switch (event.type) {
    case 'watch.started': {
      const late = event.lateMs > 0 ? ` ${formatDuration(event.lateMs)} late` : '';
      const rollback = event.rollbackOf === null ? '' : ` as the rollback of ${event.rollbackOf}`;
      const mode = event.mode === 'observe' ? ' observing' : '';
      return late === '' && rollback === '' && mode === ''
        ? null
        : `${event.type}${late}${mode}${rollback}`;
    }
    case 'watch.baselined':
      return event.preExisting.length === 0
        ? null
        : `${event.type} pre-existing [${event.preExisting.map((id) => id.split('.').at(-1)).join(', ')}]`;
    case 'window.entered':
      return null;
    case 'watch.armed':
      return `armed ${event.armed} of ${event.total}`;
    case 'watch.unarmed':
      return `unarmed ${event.armed} of ${event.total} ${named(event.conditions)}`;
    case 'conditions.blinded':
      return `${event.type} ${named(event.conditions)}`;
    case 'conditions.sighted':
      return `${event.type} [${event.conditions.map(({ condition }) => condition.split('.').at(-1)).join(', ')}]`;
    case 'condition.warned':
    case 'condition.recovered':
    case 'condition.pre_existing':
      return `${event.type} ${named([event.evidence])}`;
    case 'watch.resumed':
      return `${event.type} after ${formatDuration(event.awayMs)}`;
    case 'watch.stopped': {
      const actions = planned.flatMap(({ content }) =>
        content.kind === 'action' ? [content.action] : [],
      );
      const why =
        event.cause === 'human' ? `by ${event.by}` : named([...event.conditions, ...event.blind]);
      const mode = event.mode === 'act' ? '' : ` (${event.mode})`;
      return `${event.type} ${why} actions [${actions.join(', ')}]${mode}`;
    }
    case 'watch.passed':
      return `${event.type} ${named(event.conditions)}`;
    case 'watch.inconclusive':
      return `${event.type} (${event.reason})`;
    case 'watch.cancelled':
    case 'watch.acknowledged':
    case 'watch.resolved':
    case 'watch.extended':
    case 'watch.held':
    case 'watch.released':
      return `${event.type} by ${event.by}`;
    case 'watch.sign_off_due':
      return `${event.type} [${event.missing.map(({ role }) => role).join(', ')}]`;
    case 'watch.signed':
      return `${event.type} ${event.role} by ${event.name}`;
    case 'watch.superseded':
      return `${event.type} by ${event.version}`;
    case 'action.accepted':
    case 'action.delayed':
      return `${event.type} ${event.action}`;
    case 'action.gave_up':
      return `${event.type} ${event.action} (${event.reason})`;
    case 'rollback.confirmed':
      return `${event.type} ${named(event.conditions)}`;
    case 'rollback.not_confirmed':
      return `${event.type} (${event.reason})`;
    default:
      return event satisfies never;
  }
}
