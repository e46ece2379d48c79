// Calls until somebody looks after it: when they are made, when they end, and their words. Planned
// with the event that opens a critical incident or acknowledges it; ended by the state of the watch.
import type { Message, NewDelivery } from './delivery.ts';
import type { WatchEvent } from './event.ts';
import { linksOf } from './message.ts';
import { subject, type TellContext } from './message-draft.ts';
import type { ActionName } from './policy.ts';
import type { WatchState } from './watch.ts';
import { conditionNow } from './wording.ts';

export type Escalation = {
  /** At least one, the soonest first; `afterMs` counts from the beginning of a round. */
  readonly steps: readonly { readonly afterMs: number; readonly channels: readonly string[] }[];
  /** How often all steps are gone through; a round ends with its last step. */
  readonly rounds: number;
  /** Not confirmed this long after an acknowledgement: the calls begin again. */
  readonly acknowledgedForMs: number;
};

/** A planned call: the event that its chain began with, and its place in the chain. */
export type Call = { readonly seq: number; readonly number: number; readonly of: number };

export const CALL_KIND = 'escalation.called';
/** The last call is worth making for a day, an earlier one until the next one takes its place. */
const LAST_CALL_DEADLINE_MS = 24 * 3_600_000;
const CALL_ATTEMPTS_MAX = 3_000;

type Context = Omit<TellContext, 'publicUrl'> & Partial<Pick<TellContext, 'publicUrl'>>;

export function planCalls(
  event: WatchEvent,
  context: TellContext,
  escalation: Escalation | null,
): readonly NewDelivery[] {
  const { critical } = context.state;
  if (escalation === null || critical === null) return [];
  const isFinal = !acknowledgementLapses(context.state);
  const chain = chainOf(isFinal ? { ...critical, acknowledged: null } : critical, escalation);
  // Everything else is a part of the chain that an earlier event began.
  if (chain === null || chain.seq !== event.seq) return [];
  const times = callTimes(escalation, chain.sinceMs);
  return times.flatMap(({ atMs, channels }, index) =>
    channels.map((channel): NewDelivery => {
      const call = { seq: event.seq, number: index + 1, of: times.length };
      const next = times.slice(index + 1).find((later) => later.channels.includes(channel));
      return {
        id: `${context.watchId}-c${call.number}-e${event.seq}-${channel}`,
        watchId: context.watchId,
        content: {
          kind: 'message',
          channel,
          message: callMessage(call, atMs, event.atMs, context),
          call,
        },
        createdAtMs: event.atMs,
        notBeforeMs: atMs,
        afterDelivery: null,
        deadlineAtMs: next?.atMs ?? atMs + LAST_CALL_DEADLINE_MS,
        attemptsMax: CALL_ATTEMPTS_MAX,
      };
    }),
  );
}

/** The present chain; until it has ended it takes what comes up into itself. */
function chainOf(
  { openings, acknowledged }: NonNullable<WatchState['critical']>,
  { acknowledgedForMs, steps, rounds }: Escalation,
): { readonly seq: number; readonly sinceMs: number } | null {
  const lengthMs = rounds * (steps.at(-1)?.afterMs ?? 0);
  // The first call comes with the end of the acknowledgement.
  const lapsesMs = acknowledgedForMs - (steps[0]?.afterMs ?? 0);
  let chain =
    acknowledged === null ? null : { seq: acknowledged.seq, sinceMs: acknowledged.atMs + lapsesMs };
  for (const { seq, atMs } of openings) {
    if (chain === null || atMs >= chain.sinceMs + lengthMs) chain = { seq, sinceMs: atMs };
  }
  return chain;
}

/** Where nothing can be confirmed an acknowledgement is the last word. */
export function acknowledgementLapses({ verification }: WatchState): boolean {
  return verification.kind !== 'none';
}

function callTimes({ steps, rounds }: Escalation, sinceMs: number) {
  const roundMs = steps.at(-1)?.afterMs ?? 0;
  return Array.from({ length: rounds }, (_, round) =>
    steps.map(({ afterMs, channels }) => ({
      atMs: sinceMs + round * roundMs + afterMs,
      channels,
    })),
  ).flat();
}

/** Why a call is not made any more; null: it is made. */
export function callEnded(
  { critical }: WatchState,
  { seq }: Call,
): { readonly reason: 'acknowledged' | 'resolved'; readonly detail: string } | null {
  const { acknowledged = null, openings = [] } = critical ?? {};
  if (acknowledged !== null && acknowledged.seq > seq) {
    const by = `acknowledged by ${acknowledged.by} at ${utc(acknowledged.atMs)}`;
    return { reason: 'acknowledged', detail: `${by}; it was not sent` };
  }
  // What it was about may be resolved, and something else be open now, with calls of its own.
  const isPresent = acknowledged?.seq === seq || openings.some((opening) => opening.seq === seq);
  if (isPresent) return null;
  return { reason: 'resolved', detail: 'what it was about is not open any more; it was not sent' };
}

function callMessage(call: Call, atMs: number, sinceMs: number, context: TellContext): Message {
  const { state, watchId } = context;
  const { deploy, critical } = state;
  const by = critical?.acknowledged?.seq === call.seq ? critical.acknowledged.by : null;
  const silence =
    by === null
      ? `nobody has answered since ${utc(sinceMs)}`
      : `still open, ${by} took it at ${utc(sinceMs)}`;
  const headline = `CALL ${call.number} of ${call.of}, ${silence}: ${subject(context)} was STOPPED`;
  return {
    kind: CALL_KIND,
    severity: 'critical',
    headline: [...headline].slice(0, 150).join(''),
    lines: callLines(context),
    fields: [],
    next: `Say that you look after it, and the calls end: canaryd ack ${watchId} --reason "..."`,
    links: linksOf(context),
    watchId,
    atMs,
    incident: 'opens',
    ...(deploy === null
      ? {}
      : {
          deploy: {
            service: deploy.service,
            environment: deploy.environment,
            version: deploy.version,
            previousVersion: deploy.previousVersion,
          },
        }),
  };
}

/** What stopped it, and how far what canaryd does about it has come. */
export function callLines({ state, policy }: Context): readonly string[] {
  const { stop, actions, verification } = state;
  const cause = stop?.conditions.map((evidence) => conditionNow(policy, evidence)) ?? [];
  const why = cause.length > 0 ? cause : stop === null ? [] : [`${stop.by}: ${stop.reason}`];
  const done = (['disarm', 'rollback'] as const satisfies readonly ActionName[]).flatMap((name) => {
    const was = actions[name];
    return was === undefined ? [] : [`${name} ${WORDS[was]}`];
  });
  const proof = PROOFS[verification.kind];
  const now = [...done, ...(proof === null ? [] : [proof])].join(', ');
  return [...why, now === '' ? 'canaryd has sent nothing: act by hand.' : `So far: ${now}.`];
}

const WORDS = { pending: 'is being sent', accepted: 'accepted', gave_up: 'NOT DONE' } as const;
const PROOFS = {
  none: null,
  waiting: 'not confirmed yet',
  verifying: 'not confirmed yet',
  confirmed: 'confirmed',
  not_confirmed: 'NOT CONFIRMED',
} as const;

function utc(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 16)} UTC`;
}
