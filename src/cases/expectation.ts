// What a case expects of canaryd at a time, and whether what canaryd shows then is that.
import type { Message } from '../core/delivery.ts';
import { formatValue, parseQuantity } from '../core/quantity.ts';
import { BLIND_REASONS, type BlindReason } from '../core/sample.ts';
import { PHASES, type Phase } from '../core/watch.ts';
import type { ConditionView, WatchView } from '../engine/control.ts';
import type { Span } from './time.ts';

const STATES = ['inactive', 'pending', 'firing', 'blind'] as const;
type State = (typeof STATES)[number];
const VERIFICATIONS = ['none', 'waiting', 'verifying', 'confirmed', 'not_confirmed'] as const;
const ACTION_STATES = ['pending', 'accepted', 'gave_up'] as const;

/** Words of `expect` that name no indicator. */
export const EXPECT_WORDS = [
  'watch',
  'window',
  'armed',
  'actions',
  'verification',
  'message',
  'version',
] as const;

/** A value as written: right when it rounds to what is written. */
type Wanted = { readonly value: number; readonly tolerance: number };

export type Check =
  | {
      readonly kind: 'condition';
      /** An indicator, or a condition by its id. */
      readonly name: string;
      readonly state: State | null;
      readonly reason: BlindReason | null;
      readonly value: Wanted | null;
    }
  | { readonly kind: 'watch'; readonly phase: Phase }
  | { readonly kind: 'window'; readonly name: string }
  | { readonly kind: 'armed'; readonly text: string }
  | { readonly kind: 'verification'; readonly state: string }
  | { readonly kind: 'actions'; readonly sent: readonly string[] }
  | { readonly kind: 'action_states'; readonly states: Readonly<Record<string, string>> }
  | { readonly kind: 'message'; readonly parts: readonly string[] };

export type Expectation = Span & {
  /** `fill_rate` */
  readonly field: string;
  /** As written. */
  readonly text: string;
  readonly check: Check;
  /** Of that deploy; null: of the first one, and for `never` of every one. */
  readonly version: string | null;
};

type Written = string | number | readonly string[] | Readonly<Record<string, string>>;

export type CheckResult =
  | { readonly kind: 'check'; readonly check: Check }
  | { readonly kind: 'problem'; readonly wanted: string };

/** What is written beside a word or a name. Whether the name exists is not known here. */
export function checkOf(field: string, written: Written): CheckResult {
  const word = typeof written === 'string' ? written.trim() : null;
  switch (field) {
    case 'watch': {
      const phase = PHASES.find((known) => known === word);
      return phase ? made({ kind: 'watch', phase }) : wants(`one of ${PHASES.join(', ')}`);
    }
    case 'window':
      return word ? made({ kind: 'window', name: word }) : wants('the name of a window');
    case 'armed':
      return word !== null && /^\d+ of \d+$/.test(word)
        ? made({ kind: 'armed', text: word })
        : wants('how many of how many, such as 6 of 6');
    case 'verification':
      return VERIFICATIONS.some((known) => known === word)
        ? made({ kind: 'verification', state: word ?? '' })
        : wants(`one of ${VERIFICATIONS.join(', ')}`);
    case 'message': {
      const parts = typeof written === 'string' ? [written] : isList(written) ? written : [];
      return parts.length > 0 && parts.every((part) => part.trim() !== '')
        ? made({ kind: 'message', parts })
        : wants('a part of a message that was told by then, or a list of parts');
    }
    case 'actions':
      return actionsCheck(written);
    default:
      return conditionCheck(field, written);
  }
}

function isList(written: Written): written is readonly string[] {
  return Array.isArray(written);
}

function made(check: Check): CheckResult {
  return { kind: 'check', check };
}

function wants(wanted: string): CheckResult {
  return { kind: 'problem', wanted };
}

