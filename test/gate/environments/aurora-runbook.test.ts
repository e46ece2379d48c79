import { describe } from 'vitest';
import { hasPostgres } from '../../support/postgres.ts';
import { auroraRunbook } from './aurora-runbook.ts';
import { describeGate } from './gate-suite.ts';

describe.skipIf(!hasPostgres())('aurora-runbook (needs PostgreSQL)', () => {
  describeGate(auroraRunbook);
});
