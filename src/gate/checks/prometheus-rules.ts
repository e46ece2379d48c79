// The alerting rules of a Prometheus: enough of them, none broken, none firing. A rule that cannot
// be evaluated alerts nobody, and counts as missing.
import { ms } from '../../config/fields.ts';
import type { PrometheusRulesInput } from '../../config/gate-checks/prometheus-rules.ts';
import { compileSearch } from '../../core/pattern.ts';
import { type AlertRule, askRules } from '../../source/prometheus-rules.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { placeOf } from '../request.ts';
import { exhibit, unknown } from '../result.ts';
import { sourceProblem } from './source.ts';

const BEYOND_REQUEST_MS = 1_000;

export function prometheusRulesCheck(input: PrometheusRulesInput, make: MakeTools): MadeCheck {
  const source = make.sources.find(input.source);
  if (source?.kind !== 'prometheus') sourceProblem(input.source, 'prometheus', make);
  return {
    kind: 'prometheus_rules',
    wants: wantsText(input),
    timeoutMs: ms(input.timeout) + BEYOND_REQUEST_MS,
    run: async ({ signal }) => {
      if (source?.kind !== 'prometheus') return unknown(`there is no source ${input.source}`);
      const { options } = source;
      const answer = await askRules(
        { ...options, timeoutMs: Math.min(options.timeoutMs, ms(input.timeout)) },
        signal,
      );
      if (answer.kind === 'failed') return unknown(`${placeOf(options.url)}: ${answer.detail}`);
      const exhibits = [exhibit('rules.json', answer.body)];
      return summedUp(judged(input, answer.rules), { exhibits });
    },
  };
}

function judged(input: PrometheusRulesInput, all: readonly AlertRule[]): readonly Found[] {
  const isMeant = (source: string | undefined, text: string) =>
    source === undefined || compileSearch(source)?.last(text) != null;
  const rules = all.filter(
    ({ name, group }) => isMeant(input.name, name) && isMeant(input.group, group),
  );
  const working = rules.filter(({ error }) => error === null);
  const count = `${working.length} alerting ${working.length === 1 ? 'rule' : 'rules'}`;
  // First: it is why there are too few, and why one is missing.
  const broken = rules.flatMap(({ name, group, error }): readonly Found[] =>
    error === null ? [] : [{ kind: 'bad', text: `${name} (${group}) is broken: ${error}` }],
  );
  const found: Found[] = [
    ...broken,
    {
      kind: working.length >= input.at_least ? 'good' : 'bad',
      text: `${count}, at least ${input.at_least} wanted`,
    },
  ];
  for (const name of input.names ?? []) {
    if (!working.some((rule) => rule.name === name)) {
      found.push({ kind: 'bad', text: `the alert ${name} is missing` });
    }
  }
  if (input.none_firing) found.push(...firing(working, input.except ?? []));
  return found;
}

function firing(rules: readonly AlertRule[], except: readonly string[]): readonly Found[] {
  const meant = rules.filter(({ name }) => !except.includes(name));
  const loud = meant.filter(({ state }) => state === 'firing');
  const unseen = meant.filter(({ state }) => state === 'unknown');
  const quiet = `none of ${meant.length} firing`;
  if (loud.length + unseen.length === 0) return [{ kind: 'good', text: quiet }];
  return [
    ...loud.map(({ name, alerts }): Found => {
      return {
        kind: 'bad',
        text: `${name} is firing (${alerts} ${alerts === 1 ? 'alert' : 'alerts'})`,
      };
    }),
    ...unseen.map(({ name }): Found => {
      return { kind: 'unknown', text: `${name} was not evaluated yet, or has no state` };
    }),
  ];
}

function wantsText(input: PrometheusRulesInput): string {
  const { name, group, names = [], except = [] } = input;
  const of = [
    ...(name === undefined ? [] : [`named ${name}`]),
    ...(group === undefined ? [] : [`of group ${group}`]),
  ];
  const parts = [
    [`at least ${input.at_least} alerting rules`, ...of].join(' '),
    ...(names.length === 0 ? [] : [`with ${names.join(', ')}`]),
    ...(input.none_firing
      ? [`none firing${except.length === 0 ? '' : ` but ${except.join(', ')}`}`]
      : []),
  ];
  return `${input.source}: ${parts.join(', ')}`;
}
