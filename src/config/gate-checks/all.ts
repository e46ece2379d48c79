// The kinds of checks of a gate, each with its fields. One line here and one in
// `src/gate/kinds.ts`: the compiler holds both together.
import type { z } from 'zod';
import { choice } from '../fields.ts';
import { auditLogSchema } from './audit-log.ts';
import { benchmarkSchema } from './benchmark.ts';
import { commandSchema } from './command.ts';
import { coverageSchema } from './coverage.ts';
import { envSchema } from './env.ts';
import { fileSchema } from './file.ts';
import { githubRunsSchema } from './github-runs.ts';
import { grafanaSchema } from './grafana.ts';
import { httpSchema } from './http.ts';
import { indicatorCheckSchema } from './indicator.ts';
import { junitSchema } from './junit.ts';
import { metricsSchema } from './metrics.ts';
import { mutationSchema } from './mutation.ts';
import { postgresSchema } from './postgres.ts';
import { prometheusRulesSchema } from './prometheus-rules.ts';
import { scanSchema } from './scan.ts';
import { systemdSchema } from './systemd.ts';
import { tcpSchema } from './tcp.ts';

const kinds = {
  audit_log: auditLogSchema.optional(),
  benchmark: benchmarkSchema.optional(),
  coverage: coverageSchema.optional(),
  env: envSchema.optional(),
  file: fileSchema.optional(),
  github_runs: githubRunsSchema.optional(),
  grafana: grafanaSchema.optional(),
  http: httpSchema.optional(),
  junit: junitSchema.optional(),
  metrics: metricsSchema.optional(),
  mutation: mutationSchema.optional(),
  prometheus_rules: prometheusRulesSchema.optional(),
  scan: scanSchema.optional(),
  tcp: tcpSchema.optional(),
  systemd: systemdSchema.optional(),
  command: commandSchema.optional(),
  postgres: postgresSchema.optional(),
  indicator: indicatorCheckSchema.optional(),
};

export type CheckKind = keyof typeof kinds;
export const CHECK_KINDS = Object.keys(kinds) as readonly CheckKind[];

/** What each kind is written with. */
export type CheckInputs = {
  readonly [Kind in CheckKind]: Exclude<z.output<(typeof kinds)[Kind]>, undefined>;
};

/** One check: exactly one kind with its fields. */
export const checkSchema = choice(kinds, CHECK_KINDS).describe('One check, by its kind.');
