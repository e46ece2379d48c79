import { describe } from 'vitest';
import { hasPrometheus } from '../../support/prometheus.ts';
import { auroraTestnet } from './aurora-testnet.ts';
import { describeGate } from './gate-suite.ts';

describe.skipIf(!hasPrometheus())('aurora-testnet (needs prometheus and promtool)', () => {
  describeGate(auroraTestnet);
});