function actionsCheck(written: Written): CheckResult {
  const wanted = `a list of disarm and rollback that were sent by then, or how they stand ({ disarm: ${ACTION_STATES.join('|')} })`;
  if (isList(written)) {
    const known = written.every((name) => name === 'disarm' || name === 'rollback');
    return known ? made({ kind: 'actions', sent: written }) : wants(wanted);
  }
  if (typeof written !== 'object') return wants(wanted);
  const states = Object.entries(written);
  const known = states.every(
    ([name, state]) =>
      (name === 'disarm' || name === 'rollback') && ACTION_STATES.some((one) => one === state),
  );
  return known && states.length > 0
    ? made({ kind: 'action_states', states: written })
    : wants(wanted);
}

/** `firing`, `blind too_few`, `72%`, `firing 72%`. */
function conditionCheck(name: string, written: Written): CheckResult {
  const wanted = `${STATES.join(', ')}, with a reason after blind (${BLIND_REASONS.join(', ')}), or a value such as 72% or 10, or both: firing 72%`;
  if (typeof written === 'number') {
    const value = wantedOf(String(written));
    return value
      ? made({ kind: 'condition', name, state: null, reason: null, value })
      : wants(wanted);
  }
  if (typeof written !== 'string') return wants(wanted);
  const words = written.trim().split(/\s+/);
  const state = STATES.find((known) => known === words[0]) ?? null;
  if (state !== null) words.shift();
  const reason = state === 'blind' ? (BLIND_REASONS.find((one) => one === words[0]) ?? null) : null;
  if (reason !== null) words.shift();
  const rest = words.join('');
  const value = rest === '' ? null : wantedOf(rest);
  if ((rest !== '' && value === null) || (state === null && value === null)) return wants(wanted);
  return made({ kind: 'condition', name, state, reason, value });
}

function wantedOf(text: string): Wanted | null {
  const negative = text.startsWith('-') && !/^-[\d.]+%?$/.test(text);
  const quantity = parseQuantity(negative ? text.slice(1) : text);
  if (quantity === null) return null;
  const value = negative ? 0 - quantity.value : quantity.value;
  const [, , decimals = '', unit = ''] = /^-?(\d+)(?:\.(\d+))?(.*)$/.exec(text) ?? [];
  const half = parseQuantity(
    `${(0.5 * 10 ** -decimals.length).toFixed(decimals.length + 1)}${unit}`,
  );
  // Nothing is nothing: a share of 0.3 is not 0.
  const tolerance = value === 0 && unit === '' ? 0 : (half?.value ?? 0);
  return { value, tolerance: tolerance + 1e-9 * Math.abs(value) + 1e-12 };
}

/** What canaryd shows of one watch at a time. */
export type Seen = {
  readonly sinceMs: number;
  readonly view: WatchView;
  readonly messages: readonly Message[];
  /** Ids of the conditions that are judged now; after the end: that were judged at the end. */
  readonly judged: ReadonlySet<string>;
};

export type Judged = { readonly isMet: boolean; readonly got: string };

export function judge(check: Check, seen: Seen): Judged {
  const { view } = seen;
  switch (check.kind) {
    case 'watch':
      return { isMet: view.phase === check.phase, got: view.phase };
    case 'window':
      return { isMet: view.window === check.name, got: view.window ?? 'no window yet' };
    case 'armed': {
      const got = `${view.armed.seen} of ${view.armed.total}`;
      return { isMet: got === check.text, got };
    }
    case 'verification':
      return { isMet: view.verification === check.state, got: view.verification };
    case 'actions': {
      const sent = view.actions.filter(({ attempts }) => attempts > 0).map(({ action }) => action);
      const isMet =
        sent.length === check.sent.length && check.sent.every((name) => sent.includes(name));
      return { isMet, got: `[${sent.join(', ')}]` };
    }
    case 'action_states': {
      const stateOf = (name: string) => stateOfAction(name, seen) ?? 'not planned';
      const names = Object.keys(check.states);
      const got = names.map((name) => `${name}: ${stateOf(name)}`).join(', ');
      return { isMet: names.every((name) => stateOf(name) === check.states[name]), got };
    }
    case 'message':
      return judgeMessage(check.parts, seen.messages);
    case 'condition':
      return judgeCondition(check, seen);
    default:
      return check satisfies never;
  }
}

