// Events and watches as a person reads them on a terminal. Text only; knows no stream.
import type { BlindEvidence, Evidence, WatchEvent } from '../core/event.ts';
import { formatValue, roughDuration } from '../core/quantity.ts';
import type { WireWatch } from './client.ts';
import { table } from './output.ts';

type Conditions = WireWatch['conditions'];

/** "T+3m12s  stopped: ..." with the time since the deploy. */
export function storyLine(event: WatchEvent, view: WireWatch): string {
  const since = roughDuration(event.atMs - Date.parse(view.deployed_at));
  return `${`T+${since}`.padEnd(9)} ${eventText(event, view.conditions)}`;
}

function evidenceText(evidence: Evidence, conditions: Conditions): string {
  const known = conditions.find(({ condition }) => condition === evidence.condition);
  const value = formatValue(evidence.value, known?.unit ?? 'number');
  const counts = evidence.counts ? ` (${evidence.counts.part} of ${evidence.counts.total})` : '';
  const limit = known === undefined ? '' : `, limit: ${known.limit_text}`;
  const name = known?.title ?? evidence.indicator;
  const samples = `${evidence.samples} ${evidence.samples === 1 ? 'sample' : 'samples'}`;
  return `${name} ${value}${counts}${limit}, ${samples}`;
}

function blindText({ condition, reason, detail }: BlindEvidence): string {
  return `${condition} ${reason} (${detail})`;
}

function eventText(event: WatchEvent, conditions: Conditions): string {
  const evidence = (list: readonly Evidence[]) =>
    list.map((item) => evidenceText(item, conditions)).join('; ');
  switch (event.type) {
    case 'watch.started': {
      const { service, environment, version } = event.deploy;
      const late = event.lateMs > 60_000 ? `, ${roughDuration(event.lateMs)} late` : '';
      const go = event.withoutGo === undefined ? '' : `, WITHOUT a GO: found ${event.withoutGo}`;
      const back =
        event.neededNoGo === undefined ? '' : `, a rollback without a GO: ${event.neededNoGo}`;
      return `started: ${service} ${version} in ${environment}, ${event.mode}${late}${go}${back}`;
    }
    case 'watch.baselined': {
      const count = Object.keys(event.values).length;
      const red =
        event.preExisting.length === 0 ? '' : `; red already: ${event.preExisting.join(', ')}`;
      return `state before the deploy taken: ${count} indicators${red}`;
    }
    case 'watch.armed':
      return `armed: ${event.armed} of ${event.total} stop conditions`;
    case 'watch.unarmed':
      return `armed only ${event.armed} of ${event.total}: ${event.conditions.map(blindText).join('; ')}`;
    case 'window.entered':
      return `window ${event.window}`;
    case 'conditions.blinded':
      return `blind: ${event.conditions.map(blindText).join('; ')}`;
    case 'conditions.sighted':
      return `sees again: ${event.conditions
        .map(({ condition, blindMs }) => `${condition} after ${roughDuration(blindMs)}`)
        .join('; ')}`;
    case 'condition.warned':
      return `warning: ${evidence([event.evidence])}`;
    case 'condition.recovered':
      return `recovered: ${evidence([event.evidence])}`;
    case 'condition.pre_existing':
      return `red before the deploy already: ${evidence([event.evidence])}`;
    case 'watch.resumed':
      return `resumed: nobody watched for ${roughDuration(event.awayMs)}`;
    default:
      return endText(event, evidence);
  }
}

type EndEvent = Exclude<
  WatchEvent,
  {
    type:
      | 'watch.started'
      | 'watch.baselined'
      | 'watch.armed'
      | 'watch.unarmed'
      | 'window.entered'
      | 'conditions.blinded'
      | 'conditions.sighted'
      | 'condition.warned'
      | 'condition.recovered'
      | 'condition.pre_existing'
      | 'watch.resumed';
  }
>;

function endText(event: EndEvent, evidence: (list: readonly Evidence[]) => string): string {
  switch (event.type) {
    case 'watch.stopped': {
      const why = event.cause === 'human' ? `by ${event.by}: ${event.reason}` : event.reason;
      const does = event.actions.length === 0 ? 'no action' : event.actions.join(', ');
      const mode = event.mode === 'act' ? does : `would act, but ${event.mode} mode`;
      const seen = event.conditions.length === 0 ? '' : ` [${evidence(event.conditions)}]`;
      return `STOPPED ${why}${seen}; ${mode}`;
    }
    case 'watch.passed':
      return `PASSED: ${evidence(event.conditions)}`;
    case 'watch.inconclusive':
      return `INCONCLUSIVE (${event.reason}): ${event.because.join('; ')}`;
    case 'watch.cancelled':
      return `CANCELLED by ${event.by}: ${event.reason}`;
    case 'watch.superseded':
      return `SUPERSEDED by ${event.version} (${event.byWatch})`;
    case 'watch.acknowledged':
      return `acknowledged by ${event.by}: ${event.reason}`;
    case 'watch.resolved':
      return `resolved by ${event.by}: ${event.reason}`;
    case 'watch.sign_off_due':
      return `sign-off due: ${event.missing.map(({ role, statement }) => `${role} (${statement})`).join(', ')}`;
    case 'watch.signed': {
      const note = event.note === null ? '' : `: ${event.note}`;
      return `signed by ${event.name} as ${event.role}${note}`;
    }
    case 'watch.extended':
      return `extended to ${new Date(event.deadlineAtMs).toISOString()} by ${event.by}: ${event.reason}`;
    case 'watch.held':
      return `HOLD FIRE by ${event.by}: ${event.reason}; observed only`;
    case 'watch.released':
      return `hold fire released by ${event.by}: ${event.reason}`;
    case 'action.delayed':
      return `${event.action} delayed, attempt ${event.attempts}: ${event.detail}`;
    case 'action.accepted':
      return `${event.action} accepted after ${roughDuration(event.afterMs)}, attempt ${event.attempts}`;
    case 'action.gave_up':
      return `${event.action} GAVE UP after ${event.attempts} attempts: ${event.reason} ${event.detail}`;
    case 'rollback.confirmed':
      return `${event.action} confirmed after ${roughDuration(event.afterMs)}: ${evidence(event.conditions)}`;
    case 'rollback.not_confirmed':
      return `${event.action} NOT CONFIRMED (${event.reason}): ${event.because.join('; ')}`;
    default:
      return event satisfies never;
  }
}

