import { describe } from 'vitest';
import { hasPrometheus } from '../../support/prometheus.ts';
import { auroraAfter } from './aurora-after.ts';
import { describeGate } from './gate-suite.ts';

describe.skipIf(!hasPrometheus())('aurora-runbook-after (needs prometheus and promtool)', () => {
  describeGate(auroraAfter);
});
