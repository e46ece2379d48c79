// Variants of the code that are broken on purpose: each must be caught, or the simulation proves
// nothing. The texts to find occur exactly once in their files (held by sim.test.ts).

export type Broken = {
  readonly name: string;
  /** What it breaks: an invariant, or a rule of judgement. */
  readonly rule: string;
  readonly what: string;
  readonly edits: readonly {
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  }[];
};

const DECIDER: readonly Broken[] = [
  {
    name: 'pass-without-coverage',
    rule: 'J6',
    what: 'a watch passes however little was seen',
    edits: [
      {
        file: 'src/core/coverage.ts',
        find: 'seen === undefined || isEnough(condition, seen, policy)',
        replace: 'seen === undefined || isEnough(condition, seen, policy) || seen >= 0',
      },
    ],
  },
  {
    name: 'blind-is-good',
    rule: 'J6',
    what: 'a pass condition that is blind counts as met',
    edits: [
      {
        file: 'src/core/decide.ts',
        find: "passes.every(({ id }) => conditions[id]?.state === 'firing')",
        replace: "passes.every(({ id }) => /firing|blind/.test(conditions[id]?.state ?? ''))",
      },
    ],
  },
  {
    name: 'pass-at-once',
    rule: 'J6',
    what: 'a pass does not wait for its `for`',
    edits: [
      {
        file: 'src/core/tick-end.ts',
        find: 'tick.atMs - track.passSinceMs >= passForMs',
        replace: 'tick.atMs - track.passSinceMs >= passForMs / 3',
      },
    ],
  },
  {
    name: 'look-back',
    rule: 'J3',
    what: 'ranges reach back into the old version',
    edits: [
      {
        file: 'src/core/measure.ts',
        find: '  const sinceMs = atMs - deployedAtMs;',
        replace: '  const sinceMs = atMs - deployedAtMs + 3_600_000;',
      },
    ],
  },
  {
    name: 'base-before-deploy',
    rule: 'J3',
    what: 'what was counted around the deploy is counted for the new version',
    edits: [
      {
        file: 'src/core/increase.ts',
        find: '  if (isFirst) return { atMs, add: 0, sinceMs: atMs };\n',
        replace: '',
      },
    ],
  },
  {
    name: 'old-gauge',
    rule: 'J3',
    what: 'a sample from before the deploy is fresh',
    edits: [
      {
        file: 'src/core/visible.ts',
        find: '  if (view.deployedAtMs !== null && newest[0] < view.deployedAtMs) return false;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'for-not-reset',
    rule: 'rule 7',
    what: 'a good sample does not reset `for`',
    edits: [
      {
        file: 'src/core/condition.ts',
        find: 'const run = isMet ? lengthen(unbroken(before, condition, context), context) : NO_RUN;',
        replace:
          'const run = isMet ? lengthen(unbroken(before, condition, context), context) : before;',
      },
    ],
  },
  {
    name: 'streak-not-reset',
    rule: 'rule 7',
    what: 'failed health checks need not be in a row',
    edits: [
      {
        file: 'src/core/condition.ts',
        find: 'const streak = isMet ? before.streak + 1 : 0;',
        replace: 'const streak = before.streak + (isMet ? 1 : 0);',
      },
    ],
  },
  {
    name: 'stops-deaf',
    rule: 'missed',
    what: 'a condition that fires is told and not acted upon',
    edits: [
      {
        file: 'src/core/decide.ts',
        find: "stateOf(scene, condition) === 'firing' && !isOldTrouble(scene, condition)",
        replace:
          "stateOf(scene, condition) === 'firing' && !isOldTrouble(scene, condition) && scene.state.arming !== 'armed'",
      },
    ],
  },
  {
    name: 'deadline-ignored',
    rule: 'J8',
    what: 'the deadline of a watch does not close it',
    edits: [
      {
        file: 'src/core/tick-end.ts',
        find: '  if (tick.atMs < state.deadlineAtMs) return;',
        replace: '  if (tick.atMs < state.deadlineAtMs + 3_600_000) return;',
      },
    ],
  },
  {
    name: 'verification-never-ends',
    rule: 'J8',
    what: 'a rollback that does not help is verified for ever',
    edits: [
      {
        file: 'src/core/verify.ts',
        find: 'afterMs < withinMs || !isSeenLong',
        replace: 'afterMs < withinMs + 3_600_000 || !isSeenLong',
      },
    ],
  },
  {
    name: 'confirmed-unproved',
    rule: 'J6',
    what: 'a rollback is confirmed when one verify condition holds',
    edits: [
      {
        file: 'src/core/verify.ts',
        find: 'conditions.length > 0 && unmet.length === 0',
        replace: 'conditions.length > 0 && unmet.length < conditions.length',
      },
    ],
  },
  {
    name: 'counts-twice',
    rule: 'J3',
    what: 'counts since the deploy are counted again after a clock was set back',
    edits: [
      {
        file: 'src/core/decide.ts',
        find: 'Math.max(tick.atMs, sinceDeploy[indicator]?.atMs ?? tick.atMs)',
        replace: 'tick.atMs',
      },
    ],
  },
  {
    name: 'observe-acts',
    rule: 'observe',
    what: 'a watch that only observes acts',
    edits: [
      {
        file: 'src/core/decide.ts',
        find: "state.mode === 'observe' ? 'observe' : isHeld",
        replace: "state.mode === 'observe' && isHeld ? 'observe' : isHeld",
      },
    ],
  },
];

const ENGINE: readonly Broken[] = [
  {
    name: 'deliveries-apart',
    rule: 'J1',
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
    rule: 'J4',
    what: 'a human stop does not look whether the watch is still open after a conflict',
    edits: [
      {
        file: 'src/engine/commands.ts',
        find: `      if (state.phase !== 'watching') throw closed(id, state.phase);
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
    rule: 'J1',
    what: 'an action is sent before its attempt is written',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (!(await journal.startAttempt(delivery.id, attempts, clock.now(), replica))) return;',
        replace:
          'const mark = () => journal.startAttempt(delivery.id, attempts, clock.now(), replica);',
      },
      {
        file: 'src/engine/dispatcher.ts',
        find: '    if (lane !== null) this.#space(delivery, lane, outcome);\n',
        replace:
          '    if (lane !== null) this.#space(delivery, lane, outcome);\n    if (!(await mark())) return;\n',
      },
    ],
  },
  {
    name: 'new-id-per-attempt',
    rule: 'J2',
    what: 'each attempt goes out under an id of its own',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'return this.#options.sendAction(delivery, action, values, signal);',
        replace:
          'return this.#options.sendAction({ ...delivery, id: `${delivery.id}-${delivery.attempts}` }, action, values, signal);',
      },
    ],
  },
  {
    name: 'hold-not-asked',
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
    rule: 'J5',
    what: 'attempts begin after the deadline of the delivery',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (this.#options.clock.now() > delivery.deadlineAtMs) {',
        replace: 'if (this.#options.clock.now() > delivery.deadlineAtMs + 3_600_000) {',
      },
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (nextAtMs > delivery.deadlineAtMs) return',
        replace: 'if (nextAtMs > delivery.deadlineAtMs + 3_600_000) return',
      },
    ],
  },
  {
    name: 'attempts-unbounded',
    rule: 'J5',
    what: 'an action is tried as often as it likes',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'if (delivery.attempts >= delivery.attemptsMax) {\n      return this.#end(',
        replace: 'if (delivery.attempts >= 1_000) {\n      return this.#end(',
      },
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: 'CHECK (attempts BETWEEN 0 AND attempts_max)',
        replace: 'CHECK (attempts >= 0)',
      },
      {
        file: 'src/journal/sqlite/sqlite-journal.ts',
        find: ' AND attempts < attempts_max`',
        replace: '`',
      },
    ],
  },
  {
    name: 'in-flight-forgotten',
    rule: 'J5',
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
    rule: 'J5',
    what: 'a message that failed once is never tried again',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: '      if (isDue(delivery, nowMs)) {\n        this.#fly(delivery, state);',
        replace:
          '      if (isDue(delivery, nowMs) && delivery.attempts < 2) {\n        this.#fly(delivery, state);',
      },
    ],
  },
  {
    name: 'repeat-unmarked',
    rule: 'told',
    what: 'a message that may have been seen does not say so',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: 'channel.send(repeatMarked(content.message, delivery), signal)',
        replace: 'channel.send(content.message, signal)',
      },
    ],
  },
  {
    name: 'outcome-unread',
    rule: 'J1',
    what: 'a time-out counts as delivered',
    edits: [
      {
        file: 'src/engine/dispatcher.ts',
        find: "if (outcome.kind === 'delivered') return this.#end(delivery, outcome, null);",
        replace:
          "if (outcome.kind === 'delivered' || outcome.reason === 'timeout') return this.#end(delivery, outcome, null);",
      },
    ],
  },
  {
    name: 'lease-ignored',
    rule: 'J5',
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
    rule: 'J5',
    what: 'a newer deploy does not call off the rollback of the old one',
    edits: [
      {
        file: 'src/engine/commands.ts',
        find: 'const giveUp = givesUpActions',
        replace: 'const giveUp = givesUpActions && id === null',
      },
    ],
  },
];

