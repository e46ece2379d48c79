import { describe } from 'vitest';
import { hasPostgres } from '../../support/postgres.ts';
import { hasPrometheus } from '../../support/prometheus.ts';
import { auroraLive } from './aurora-live.ts';
import { describeGate } from './gate-suite.ts';

const isThere = hasPrometheus() && hasPostgres();
describe.skipIf(!isThere)('aurora-runbook-live (needs prometheus, promtool, PostgreSQL)', () => {
  describeGate(auroraLive);
});
