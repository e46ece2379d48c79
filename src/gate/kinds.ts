// The registry of the kinds of checks: from what is written to a check that can be carried out.
// One line for each kind of `src/config/gate-checks/all.ts`.
import type { CheckInputs, CheckKind } from '../config/gate-checks/all.ts';
import type { Path } from '../config/problems.ts';
import type { Secrets } from '../config/secrets.ts';
import type { TemplateValues } from '../core/template.ts';
import type { PrometheusOptions } from '../source/prometheus-api.ts';
import type { ScrapeOptions } from '../source/scrape.ts';
import type { Check } from './check.ts';
import { auditLogCheck } from './checks/audit-log.ts';
import { benchmarkCheck } from './checks/benchmark.ts';
import { commandCheck } from './checks/command.ts';
import { coverageCheck } from './checks/coverage.ts';
import { envCheck } from './checks/env.ts';
import { fileCheck } from './checks/file.ts';
import { githubRunsCheck } from './checks/github-runs.ts';
import { grafanaCheck } from './checks/grafana.ts';
import { httpCheck } from './checks/http.ts';
import { indicatorCheck } from './checks/indicator.ts';
import { junitCheck } from './checks/junit.ts';
import { metricsCheck } from './checks/metrics.ts';
import { mutationCheck } from './checks/mutation.ts';
import { postgresCheck } from './checks/postgres.ts';
import { prometheusRulesCheck } from './checks/prometheus-rules.ts';
import { scanCheck } from './checks/scan.ts';
import { systemdCheck } from './checks/systemd.ts';
import { tcpCheck } from './checks/tcp.ts';

/** A source of canaryd's config, as `createQuery`, `createPrometheusSource` and others take it. */
export type GateSource =
  | { readonly kind: 'prometheus'; readonly options: PrometheusOptions }
  | { readonly kind: 'scrape'; readonly options: ScrapeOptions };

/** The config is read when the first check asks for a source. */
export interface GateSources {
  find(name: string): GateSource | null;
  names(): readonly string[];
}

export type MakeTools = {
  /**
   * A handle for `$NAME`: `secrets.secret('NAME')`, read with `current()` when the check is carried
   * out. One without a value makes the check `unknown`, and never stands in its texts.
   */
  readonly secrets: Secrets;
  readonly sources: GateSources;
  /** For `fill`: service, environment, version and the parameters of the deploy. */
  readonly values: TemplateValues;
  /** A mistake that the schema cannot find; the path begins at the check's own fields. */
  readonly report: (path: Path, found: string, wanted: string) => void;
};

export type MadeCheck = Omit<Check, 'id'>;

type Makers = {
  readonly [Kind in CheckKind]: (input: CheckInputs[Kind], tools: MakeTools) => MadeCheck;
};

export const MAKERS: Makers = {
  audit_log: auditLogCheck,
  benchmark: benchmarkCheck,
  coverage: coverageCheck,
  env: envCheck,
  file: fileCheck,
  github_runs: githubRunsCheck,
  grafana: grafanaCheck,
  http: httpCheck,
  junit: junitCheck,
  metrics: metricsCheck,
  mutation: mutationCheck,
  prometheus_rules: prometheusRulesCheck,
  scan: scanCheck,
  tcp: tcpCheck,
  systemd: systemdCheck,
  command: commandCheck,
  postgres: postgresCheck,
  indicator: indicatorCheck,
};
