// What people are told, in plain text: from an event to a message. Each channel escapes, formats
// and cuts it. Written for somebody who was just woken: what, how bad, is it this deploy, what
// canaryd does about it, what to do.
import type { Message } from './delivery.ts';
import type { Deploy } from './deploy.ts';
import type { WatchEvent } from './event.ts';
import { acted, human } from './message-action.ts';
import { sight, warning } from './message-condition.ts';
import type { Draft, TellContext } from './message-draft.ts';
import { signing } from './message-sign-off.ts';
import { ended, started, stopped } from './message-verdict.ts';
import { roughDuration } from './quantity.ts';

/** @returns null when nobody needs to be told */
export function tell(event: WatchEvent, context: TellContext): Message | null {
  const draft = draftOf(event, context);
  if (draft === null) return null;
  const { deploy, incident } = context.state;
  const step = incident?.last.seq === event.seq ? incident.last.step : null;
  return {
    kind: event.type,
    severity: draft.severity,
    headline: cut(draft.headline, 150),
    lines: draft.lines ?? [],
    fields: fieldsOf(event, context),
    next: draft.next ?? null,
    links: linksOf(context),
    watchId: context.watchId,
    atMs: event.atMs,
    ...(deploy === null ? {} : { deploy: named(deploy) }),
    ...(step === null ? {} : { incident: step }),
    ...(draft.cause === undefined ? {} : { cause: draft.cause }),
  };
}

function named({ service, environment, version, previousVersion, deployedAtMs }: Deploy) {
  return { service, environment, version, previousVersion, deployedAtMs };
}

function draftOf(event: WatchEvent, context: TellContext): Draft | null {
  switch (event.type) {
    case 'watch.started':
      return started(event, context);
    case 'watch.stopped':
      return stopped(event, context);
    case 'watch.passed':
    case 'watch.inconclusive':
    case 'watch.cancelled':
    case 'watch.superseded':
      return ended(event, context);
    case 'watch.armed':
    case 'watch.unarmed':
    case 'conditions.blinded':
    case 'conditions.sighted':
    case 'watch.resumed':
      return sight(event, context);
    case 'condition.warned':
    case 'condition.recovered':
    case 'condition.pre_existing':
      return warning(event, context);
    case 'action.accepted':
    case 'action.delayed':
    case 'action.gave_up':
    case 'rollback.confirmed':
    case 'rollback.not_confirmed':
      return acted(event, context);
    case 'watch.acknowledged':
    case 'watch.resolved':
    case 'watch.extended':
    case 'watch.held':
    case 'watch.released':
      return human(event, context);
    case 'watch.sign_off_due':
    case 'watch.signed':
      return signing(event, context);
    case 'watch.baselined':
    case 'window.entered':
      return null;
    default:
      return event satisfies never;
  }
}

function fieldsOf(event: WatchEvent, { state, policy }: TellContext): Message['fields'] {
  const { deploy } = state;
  if (deploy === null) return [];
  const fields: [string, string][] = [
    ['Version', `${deploy.previousVersion ?? 'unknown'} → ${deploy.version}`],
    ['Since the deploy', roughDuration(Math.max(0, event.atMs - deploy.deployedAtMs))],
  ];
  if (state.window !== null) fields.push(['Window', state.window]);
  if (deploy.by !== null) fields.push(['Deployed by', deploy.by]);
  fields.push(['Policy', policy.name]);
  return fields;
}

export function linksOf({ state, policy, publicUrl, watchId }: TellContext): Message['links'] {
  const links = [];
  if (publicUrl !== null) {
    links.push({ label: 'Watch', url: `${publicUrl}/watches/${watchId}` });
  }
  if (policy.dashboard !== null) links.push({ label: 'Dashboard', url: policy.dashboard });
  if (policy.runbook !== null) links.push({ label: 'Runbook', url: policy.runbook });
  if (state.deploy?.url) links.push({ label: 'Pipeline', url: state.deploy.url });
  return links;
}

/** By code point, so that no character is torn. */
function cut(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}
