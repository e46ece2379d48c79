// Variants of the code that are broken on purpose: each must be caught, or the simulation proves
// nothing. A variant removes every guard of one rule: what one guard alone holds is the point of
// having two. The texts to find occur exactly once in their files (held by sim.test.ts).

import { DECIDER } from './broken-decider.ts';
import { ROUTING } from './broken-routing.ts';

export type Broken = {
  readonly name: string;
  /** The first seed from 1 on that catches it. */
  readonly seed: number;
  /** As what the checker sees it first: an invariant, or a rule of judgement. */
  readonly rule: string;
  readonly what: string;
  readonly edits: readonly {
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  }[];
};

const ENGINE: readonly Broken[] = [
  {
    name: 'deliveries-apart',
    seed: 1,
    rule: 'R5',
    what: 'deliveries are written in a second transaction after their events',
    edits: [
      {
        file: 'src/engine/ledger.ts',
        find: "if ((await this.#journal.append([draft.append])) === 'conflict') continue;",
        replace: `const { deliveries, ...first } = draft.append;
      if ((await this.#journal.append([{ ...first, deliveries: [] }])) === 'conflict') continue;
      const { tick, updates, giveUpActions, ...second } = draft.append;
      await this.#journal.append([
        { ...second, events: [], expectedRevision: draft.fields.revision },
      ]);`,
      },
    ],
  },
  {
    name: 'closed-unchecked',
    seed: 524,
    rule: 'J4',
    what: 'a human stop does not look whether the watch is still open after a conflict',
    edits: [
      {
        file: 'src/engine/commands.ts',
        find: `      if (state.phase !== 'watching') throw refusals.closed(id, state.phase);
      if (state.mode === 'observe') {`,
        replace: `      if (state.mode === 'observe') {`,
      },
      {
        file: 'src/journal/refusal.ts',
        find: "    if (phase !== 'watching' && !mayFollowTheEnd(type)) throw new Refused();\n",
        replace: '',
      },
      {
        file: 'src/journal/refusal.ts',
        find: "  if (stored !== 'watching') throw new Refused();\n",
        replace: '',
      },
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: "RAISE(ABORT, 'a closed watch stays closed (J4)')",
        replace: '1',
      },
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: "CREATE UNIQUE INDEX one_stop ON events (watch_id) WHERE type = 'watch.stopped';",
        replace: '',
      },
    ],
  },
  {
    name: 'attempt-unwritten',
    seed: 1,
    rule: 'J1',
    what: 'an action is sent before its attempt is written',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'const isBegun = await journal.startAttempt(delivery.id, attempts, clock.now(), replica);',
        replace: 'const isBegun = true;',
      },
      {
        file: 'src/engine/dispatcher.ts',
        find: '    await this.#outcomes.inTheEnd([begun], outcome, this.#aborting.signal);',
        replace:
          '    const { clock, journal, replica } = this.#options;\n    await journal.startAttempt(begun.id, begun.attempts, clock.now(), replica);\n    await this.#outcomes.inTheEnd([begun], outcome, this.#aborting.signal);',
      },
    ],
  },
  {
    name: 'new-id-per-attempt',
    seed: 1,
    rule: 'J1',
    what: 'each attempt goes out under an id of its own',
    edits: [
      {
        file: 'src/engine/action-sender.ts',
        find: 'return this.#options.sendAction(delivery, standing.action, standing.values, signal);',
        replace:
          'return this.#options.sendAction({ ...delivery, id: `${delivery.id}-${delivery.attempts}` }, standing.action, standing.values, signal);',
      },
    ],
  },
  {
    name: 'hold-not-asked',
    seed: 175,
    rule: 'hold',
    what: 'attempts begin although hold fire is on',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: '      const held = await this.#options.hold();',
        replace: '      const held = null as Hold | null;',
      },
    ],
  },
  {
    name: 'stop-ignores-hold',
    seed: 468,
    rule: 'hold',
    what: 'a tick stops and acts although hold fire is on',
    edits: [
      {
        file: 'src/engine/watcher.ts',
        find: 'const isHeld = (await hold()) !== null;',
        replace: 'const isHeld = (await hold()) === undefined;',
      },
    ],
  },
  {
    name: 'attempts-past-deadline',
    seed: 83,
    rule: 'J5',
    what: 'attempts begin after the deadline of the delivery',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (this.#options.clock.now() > delivery.deadlineAtMs) {',
        replace: 'if (this.#options.clock.now() > delivery.deadlineAtMs + 3_600_000) {',
      },
      {
        file: 'src/engine/outcome-writer.ts',
        find: 'if (nextAtMs > deadlineAtMs) return',
        replace: 'if (nextAtMs > deadlineAtMs + 3_600_000) return',
      },
    ],
  },
  {
    name: 'attempts-unbounded',
    seed: 1,
    rule: 'J5',
    what: 'an action is tried as often as it likes',
    edits: [
      {
        file: 'src/engine/outcome-writer.ts',
        find: 'if (attempts >= attemptsMax) return all(',
        replace: 'if (attempts >= 1_000 + attemptsMax) return all(',
      },
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: 'CHECK (attempts BETWEEN 0 AND attempts_max)',
        replace: 'CHECK (attempts >= 0)',
      },
      {
        file: 'src/journal/sqlite/attempts.ts',
        find: ' AND attempts < attempts_max`',
        replace: '`',
      },
    ],
  },
  {
    name: 'in-flight-forgotten',
    seed: 8,
    rule: 'told',
    what: 'what a crashed life was sending is never looked at again',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: '(inFlight && share.isOthers(holder))',
        replace: '(inFlight && holder !== this.#options.replica)',
      },
    ],
  },
  {
    name: 'lane-loses',
    seed: 12,
    rule: 'told',
    what: 'a message that failed once is never tried again',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: '      if (isDue(delivery, nowMs)) {\n        this.#flyTogether(',
        replace:
          '      if (isDue(delivery, nowMs) && delivery.attempts < 2) {\n        this.#flyTogether(',
      },
    ],
  },
  {
    name: 'repeat-unmarked',
    seed: 8,
    rule: 'told',
    what: 'a message that may have been seen does not say so',
    edits: [
      {
        file: 'src/engine/message-sender.ts',
        find: 'repeatMarked(told, begun), signal',
        replace: 'told, signal',
      },
    ],
  },
  {
    name: 'outcome-unread',
    seed: 12,
    rule: 'J7',
    what: 'a time-out counts as delivered',
    edits: [
      {
        file: 'src/engine/outcome-writer.ts',
        find: "if (outcome.kind === 'delivered') return all(null);",
        replace:
          "if (outcome.kind === 'delivered' || outcome.reason === 'timeout') return all(null);",
      },
    ],
  },
  {
    name: 'lease-ignored',
    seed: 11,
    rule: 'lease',
    what: 'what another living replica is sending is sent as well',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (!share.isCurrent() || (inFlight && share.isOthers(holder))) return false;',
        replace: '',
      },
      {
        file: 'src/engine/dispatcher.ts',
        find: "return share.owns(content.kind === 'action' ? watchId : `channel ${content.channel}`);",
        replace: 'return watchId !== null;',
      },
    ],
  },
  {
    name: 'twin-accepted',
    seed: 6,
    rule: 'twin',
    what: 'a moment that another replica judged is judged again',
    edits: [
      {
        file: 'src/engine/watcher.ts',
        find: 'return track !== null && Math.abs(atMs - track.atMs) < intervalMs / 2;',
        replace: 'return track !== null && Math.abs(atMs - track.atMs) < 0 * intervalMs;',
      },
    ],
  },
  {
    name: 'superseded-acts',
    seed: 3,
    rule: 'J7',
    what: 'a newer deploy does not call off the rollback of the old one',
    edits: [
      {
        file: 'src/engine/starting.ts',
        find: 'const giveUp = givesUpActions',
        replace: 'const giveUp = givesUpActions && id === null',
      },
    ],
  },
];

