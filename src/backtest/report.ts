// One or two backtests as one HTML file that needs nothing else: no request leaves it, its own rules
// (Content-Security-Policy) forbid any. Colours and the look of numbers are those of the page for
// people; they are read from its files as text, so that there is one place for them.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { formatNumber } from '../core/quantity.ts';
import { Html, html, scriptJson } from './html.ts';
import { deployTable, summary } from './report-body.ts';
import { ChartBook, type Thinned } from './report-charts.ts';
import { type Pair, pairsOf } from './report-pairs.ts';
import { counted, timeText } from './report-words.ts';
import type { BacktestResult, DeployResult } from './result.ts';

/** Deploys that are shown; those that somebody should look at come first. */
export const REPORT_DEPLOYS_MAX = 1_000;

const fileOf = (path: string) =>
  readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
const require = createRequire(import.meta.url);
const PAGE = '../http/page/browser';

/** @param results one, or two to compare; the policies may differ, the deploys are matched */
export function reportHtml(results: readonly BacktestResult[]): string {
  const [first, second] = results;
  if (first === undefined || results.length > 2) {
    throw new RangeError(`reportHtml: ${results.length} backtests, wanted one or two`);
  }
  const isPair = second !== undefined;
  const all = pairsOf(results);
  const pairs = all.slice(0, REPORT_DEPLOYS_MAX);
  const book = new ChartBook(pairs.flatMap(({ sides }) => sides.filter(isResult)));
  const table = deployTable(pairs, isPair, book);
  const names = results.map(({ policy }) => policy.name).join(' and ');
  const title = `Backtest of ${names.slice(0, 200)}`;
  const { script, style } = parts();
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(script, style)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#deploys">To the deploys</a>
<main>
<h1>${title}</h1>
<p class="soft">${isPair ? 'The same deploys of the past, judged by two policies. ' : ''}Nothing was acted on.</p>
${summary(results)}
<section id="deploys" tabindex="-1" aria-labelledby="deploys-title">
<h2 id="deploys-title">${isPair ? differencesTitle(all) : 'Deploys'}</h2>
${deploysIntro(isPair)}
${table}
</section>
</main>
<footer>${results.map(madeOf)}${thinnedText(book.thinned, all.length - pairs.length)}</footer>
<script type="application/json" id="figures">${scriptJson(book.data)}</script>
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

const isResult = (side: DeployResult | null): side is DeployResult => side !== null;

function differencesTitle(pairs: readonly Pair[]): string {
  const differing = pairs.filter(({ difference }) => difference.rank === 0).length;
  return differing === 0
    ? `${counted(pairs.length, 'deploy')}, the same verdicts`
    : `${counted(differing, 'deploy')} of ${formatNumber(pairs.length, 0)} with another verdict`;
}

function deploysIntro(isPair: boolean): Html {
  const first = isPair ? 'Differences come first.' : 'What is wrong comes first.';
  return html`<p class="soft">${first} The head of a column sorts; the name of a deploy opens it.
    Times in the charts count from the deploy. <span class="key">
    <span class="swatch value"></span> value <span class="swatch limit"></span> limit
    <span class="swatch beyond"></span> beyond it <span class="swatch blind"></span> blind
    <span class="swatch outside"></span> not judged then <span class="swatch fired"></span> fired
    </span></p>
    <p class="tools"><button type="button" id="fold-all" aria-expanded="true">Close all</button></p>`;
}

function madeOf({ policy, source, ranAt, version }: BacktestResult): Html {
  const at = timeText(Date.parse(ranAt));
  return html`<p>Policy ${policy.name.slice(0, 200)} over ${source.slice(0, 300)}, ${at}, canaryd ${version}.</p>`;
}

function thinnedText({ series, leftOut, pointsEach }: Thinned, rowsLeftOut: number): Html {
  const said = [
    rowsLeftOut > 0
      ? `${counted(rowsLeftOut, 'deploy')} of the less interesting kind left out; the summary counts all.`
      : '',
    series > 0
      ? `${counted(series, 'chart')} thinned to about ${formatNumber(pointsEach, 0)} points; lowest and highest are kept.`
      : '',
    leftOut > 0 ? `${counted(leftOut, 'chart')} left out.` : '',
  ].filter((text) => text !== '');
  return said.length === 0
    ? html`<p>Nothing was left out of what the backtest recorded.</p>`
    : html`<p>To bound the size of this file: ${said.join(' ')}</p>`;
}

type Parts = { readonly script: string; readonly style: string };
let loaded: Parts | null = null;

/** Script and style, the same for every report: read once. */
function parts(): Parts {
  loaded ??= { script: scriptText(), style: styleText() };
  return loaded;
}

/** Three files as one script: the chart library, the page's numbers, and our own. */
function scriptText(): string {
  const library = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const own = [`${PAGE}/format.js`, './report/report.js'].map(fileOf).map(asScript);
  const text = `(() => {\n'use strict';\n${[library, ...own].join('\n')}\n})();`;
  if (/<\/script|<!--/i.test(text))
    throw new Error('the script of the report ends its own element');
  return text;
}

/** A module without its imports and exports. */
const asScript = (module: string) =>
  module.replaceAll(/^import [^;]*;$/gm, '').replaceAll(/^export (?=const|function|class)/gm, '');

function styleText(): string {
  const library = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const page = fileOf(`${PAGE}/page.css`);
  const light = /^:root \{\n[^}]*\}/m.exec(page)?.[0];
  const dark = /^@media \(prefers-color-scheme: dark\) \{\n {2}:root \{\n[^}]*\}\n\}/m.exec(
    page,
  )?.[0];
  if (light === undefined || dark === undefined) throw new Error('page.css has no colours');
  // Paper is white, whatever the screen is.
  const paper = light.replace(':root', ':root[data-paper]');
  return [library, light, dark, paper, fileOf('./report/report.css')].join('\n');
}

function policyOf(script: string, style: string): string {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    // Text never becomes markup or code, not even by mistake.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