/** Whether what may never be so is so: one condition, one action, one part is enough. */
export function happens(check: Check, seen: Seen): Judged {
  switch (check.kind) {
    case 'condition': {
      const found = candidates(check.name, seen).find((view) => isAsWanted(check, view));
      return { isMet: found !== undefined, got: found === undefined ? '' : shown(found) };
    }
    case 'actions': {
      const sent = seen.view.actions.filter(({ attempts }) => attempts > 0);
      const found = sent.find(({ action }) => check.sent.includes(action));
      return { isMet: found !== undefined, got: `${found?.action} was sent` };
    }
    case 'action_states': {
      const found = Object.entries(check.states).find(
        ([name, state]) => stateOfAction(name, seen) === state,
      );
      return { isMet: found !== undefined, got: found === undefined ? '' : found.join(': ') };
    }
    case 'message': {
      const one = check.parts.map((part) => judgeMessage([part], seen.messages));
      const found = one.find(({ isMet }) => isMet);
      return found ?? { isMet: false, got: '' };
    }
    default:
      return judge(check, seen);
  }
}

function stateOfAction(name: string, { view }: Seen): string | undefined {
  return view.actions.find(({ action }) => action === name)?.state;
}

export function messageText({ severity, headline, lines, fields, next }: Message): string {
  const pairs = fields.map(([title, value]) => `${title}: ${value}`);
  return [`${severity}: ${headline}`, ...lines, ...pairs, ...(next === null ? [] : [next])].join(
    '\n',
  );
}

/** Messages with all of the parts. */
export function messagesWith(
  parts: readonly string[],
  messages: readonly Message[],
): readonly Message[] {
  return messages.filter((message) => parts.every((part) => messageText(message).includes(part)));
}

function judgeMessage(parts: readonly string[], messages: readonly Message[]): Judged {
  const [found] = messagesWith(parts, messages);
  if (found !== undefined) return { isMet: true, got: `"${found.headline}"` };
  const told = messages.map(({ headline }) => `"${headline}"`).slice(-3);
  return { isMet: false, got: told.length === 0 ? 'nothing was told' : `told: ${told.join(', ')}` };
}

const WORST: readonly ConditionView['state'][] = [
  'firing',
  'pending',
  'blind',
  'inactive',
  'waiting',
];

/** What is meant by an id, or by an indicator: those of its conditions that are judged now. */
export function candidates(
  name: string,
  { view, judged }: Pick<Seen, 'view' | 'judged'>,
): readonly ConditionView[] {
  const byId = view.conditions.filter(({ condition }) => condition === name);
  if (byId.length > 0) return byId;
  return view.conditions.filter(
    ({ indicator, condition }) => indicator === name && judged.has(condition),
  );
}

function judgeCondition(check: Extract<Check, { kind: 'condition' }>, seen: Seen): Judged {
  const all = candidates(check.name, seen);
  const worst = all.toSorted((a, b) => WORST.indexOf(a.state) - WORST.indexOf(b.state))[0];
  if (worst === undefined) return { isMet: false, got: 'not judged at this time' };
  return { isMet: isAsWanted(check, worst), got: shown(worst) };
}

function isAsWanted(
  { state, reason, value }: Extract<Check, { kind: 'condition' }>,
  view: ConditionView,
): boolean {
  if (state !== null && view.state !== state) return false;
  if (reason !== null && view.blindReason !== reason) return false;
  if (value === null) return true;
  // A blind condition shows what it saw last: that is no value of now.
  if (view.state === 'blind' || view.value === null) return false;
  return Math.abs(view.value - value.value) <= value.tolerance;
}

function shown({ state, now, value, unit }: ConditionView): string {
  if (state === 'waiting') return 'not judged yet';
  if (state === 'blind') return now;
  return `${state} ${value === null ? '' : now || formatValue(value, unit)}`.trim();
}
