import { describe } from 'vitest';
import { hasPrometheus } from '../../support/prometheus.ts';
import { describeGate } from './gate-suite.ts';
import { AFTER_A_DAY, AFTER_A_WEEK, AFTER_DEPLOY } from './mech-exo-later.ts';

describe.skipIf(!hasPrometheus())('the gate mech-exo-deploy', () => {
  describeGate(AFTER_DEPLOY);
});

describe.skipIf(!hasPrometheus())('the gate mech-exo-24h', () => {
  describeGate(AFTER_A_DAY);
});

describe.skipIf(!hasPrometheus())('the gate mech-exo-7d', () => {
  describeGate(AFTER_A_WEEK);
});
