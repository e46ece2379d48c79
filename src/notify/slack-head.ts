// What the one message of a watch in Slack shows: the latest news, but while something critical is
// open that first, with its colour and its buttons. How things stand is kept in the receipts of the
// channel, so that it is known after a restart and on another replica. Pure.
import type { Message, Severity } from '../core/delivery.ts';
import { SLACK_BUTTONS, type SlackButton } from '../core/slack-button.ts';
import { objectOf } from './attempt.ts';
import { slackButtonsOf } from './slack-buttons.ts';
import { cutUnits, oneLine } from './text.ts';

/** How far a watch has come; it never goes back. */
const PHASES = ['watching', 'acting', 'over'] as const;
type Phase = (typeof PHASES)[number];
const PHASE_OF: Readonly<Record<string, Phase>> = {
  'watch.stopped': 'acting',
  'action.accepted': 'acting',
  'action.delayed': 'acting',
  'action.gave_up': 'acting',
  'rollback.confirmed': 'over',
  'rollback.not_confirmed': 'over',
  'watch.passed': 'over',
  'watch.inconclusive': 'over',
  'watch.cancelled': 'over',
  'watch.superseded': 'over',
};

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2 };
const HEADLINE_MAX = 200;

export type Standing = {
  /** Null: no message has said it. */
  readonly phase: Phase | null;
  /** What opened the incident: the worst of it, and the last time that there was more of it. */
  readonly open: {
    readonly severity: Severity;
    readonly headline: string;
    readonly atMs: number;
  } | null;
  readonly acknowledgedAtMs: number | null;
  readonly closedAtMs: number | null;
  /** The newest news. */
  readonly headline: string;
  readonly atMs: number;
};

/** The message of a watch in the channel. */
export type Head = {
  readonly channel: string;
  readonly ts: string;
  /** Counts what was told: the highest knows most. */
  readonly told: number;
  /** The delivery that it was posted for: that one has called people already. */
  readonly postedFor: string;
  readonly standing: Standing;
};

const UNKNOWN: Standing = {
  phase: null,
  open: null,
  acknowledgedAtMs: null,
  closedAtMs: null,
  headline: '',
  atMs: 0,
};

/** The same message told twice changes nothing the second time; an old one changes what it still can. */
export function standingAfter(before: Standing | null, message: Message): Standing {
  const known = before ?? { ...UNKNOWN, atMs: message.atMs };
  const isNews = message.atMs >= known.atMs;
  const headline = cutUnits(oneLine(message.headline), HEADLINE_MAX);
  return {
    ...known,
    ...(isNews ? { headline, atMs: message.atMs } : {}),
    phase: phaseAfter(known.phase, message),
    ...incidentAfter(known, message, headline),
  };
}

function phaseAfter(before: Phase | null, { kind }: Message): Phase | null {
  const isOpen = slackButtonsOf(kind).includes('stop');
  const said = PHASE_OF[kind] ?? (isOpen ? 'watching' : null);
  return PHASES.findLast((phase) => phase === before || phase === said) ?? null;
}

function incidentAfter(
  { open, acknowledgedAtMs, closedAtMs }: Standing,
  { kind, incident, severity, atMs }: Message,
  headline: string,
): Pick<Standing, 'open' | 'acknowledgedAtMs' | 'closedAtMs'> {
  if (incident === 'closes') {
    const isStillOpen = open !== null && open.atMs > atMs;
    const at = Math.max(closedAtMs ?? atMs, atMs);
    return { open: isStillOpen ? open : null, acknowledgedAtMs, closedAtMs: at };
  }
  if (incident === 'acknowledges') return { open, acknowledgedAtMs: atMs, closedAtMs };
  // A loud start (without its GO) is told, and nothing that would ever be over.
  const opens = incident === 'opens' || (severity === 'critical' && kind !== 'watch.started');
  if (!opens || (closedAtMs !== null && closedAtMs > atMs)) {
    return { open, acknowledgedAtMs, closedAtMs };
  }
  const isWorse = open === null || RANK[severity] > RANK[open.severity];
  const isAnew = isWorse || kind === 'escalation.called';
  const isForgotten = isAnew && acknowledgedAtMs !== null && atMs > acknowledgedAtMs;
  return {
    open: isWorse ? { severity, headline, atMs } : { ...open, atMs: Math.max(open.atMs, atMs) },
    acknowledgedAtMs: isForgotten ? null : acknowledgedAtMs,
    closedAtMs,
  };
}

/** The message as the head shows it. @param standing after it */
export function headMessage(message: Message, standing: Standing): Message {
  const { open } = standing;
  const { headline, lines, atMs, incident } = message;
  const isLate = atMs < standing.atMs && standing.headline !== '';
  const since = isLate ? [`Since then: ${standing.headline}`] : [];
  if (open === null || incident === 'closes') return { ...message, lines: [...since, ...lines] };
  const { severity } = open;
  if (severity !== 'critical') return { ...message, severity, lines: [...since, ...lines] };
  const isOpening = cutUnits(oneLine(headline), HEADLINE_MAX) === open.headline;
  const news = isOpening ? since : [...since, headline];
  return { ...message, severity, headline: open.headline, lines: [...news, ...lines] };
}

/** Whether the head has to change, even when the news is old. */
export function standsOtherwise(before: Standing, after: Standing): boolean {
  const key = ({ open, acknowledgedAtMs }: Standing) =>
    JSON.stringify([open?.severity, open?.headline, acknowledgedAtMs]);
  return key(before) !== key(after);
}

/** What somebody can do as things stand. */
export function headButtons(
  { kind }: Message,
  { phase, open, acknowledgedAtMs }: Standing,
): readonly SlackButton[] {
  if (phase === null) return slackButtonsOf(kind);
  const can: Readonly<Record<SlackButton, boolean>> = {
    acknowledge: open !== null && acknowledgedAtMs === null,
    stop: phase === 'watching',
    hold: phase !== 'over',
  };
  return SLACK_BUTTONS.filter((button) => can[button]);
}

/** Null: it is no receipt of this channel. */
export function headIn(receipt: string, channel: string): Head | null {
  const { channel: where, ts, atMs, told, postedFor, standing } = objectOf(receipt);
  if (where !== channel || typeof ts !== 'string') return null;
  const found = standingIn(standing);
  // Receipts of older versions know only when the news was.
  if (found === null && typeof atMs !== 'number') return null;
  return {
    channel,
    ts,
    told: typeof told === 'number' ? told : 0,
    postedFor: typeof postedFor === 'string' ? postedFor : '',
    standing: found ?? { ...UNKNOWN, atMs: Number(atMs) },
  };
}

function standingIn(value: unknown): Standing | null {
  const { phase, open, acknowledgedAtMs, closedAtMs, headline, atMs } = asObject(value);
  if (typeof atMs !== 'number') return null;
  const text = (found: unknown) => (typeof found === 'string' ? found : '');
  const time = (found: unknown) => (typeof found === 'number' ? found : null);
  const opened = asObject(open);
  const severity = (['critical', 'warning', 'info'] as const).find(
    (one) => one === opened['severity'],
  );
  return {
    phase: PHASES.find((one) => one === phase) ?? null,
    open:
      severity === undefined
        ? null
        : { severity, headline: text(opened['headline']), atMs: time(opened['atMs']) ?? atMs },
    acknowledgedAtMs: time(acknowledgedAtMs),
    closedAtMs: time(closedAtMs),
    headline: text(headline),
    atMs,
  };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}
