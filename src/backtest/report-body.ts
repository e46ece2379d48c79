// The body of a report: summary, the table of deploys, and for each deploy its conditions with a
// place for their charts. Everything is readable without a script; scripts sort, fold and draw.
import { formatNumber, roughDuration } from '../core/quantity.ts';
import { type Html, html } from './html.ts';
import type { ChartBook } from './report-charts.ts';
import { type Difference, type Pair, pairName } from './report-pairs.ts';
import {
  afterText,
  counted,
  headline,
  interest,
  scoreWords,
  summaryRows,
  timeText,
  verdictWords,
} from './report-words.ts';
import type { BacktestResult, ConditionResult, DeployResult } from './result.ts';

const REASONS_MAX = 10;
const CONDITIONS_MAX = 60;
const PARAMETERS_MAX = 30;
const TEXT_MAX = 400;

const cut = (text: string) => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);

/** A and B, where two policies are side by side. */
const SIDES = ['A', 'B'] as const;

export function summary(results: readonly BacktestResult[]): Html {
  const cards = results.map((result, index) => {
    const { tone, title, text } = headline(result);
    const side =
      results.length === 1 ? null : html`<span class="side">${SIDES[index] ?? ''}</span> `;
    const { name, file, hash } = result.policy;
    return html`<section class="card tone-${tone}" aria-label="${cut(name)}">
      <p class="headline">${title}</p>
      <p class="detail">${text}</p>
      <p class="policy">${side}Policy <strong>${cut(name)}</strong>, ${cut(file)}
        <span class="hash">${hash.slice(0, 12)}</span></p>
    </section>`;
  });
  const rows = results.map((one) => summaryRows(one, results.length > 1));
  const lines = (rows[0] ?? []).map(([name], index) => {
    const values = rows.map((row, side) => {
      const of = rows.length === 1 ? null : html` data-side="${SIDES[side] ?? ''}"`;
      return html`<td${of}>${row[index]?.[1] ?? ''}</td>`;
    });
    return html`<tr><th scope="row">${name}</th>${values}</tr>`;
  });
  const head =
    results.length === 1
      ? null
      : html`<thead><tr><th scope="col">Summary</th>${results.map(
          ({ policy }, index) =>
            html`<th scope="col">${SIDES[index] ?? ''}: ${cut(policy.name)}</th>`,
        )}</tr></thead>`;
  return html`<div class="cards">${cards}</div>
    ${results.map(leftOutNote)}
    ${results.map(blindNote)}
    <div class="wide"><table class="summary"><caption class="unseen">Summary</caption>
    ${head}<tbody>${lines}</tbody></table></div>`;
}

/** What no backtest of this policy could judge. */
function leftOutNote({ leftOut = [], policy }: BacktestResult): Html {
  return note('Not replayed', `Not replayed of ${cut(policy.name)}:`, leftOut);
}

/** What this one could not. */
function blindNote({ blind = [], policy }: BacktestResult): Html {
  return note('Blind', `Not judged of ${cut(policy.name)}:`, blind);
}

function note(label: string, intro: string, texts: readonly string[]): Html {
  if (texts.length === 0) return html``;
  const items = texts.slice(0, CONDITIONS_MAX).map((text) => html`<li>${cut(text)}</li>`);
  const further = texts.length - items.length;
  return html`<section class="card tone-warn" aria-label="${label}"><p>${intro}</p>
    <ul class="because">${items}</ul>${further > 0 && html`<p>and ${further} more</p>`}</section>`;
}

type Column = { readonly key: string; readonly name: string; readonly sorts: boolean };

const columns = (isPair: boolean): readonly Column[] => [
  { key: 'deploy', name: 'Deploy', sorts: true },
  { key: 'label', name: 'Label', sorts: true },
  ...(isPair
    ? [
        { key: 'difference', name: 'Difference', sorts: true },
        { key: 'verdict', name: 'A', sorts: true },
        { key: 'verdictb', name: 'B', sorts: true },
      ]
    : [
        { key: 'score', name: 'Score', sorts: true },
        { key: 'verdict', name: 'Verdict', sorts: true },
        { key: 'after', name: 'After', sorts: true },
        { key: 'blind', name: 'Blind', sorts: true },
        { key: 'why', name: 'Why', sorts: false },
      ]),
];