const JOURNAL: readonly Broken[] = [
  {
    name: 'revision-unchecked',
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
    rule: 'twin',
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
    rule: 'J5',
    what: 'the outcome of an attempt that was overtaken counts',
    edits: [
      {
        file: 'src/journal/sqlite/append.ts',
        find: "AND (attempts = ? OR ? = 'delivered')",
        replace: "AND (attempts >= ? OR ? = 'delivered')",
      },
      {
        file: 'src/engine/dispatcher.ts',
        find: "      if (stored.attempts !== attempts && outcome.kind !== 'delivered') return null;\n",
        replace: '',
      },
    ],
  },
  {
    name: 'ended-changes',
    rule: 'J5',
    what: 'a delivery that has ended is begun again',
    edits: [
      {
        file: 'src/journal/sqlite/migrations.ts',
        find: "RAISE(ABORT, 'a delivery that has ended never changes (J5)')",
        replace: '1',
      },
      {
        file: 'src/journal/sqlite/sqlite-journal.ts',
        find: "WHERE id = ? AND state = 'pending' AND attempts + 1 = ?",
        replace: 'WHERE id = ? AND attempts + 1 = ?',
      },
    ],
  },
  {
    name: 'attempt-unnumbered',
    rule: 'J5',
    what: 'two replicas may begin the same attempt',
    edits: [
      {
        file: 'src/journal/sqlite/sqlite-journal.ts',
        find: "AND state = 'pending' AND attempts + 1 = ? AND attempts < attempts_max`",
        replace: "AND state = 'pending' AND attempts + 1 >= ? AND attempts < attempts_max`",
      },
    ],
  },
  {
    name: 'two-open-watches',
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
    rule: 'J7',
    what: 'an append that fails half-way stays half written',
    edits: [
      {
        file: 'src/journal/sqlite/sql.ts',
        find: "if (this.#db.isTransaction) this.#db.exec('ROLLBACK');\n      throw error;",
        replace: "if (this.#db.isTransaction) this.#db.exec('COMMIT');\n      throw error;",
      },
    ],
  },
];

export const VARIANTS: readonly Broken[] = [...DECIDER, ...ENGINE, ...JOURNAL];
