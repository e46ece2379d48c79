import { beforeAll, describe } from 'vitest';
import { hasPostgres } from '../../support/postgres.ts';
import { hasPrometheus } from '../../support/prometheus.ts';
import { describeGate } from './gate-suite.ts';
import { fillDatabase, MECH_EXO, type MechExoOwn } from './mech-exo.ts';
import { MECH_EXO_TURNS } from './mech-exo-turns.ts';

describe.skipIf(!hasPostgres() || !hasPrometheus())('the gate mech-exo', () => {
  describeGate<MechExoOwn>({
    setup: MECH_EXO,
    turns: MECH_EXO_TURNS,
    more: (environment) => {
      beforeAll(() => fillDatabase(environment().at.postgres));
    },
  });
});