export function deployTable(pairs: readonly Pair[], isPair: boolean, book: ChartBook): Html {
  const head = columns(isPair).map(({ key, name, sorts }) =>
    sorts
      ? html`<th scope="col"><button type="button" data-sort="${key}">${name}</button></th>`
      : html`<th scope="col" class="unsorted">${name}</th>`,
  );
  const bodies = pairs.map((pair, index) => deployRow(pair, isPair, index, book));
  return html`<table class="deploys"><caption class="unseen">Deploys</caption>
    <thead><tr>${head}</tr></thead>${bodies}</table>`;
}

function deployRow(pair: Pair, isPair: boolean, index: number, book: ChartBook): Html {
  const [a, b] = pair.sides;
  const known = a ?? b;
  if (known === null) return html``;
  const { deploy } = known;
  const keys = sortKeys(pair);
  const where = deploy.environment === null ? '' : `${cut(deploy.environment)}, `;
  const label = deploy.label ?? '–';
  const cells = isPair
    ? html`${differenceCell(pair.difference)}${sideCell(a, 'A')}${sideCell(b, 'B')}`
    : singleCells(known);
  return html`<tbody class="deploy" ${keys}>
    <tr>
      <th scope="row"><button type="button" class="fold" aria-expanded="true" aria-controls="d${index}">${cut(pairName(known))}</button>
        <span class="when">${where}${timeText(deploy.deployedAtMs)}</span></th>
      <td data-name="Label">${label}</td>
      ${cells}
    </tr>
    <tr class="more" id="d${index}"><td colspan="${columns(isPair).length}">
      ${isPair ? pairDetail(pair, book) : detail(known, orderOf([known]), book)}
    </td></tr>
  </tbody>`;
}

function sortKeys({ sides: [a, b], difference }: Pair): Html {
  const known = a ?? b;
  const label = known?.deploy.label ?? '~';
  return html`data-deploy="${known?.deploy.deployedAtMs ?? 0}" data-label="${label}"
    data-difference="${difference.rank}" data-score="${scoreWords(known?.score ?? null).rank}"
    data-interest="${known === null ? 99 : interest(known)}"
    data-verdict="${a === null ? 9 : verdictWords(a.verdict).rank}"
    data-verdictb="${b === null ? 9 : verdictWords(b.verdict).rank}"
    data-after="${known?.afterMs ?? -1}" data-blind="${known?.blindMs ?? 0}"`;
}

const badge = ({ text, tone }: { readonly text: string; readonly tone: string }) =>
  html`<span class="badge tone-${tone}">${text}</span>`;

function singleCells(result: DeployResult): Html {
  const { score, verdict, afterMs, blindMs } = result;
  return html`<td data-name="Score">${badge(scoreWords(score))}</td>
    <td data-name="Verdict">${badge(verdictWords(verdict))}</td>
    <td data-name="After" class="brief">${afterText(afterMs)}</td>
    <td data-name="Blind" class="brief">${blindMs === 0 ? '–' : roughDuration(blindMs)}</td>
    <td class="why">${cut(result.because[0] ?? '')}${andMore(result)}</td>`;
}

function andMore({ because }: DeployResult): Html | null {
  return because.length > 1
    ? html` <span class="soft">and ${because.length - 1} more</span>`
    : null;
}

function differenceCell({ text, rank }: Difference): Html {
  return html`<td data-name="Difference" class="${rank < 3 ? 'differs' : 'soft'}">${text}</td>`;
}

function sideCell(result: DeployResult | null, side: string): Html {
  if (result === null) return html`<td data-name="${side}" class="soft">not replayed</td>`;
  const score = result.score === null ? null : html` ${badge(scoreWords(result.score))}`;
  const after = result.afterMs === null ? '' : ` after ${roughDuration(result.afterMs)}`;
  return html`<td data-name="${side}">${badge(verdictWords(result.verdict))}${score}${after}
    <div class="soft">${cut(result.because[0] ?? '')}</div></td>`;
}

function pairDetail({ sides }: Pair, book: ChartBook): Html {
  const order = orderOf(sides);
  const parts = sides.map((result, index) =>
    result === null
      ? html`<section class="half"><h3>${SIDES[index] ?? ''}</h3><p class="soft">This backtest has no such deploy.</p></section>`
      : html`<section class="half"><h3>${SIDES[index] ?? ''}: ${verdictWords(result.verdict).text}</h3>${detail(result, order, book)}</section>`,
  );
  return html`<div class="halves">${parts}</div>`;
}