const JOURNAL: readonly Broken[] = [
  {
    name: 'revision-unchecked',
    seed: 6,
    rule: 'J7',
    what: 'an append does not look at the revision',
    edits: [
      {
        file: 'src/journal/sqlite/append.ts',
        find: "if (watch === null || watch.integer('revision') !== batch.expectedRevision) throw new Refused();",
        replace: 'if (watch === null) throw new Refused();',
      },
      {
        file: 'src/journal/sqlite/append.ts',
        find: '      batch.expectedRevision + index + 1,',
        replace:
          "      (sql.one('SELECT max(seq) AS seq FROM events WHERE watch_id = ?', batch.watchId)?.integerOrNull('seq') ?? 0) + 1,",
      },
    ],
  },
  {
    name: 'track-unchecked',
    seed: 6,
    rule: 'J7',
    what: 'a tick goes on from a track that has moved',
    edits: [
      {
        file: 'src/journal/sqlite/append.ts',
        find: '  if (storedAtMs !== (previousAtMs === null ? null : wholeMs(previousAtMs))) throw new Refused();\n',
        replace: '  void [storedAtMs, previousAtMs];\n',
      },
    ],
  },
  {
    name: 'overtaken-update',
    seed: 53,
    rule: 'J5',
    what: 'the outcome of an attempt that was overtaken counts',
    edits: [
      {
        file: 'src/journal/sqlite/append.ts',
        find: "AND (attempts = ? OR ? = 'delivered')",
        replace: "AND (attempts >= ? OR ? = 'delivered')",
      },
      {
        file: 'src/engine/outcome-writer.ts',
        find: "    if (stored.attempts !== attempts && outcome.kind !== 'delivered') return null;\n",
        replace: '',
      },
    ],
  },
  {
    name: 'ended-changes',
    seed: 137,
    rule: 'J5',
    what: 'a delivery that has ended is begun again',
    edits: [
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: "RAISE(ABORT, 'a delivery that has ended never changes (J5)')",
        replace: '1',
      },
      {
        file: 'src/journal/sqlite/attempts.ts',
        find: "WHERE id = ? AND state = 'pending' AND attempts + 1 = ?",
        replace: 'WHERE id = ? AND attempts + 1 = ?',
      },
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: "CHECK (state = 'pending' OR in_flight = 0)",
        replace: 'CHECK (in_flight >= 0)',
      },
    ],
  },
  {
    name: 'attempt-unnumbered',
    seed: 21,
    rule: 'J5',
    what: 'two replicas may begin the same attempt',
    edits: [
      {
        file: 'src/journal/sqlite/attempts.ts',
        find: "AND state = 'pending' AND attempts + 1 = ? AND attempts < attempts_max`",
        replace: "AND state = 'pending' AND attempts + 1 >= ? AND attempts < attempts_max`",
      },
    ],
  },
  {
    name: 'two-open-watches',
    seed: 2,
    rule: 'J2',
    what: 'a start neither ends the watch before it nor is refused beside it',
    edits: [
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: 'CREATE UNIQUE INDEX one_open_watch ON watches',
        replace: 'CREATE INDEX one_open_watch ON watches',
      },
      {
        file: 'src/engine/ledger.ts',
        find: 'const batches = [...others.map(({ append }) => append), { ...mine.append, create: watch }];',
        replace:
          'const batches = [...others.slice(0, 0).map(({ append }) => append), { ...mine.append, create: watch }];',
      },
    ],
  },
  {
    name: 'give-up-forgotten',
    seed: 3,
    rule: 'J7',
    what: 'actions that are called off stay pending in the store',
    edits: [
      {
        file: 'src/journal/sqlite/append.ts',
        find: '  if (batch.giveUpActions === undefined) return;',
        replace: '  if (batch.giveUpActions === undefined || plannedBefore >= 0) return;',
      },
    ],
  },
  {
    name: 'half-committed',
    seed: 47,
    rule: 'J7',
    what: 'an append that fails half-way stays half written',
    edits: [
      {
        file: 'src/journal/sqlite/sql.ts',
        find: "'COMMIT');\n      return result;\n    } catch (error) {\n      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');",
        replace:
          "'COMMIT');\n      return result;\n    } catch (error) {\n      if (this.#db.isTransaction) this.#db.exec('COMMIT');",
      },
    ],
  },
];

export const VARIANTS: readonly Broken[] = [...DECIDER, ...ENGINE, ...JOURNAL, ...ROUTING];
