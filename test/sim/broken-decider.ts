// Variants of the code that judges, broken on purpose: see broken.ts.
import type { Broken } from './broken.ts';

export const DECIDER: readonly Broken[] = [
  {
    name: 'pass-without-coverage',
    seed: 6,
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
    seed: 19,
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
    seed: 15,
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
    seed: 2,
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
    seed: 2,
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
    seed: 2,
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
    seed: 59,
    rule: 'false stop',
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
    seed: 35,
    rule: 'for',
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
    seed: 1,
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
    seed: 2,
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
    seed: 16,
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
    seed: 6,
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
    seed: 142,
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
    seed: 8,
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
  {
    name: 'asks-again',
    seed: 2,
    rule: 'sign-off',
    what: 'people are asked to sign at every tick',
    edits: [
      {
        file: 'src/core/sign-off.ts',
        find: 'state.signOffAsked || ',
        replace: '',
      },
    ],
  },
  {
    name: 'signs-the-dead',
    seed: 3,
    rule: 'sign-off',
    what: 'a version that was stopped is signed',
    edits: [
      {
        file: 'src/engine/signing.ts',
        find: 'if (why !== undefined) {',
        replace: "if (why !== undefined && state.phase !== 'stopped') {",
      },
    ],
  },
];