function detail(result: DeployResult, order: readonly string[], book: ChartBook): Html {
  const { deploy, because, blindMs } = result;
  const reasons = because.slice(0, REASONS_MAX).map((text) => html`<li>${cut(text)}</li>`);
  const further = because.length - reasons.length;
  const parameters = Object.entries(deploy.parameters)
    .slice(0, PARAMETERS_MAX)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? formatNumber(value) : value}`);
  const facts = [
    deploy.previousVersion === null ? '' : `before: ${deploy.previousVersion}`,
    parameters.length === 0 ? '' : parameters.join(', '),
    replacedText(deploy),
    blindMs === 0 ? 'never blind' : `blind for ${roughDuration(blindMs)}`,
  ].filter((fact) => fact !== '');
  const conditions = result.conditions
    .toSorted((a, b) => order.indexOf(a.condition) - order.indexOf(b.condition))
    .slice(0, CONDITIONS_MAX);
  const hidden = result.conditions.length - conditions.length;
  return html`${reasons.length === 0 ? null : html`<ul class="because">${reasons}</ul>`}
    ${further > 0 && html`<p class="soft">and ${further} more</p>`}
    <p class="soft">${cut(facts.join('; '))}</p>
    <div class="conditions">${conditions.map((one) => conditionCard(result, one, book))}</div>
    ${hidden > 0 && html`<p class="soft">${counted(hidden, 'more condition')} not shown</p>`}`;
}

function replacedText({ replaced, deployedAtMs, version }: DeployResult['deploy']): string {
  if (!replaced) return '';
  if (replaced.version === version) {
    return `deployed again after ${roughDuration(replaced.atMs - deployedAtMs)}`;
  }
  return `replaced by ${replaced.version} after ${roughDuration(replaced.atMs - deployedAtMs)}`;
}

/** What decided first, then what fired, then what was blind: the same order on both sides. */
function orderOf(sides: readonly (DeployResult | null)[]): readonly string[] {
  const ranks = new Map<string, number>();
  for (const side of sides) {
    for (const { condition, firedAfterMs, blindMs } of side?.conditions ?? []) {
      const isCause = side?.by.includes(condition) === true;
      const rank = isCause ? 0 : firedAfterMs !== null ? 1 : blindMs > 0 ? 2 : 3;
      ranks.set(condition, Math.min(rank, ranks.get(condition) ?? rank));
    }
  }
  return [...ranks].sort(([, a], [, b]) => a - b).map(([condition]) => condition);
}

const isGoodWhenFired = ({ role }: ConditionResult) => role === 'pass' || role === 'verify';

function stateOf(condition: ConditionResult, isCause: boolean) {
  const { firedAfterMs, blindMs, blindReason } = condition;
  const isGood = isGoodWhenFired(condition);
  if (firedAfterMs !== null) {
    const word = isGood ? 'fulfilled' : 'fired';
    const tone = isGood ? 'good' : condition.role === 'warn' ? 'warn' : 'bad';
    return { tone, text: `${word} at ${roughDuration(firedAfterMs)}${isCause ? ', decided' : ''}` };
  }
  if (blindMs > 0) {
    const reason = blindReason === null ? '' : `: ${blindReason.replaceAll('_', ' ')}`;
    return { tone: 'blind', text: `blind for ${roughDuration(blindMs)}${cut(reason)}` };
  }
  return { tone: isGood ? 'calm' : 'good', text: isGood ? 'not fulfilled' : 'did not fire' };
}

function conditionCard(result: DeployResult, condition: ConditionResult, book: ChartBook): Html {
  const state = stateOf(condition, result.by.includes(condition.condition));
  const { firedAfterMs, blindMs, blindReason } = condition;
  const alsoBlind =
    firedAfterMs !== null && blindMs > 0
      ? html`<p class="soft">blind for ${roughDuration(blindMs)}${blindReason === null ? '' : `: ${blindReason.replaceAll('_', ' ')}`}</p>`
      : null;
  const place = book.chartOf(result, condition);
  const title = cut(condition.title);
  const chart =
    'chart' in place
      ? html`<div class="chart" role="img" aria-label="${title}: ${state.text}" data-chart="${place.chart}"></div>
        <p class="reading soft" data-reading></p>
        <details class="values" data-values="${place.chart}"><summary>Values of ${title}</summary></details>`
      : html`<p class="soft nochart">${NO_CHART[place.none]}</p>`;
  return html`<article class="condition tone-${state.tone}">
    <h4>${title} ${badge(state)}</h4>
    <p class="rule">${cut(condition.sentence)}</p>
    ${alsoBlind}${chart}
  </article>`;
}

const NO_CHART = {
  no_values: 'No values were recorded.',
  no_room: 'No chart: the report would be too large.',
} as const;