/** One line for a terminal: where the watch stands. */
export function liveLine(view: WireWatch, nowMs: number): string {
  const due = view.conditions.filter((condition) => condition.due);
  const loud = due.filter(({ state }) => state !== 'inactive' && state !== 'waiting');
  const parts = [
    `${view.phase} ${roughDuration(nowMs - Date.parse(view.deployed_at))}`,
    ...(view.window === null ? [] : [`window ${view.window}`]),
    `armed ${view.armed.seen} of ${view.armed.total}`,
    ...(view.verification === 'verifying' ? ['verifying the rollback'] : []),
    ...loud.slice(0, 3).map(({ indicator, state, text }) => `${indicator} ${state}: ${text}`),
  ];
  return parts.join(' · ');
}

/** "stopped: aurora 1.4.0 in production (w_…): fill rate below 80 %". */
export function verdictLine(view: WireWatch): string {
  const { phase, service, version, environment, id, reason, verification } = view;
  const why = reason === null ? '' : `: ${reason}`;
  const proof = phase === 'stopped' && verification !== 'none' ? `; rollback ${verification}` : '';
  return `${phase}: ${service} ${version} in ${environment} (${id})${why}${proof}`;
}

/** "signed: engineering_lead of aurora 1.4.0 by Ada; still missing: qa_lead". */
export function signedLine({ service, version, sign_offs }: WireWatch, role: string): string {
  const name = sign_offs.find((one) => one.role === role)?.signed?.name ?? 'nobody';
  const missing = sign_offs.filter(({ signed }) => signed === null).map((one) => one.role);
  const rest = missing.length === 0 ? 'all have signed' : `still missing: ${missing.join(', ')}`;
  return `signed: ${role} of ${service} ${version} by ${name}; ${rest}`;
}

const OPEN = { open: 'waits for a person', critical: 'people are called' } as const;

export function watchText(view: WireWatch): string {
  const facts: (readonly [string, string | null])[] = [
    ['watch', view.id],
    ['deploy', `${view.service} ${view.version} in ${view.environment}`],
    ['previous', view.previous_version],
    ['policy', `${view.policy} (${view.mode})`],
    ['phase', `${view.phase}${view.reason === null ? '' : `: ${view.reason}`}`],
    ['window', view.window],
    ['armed', `${view.armed.seen} of ${view.armed.total}`],
    ['deployed', view.deployed_at],
    ['deadline', view.deadline_at],
    ['closed', view.closed_at],
    ['verification', view.verification],
    ['acknowledged', view.acknowledged_by],
    ['without GO', view.without_go],
    ['open', view.incident === 'none' ? null : OPEN[view.incident]],
    ['last tick', view.last_tick_at],
    ['page', view.url],
  ];
  const known = facts.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
  const conditions = view.conditions.map(({ state, window, role, text, pre_existing, title }) => [
    state,
    `${window} ${role}`,
    title,
    pre_existing ? `${text} (red before the deploy)` : text,
  ]);
  const actions = view.actions.map(({ action, state, attempts, detail }) => [
    action,
    state,
    `${attempts} attempts`,
    detail ?? '',
  ]);
  const signOffs = view.sign_offs.map(({ role, statement, due_at, signed }) => [
    signed === null ? `not signed, due ${due_at}` : `signed by ${signed.name} at ${signed.at}`,
    role,
    signed?.note ? `${statement} (${signed.note})` : statement,
  ]);
  const asked = new Map(view.conditions.map(({ indicator, query }) => [indicator, query]));
  const queries = [...asked].flatMap(([indicator, query]) =>
    query ? [['query', indicator, query]] : [],
  );
  return [known, signOffs, conditions, queries, actions]
    .filter((rows) => rows.length > 0)
    .map(table)
    .join('\n\n');
}

export function listText(watches: readonly WireWatch[]): string {
  if (watches.length === 0) return 'no watches';
  const rows = watches.map((view) => [
    view.id,
    view.service,
    view.version,
    view.environment,
    view.phase + (view.phase !== 'watching' && view.active ? ' (verifying)' : ''),
    view.deployed_at,
  ]);
  return table([['WATCH', 'SERVICE', 'VERSION', 'ENVIRONMENT', 'PHASE', 'DEPLOYED'], ...rows]);
}
