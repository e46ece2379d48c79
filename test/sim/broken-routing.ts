// Variants of routing, broken on purpose: see broken.ts.
import type { Broken } from './broken.ts';

export const ROUTING: readonly Broken[] = [
  {
    name: 'critical-held',
    seed: 3,
    rule: 'R1',
    what: 'what is critical is held in the quiet hours',
    edits: [
      {
        file: 'src/core/route.ts',
        find: "quietHours === null || message.severity === 'critical' || choice",
        replace: 'quietHours === null || choice',
      },
    ],
  },
  {
    name: 'critical-silent',
    seed: 74,
    rule: 'R1',
    what: 'a silent route silences what is critical as well',
    edits: [
      {
        file: 'src/core/route.ts',
        find: "message.severity === 'critical' || choice === 'ignore'",
        replace: "(message.severity === 'critical' && choice !== 'silent') || choice === 'ignore'",
      },
    ],
  },
  {
    name: 'night-lost',
    seed: 36,
    rule: 'R2',
    what: 'a digest that was being sent when canaryd ended is not sent again',
    edits: [
      {
        file: 'src/engine/lanes.ts',
        find: 'VERDICTS.includes(kind) || isOfMany;',
        replace: 'VERDICTS.includes(kind) || (isOfMany && isMerged(content.message));',
      },
    ],
  },
  {
    name: 'night-cut-short',
    seed: 64,
    rule: 'R2',
    what: 'what is held for long is taken for a clock that was set back, and sent',
    edits: [
      {
        file: 'src/core/delivery.ts',
        find: 'isHeld ? HELD_MAX_MS : ',
        replace: 'isHeld ? 0 * HELD_MAX_MS : ',
      },
    ],
  },
  {
    name: 'clock-change-missed',
    seed: 3,
    rule: 'R2',
    what: 'quiet hours end an hour off in the night in which the clock is changed',
    edits: [
      {
        file: 'src/core/quiet.ts',
        find: 'minutes += Math.min(left, STEP_MINUTES - (minutes % STEP_MINUTES));',
        replace: 'minutes += left;',
      },
    ],
  },
  {
    name: 'exception-held',
    seed: 7,
    rule: 'R2',
    what: 'channels under `except` are held like the others',
    edits: [
      {
        file: 'src/core/plan.ts',
        find: 'neverQuiet.includes(channel) ||',
        replace: '(neverQuiet.includes(channel) && channel === null) ||',
      },
    ],
  },
  {
    name: 'news-of-a-stop-held',
    seed: 3,
    rule: 'R2',
    what: 'who was woken by a stop hears in the morning what came of it',
    edits: [
      {
        file: 'src/core/route.ts',
        find: "choice === 'silent' || state?.phase === 'stopped'",
        replace: "choice === 'silent' || (state?.phase === 'stopped' && quietHours === null)",
      },
    ],
  },
  {
    name: 'digest-for-each-watch',
    seed: 17,
    rule: 'R2',
    what: 'a night is told in several digests',
    edits: [
      {
        file: 'src/engine/lanes.ts',
        find: 'if (heldUntilMs !== undefined) return HELD;',
        replace: 'if (heldUntilMs !== undefined) return `${HELD} ${message.watchId}`;',
      },
    ],
  },
  {
    name: 'call-after-acknowledgement',
    seed: 36,
    rule: 'R3',
    what: 'calls go on after somebody has acknowledged',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (ended !== null) return refuse(ended.reason, ended.detail);',
        replace: "if (ended?.reason === 'resolved') return refuse(ended.reason, ended.detail);",
      },
    ],
  },
  {
    name: 'call-after-confirmation',
    seed: 5,
    rule: 'R3',
    what: 'calls go on after the rollback was confirmed',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (ended !== null) return refuse(ended.reason, ended.detail);',
        replace: "if (ended?.reason === 'acknowledged') return refuse(ended.reason, ended.detail);",
      },
    ],
  },
  {
    name: 'acknowledged-for-ever',
    seed: 36,
    rule: 'R3',
    what: 'calls never begin again after an acknowledgement',
    edits: [
      {
        file: 'src/core/escalation.ts',
        find: 'acknowledged === null ? null : { seq',
        replace: 'acknowledged === null || steps.length > 0 ? null : { seq',
      },
    ],
  },
  {
    name: 'one-round-only',
    seed: 5,
    rule: 'R3',
    what: 'the second round of calls is missing',
    edits: [
      {
        file: 'src/core/escalation.ts',
        find: 'Array.from({ length: rounds }',
        replace: 'Array.from({ length: Math.min(1, rounds) }',
      },
    ],
  },
  {
    name: 'chain-for-each-failure',
    seed: 45,
    rule: 'R3',
    what: 'each thing that fails begins calls of its own beside those that run',
    edits: [
      {
        file: 'src/core/escalation.ts',
        find: 'if (chain === null || atMs >= chain.sinceMs + lengthMs) chain',
        replace: 'if (chain === null || atMs >= chain.sinceMs + 0 * lengthMs) chain',
      },
    ],
  },
  {
    name: 'old-chain-wakes',
    seed: 107,
    rule: 'R3',
    what: 'what fails after the confirmation wakes the calls of before as well',
    edits: [
      {
        file: 'src/core/escalation.ts',
        find: '  if (isPresent) return null;',
        replace: '  if (isPresent || critical !== null) return null;',
      },
    ],
  },
  {
    name: 'storm-apart',
    seed: 45,
    rule: 'R4',
    what: 'the messages of a storm are sent one by one',
    edits: [
      {
        file: 'src/engine/lanes.ts',
        find: 'return isMerged(message) ? message.kind : null;',
        replace: "return isMerged(message) && message.kind === '' ? message.kind : null;",
      },
    ],
  },
  {
    name: 'only-the-first-counts',
    seed: 4,
    rule: 'R2',
    what: 'of the messages that went out as one, one only is written down as delivered',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'await this.#outcomes.inTheEnd(begun, outcome, this.#aborting.signal);',
        replace: 'await this.#outcomes.inTheEnd([first], outcome, this.#aborting.signal);',
      },
    ],
  },
  {
    name: 'pager-merged',
    seed: 23,
    rule: 'R4',
    what: 'messages are put together for a channel that keeps an incident for each watch',
    edits: [
      {
        file: 'src/engine/lanes.ts',
        find: 'if (channels[channel]?.merges?.(message) === false) return null;',
        replace: 'void channels[channel];',
      },
    ],
  },
  {
    name: 'last-route-wins',
    seed: 26,
    rule: 'R2',
    what: 'the last route that fits wins, not the first',
    edits: [
      {
        file: 'src/core/route.ts',
        find: 'routes.find((candidate)',
        replace: 'routes.findLast((candidate)',
      },
    ],
  },
];
