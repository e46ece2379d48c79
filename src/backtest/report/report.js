// The script of a report: sorts and folds the table, and draws the charts that come into sight. It
// asks nobody for anything: the figures are in the file.
import uPlot from 'uplot';
import { formatValue, span } from '../../http/page/browser/format.js';

/** @typedef {{ unit: string, t: number[], v: (number | null)[] }} Series */
/**
 * Times in seconds since the deploy.
 * @typedef {object} Figure
 * @property {number} series
 * @property {number | null} low
 * @property {number | null} high
 * @property {number} from
 * @property {number} until
 * @property {number | null} fired
 * @property {number | null} verdict
 */

const HEIGHT = 150;
const ROWS_MAX = 24;
/** On paper all open charts are drawn at once. */
const PRINTED_MAX = 400;

/** @type {{ series: Series[], charts: Figure[] }} */
const figures = JSON.parse(document.getElementById('figures')?.textContent ?? '');
/** @type {Map<Element, uPlot>} */
const plots = new Map();

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Checks are good or bad and have no limit on an axis; a rate of 0 has one.
 * @param {Figure} figure
 * @param {Series} series
 */
const isHealth = ({ low, high }, { v }) =>
  low === null && high === null && v.every((value) => value === null || value === 0 || value === 1);

/**
 * @param {Figure} figure
 * @param {Series} series
 * @returns {[number, number]}
 */
function bounds({ low, high }, { v, unit }) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of [...v, low, high]) {
    if (value === null) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (min > max) return [0, 1];
  const air = (max - min || Math.abs(max) || 1) * 0.12;
  const isShare = unit === 'ratio' && max <= 1;
  return [
    min >= 0 ? Math.max(0, min - air) : min - air,
    isShare ? Math.min(1.02, max + air) : max + air,
  ];
}

/**
 * From the first to the last blind point, up to the value that ends it.
 * @param {Series} series
 * @returns {[number, number][]}
 */
function blindSpans({ t, v }) {
  /** @type {[number, number][]} */
  const spans = [];
  let from = -1;
  for (const [index, value] of v.entries()) {
    const at = t[index] ?? 0;
    if (value === null && from === -1) from = at;
    if (value !== null && from !== -1) {
      spans.push([from, at]);
      from = -1;
    }
  }
  if (from !== -1) spans.push([from, t.at(-1) ?? from]);
  return spans;
}

/** @param {Element} place */
function draw(place) {
  const figure = figures.charts[Number(place.getAttribute('data-chart'))];
  const series = figure === undefined ? undefined : figures.series[figure.series];
  const width = Math.floor(place.clientWidth);
  if (figure === undefined || series === undefined || width < 40) return;
  const known = plots.get(place);
  if (known !== undefined) {
    if (known.width !== width) known.setSize({ width, height: HEIGHT });
    return;
  }
  const target = /** @type {HTMLElement} */ (place);
  plots.set(place, new uPlot(options(place, figure, series, width), [series.t, series.v], target));
}

/**
 * @param {Element} place
 * @param {Figure} figure
 * @param {Series} series
 * @param {number} width
 * @returns {uPlot.Options}
 */
function options(place, figure, series, width) {
  const health = isHealth(figure, series);
  const text = colour('--text-soft');
  const font = '11px system-ui, sans-serif';
  const axis = { stroke: text, font, ticks: { show: false } };
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const last = series.t.at(-1) ?? 1;
  return {
    width,
    height: HEIGHT,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: false, range: () => [-0.02 * last, Math.max(10, last) * 1.02] },
      y: { range: () => (health ? [-0.25, 1.25] : bounds(figure, series)) },
    },
    axes: [
      {
        ...axis,
        size: 26,
        space: 64,
        incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400],
        grid: { show: false },
        values: (_, splits) => splits.map((at) => (at < 0 ? '' : span(at * 1_000))),
      },
      {
        ...axis,
        size: health ? 42 : 68,
        space: 34,
        grid: { stroke: colour('--grid'), width: 1 },
        ...(health ? { splits: () => [0, 1] } : {}),
        values: (_, splits) => splits.map((value) => valueText(value, series, health)),
      },
    ],
    series: [
      {},
      {
        stroke: colour('--value'),
        width: 2,
        points: { show: false },
        ...(health && stepped ? { paths: stepped } : {}),
      },
    ],
    hooks: {
      drawClear: [(plot) => drawBehind(plot, figure, series)],
      draw: [(plot) => drawMarks(plot, figure)],
      setCursor: [(plot) => read(plot, place, series, health)],
    },
  };
}

/**
 * @param {number | null} value
 * @param {Series} series
 * @param {boolean} health
 */
function valueText(value, { unit }, health) {
  if (value === null) return 'blind';
  return health ? (value === 1 ? 'good' : 'bad') : formatValue(value, unit);
}

/**
 * What is under the pointer, in words.
 * @param {uPlot} plot
 * @param {Element} place
 * @param {Series} series
 * @param {boolean} health
 */
function read({ cursor }, place, series, health) {
  const reading = place.nextElementSibling;
  if (reading === null) return;
  const index = cursor.idx ?? null;
  const at = index === null ? undefined : series.t[index];
  reading.textContent =
    index === null || at === undefined
      ? ''
      : `${span(at * 1_000)}: ${valueText(series.v[index] ?? null, series, health)}`;
}

/**
 * @param {uPlot} plot
 * @param {Figure} figure
 * @param {Series} series
 */
function drawBehind(plot, { low, high, from, until }, series) {
  const { ctx, bbox } = plot;
  const right = bbox.left + bbox.width;
  const bottom = bbox.top + bbox.height;
  /** @param {number} at */
  const x = (at) => Math.min(right, Math.max(bbox.left, plot.valToPos(at, 'x', true)));
  /** @param {number} at */
  const y = (at) => Math.min(bottom, Math.max(bbox.top, plot.valToPos(at, 'y', true)));
  ctx.save();
  ctx.fillStyle = colour('--forbidden');
  if (high !== null) ctx.fillRect(x(from), bbox.top, x(until) - x(from), y(high) - bbox.top);
  if (low !== null) ctx.fillRect(x(from), y(low), x(until) - x(from), bottom - y(low));
  ctx.fillStyle = colour('--wait-span');
  ctx.fillRect(bbox.left, bbox.top, x(from) - bbox.left, bbox.height);
  ctx.fillRect(x(until), bbox.top, right - x(until), bbox.height);
  ctx.fillStyle = colour('--blind-span');
  for (const [start, end] of blindSpans(series)) {
    ctx.fillRect(x(start), bbox.top, Math.max(3 * uPlot.pxRatio, x(end) - x(start)), bbox.height);
  }
  ctx.restore();
}

/**
 * @param {uPlot} plot
 * @param {Figure} figure
 */
function drawMarks(plot, { low, high, from, until, fired, verdict }) {
  const { ctx, bbox } = plot;
  const bottom = bbox.top + bbox.height;
  /** @param {number} at */
  const x = (at) => plot.valToPos(at, 'x', true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left - 1, bbox.top, bbox.width + 2, bbox.height);
  ctx.clip();
  for (const bound of [low, high]) {
    if (bound === null) continue;
    const y = plot.valToPos(bound, 'y', true);
    line(ctx, x(from), y, x(until), y, colour('--bad'), [6, 4]);
  }
  line(ctx, x(0), bbox.top, x(0), bottom, colour('--text-soft'), []);
  if (verdict !== null)
    line(ctx, x(verdict), bbox.top, x(verdict), bottom, colour('--text'), [2, 3]);
  if (fired !== null) {
    const size = 5 * uPlot.pxRatio;
    line(ctx, x(fired), bbox.top, x(fired), bottom, colour('--bad'), []);
    ctx.fillStyle = colour('--bad');
    ctx.beginPath();
    ctx.moveTo(x(fired) - size, bbox.top);
    ctx.lineTo(x(fired) + size, bbox.top);
    ctx.lineTo(x(fired), bbox.top + 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 * @param {string} stroke
 * @param {number[]} dash
 */
function line(ctx, x1, y1, x2, y2, stroke, dash) {
  ctx.beginPath();
  ctx.setLineDash(dash.map((part) => part * uPlot.pxRatio));
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 1.5 * uPlot.pxRatio;
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

/** The values as a table, for those who do not see the chart: made when it is opened. */
/** @param {HTMLDetailsElement} details */
function tabulate(details) {
  const figure = figures.charts[Number(details.dataset['values'])];
  const series = figure === undefined ? undefined : figures.series[figure.series];
  if (figure === undefined || series === undefined) return;
  if (details.querySelector('table') !== null) return;
  const health = isHealth(figure, series);
  const numbers = series.v.map((value) => value ?? Number.NaN);
  const lowest = best(numbers, (a, b) => a < b);
  const highest = best(numbers, (a, b) => a > b);
  const step = Math.max(1, Math.ceil(series.t.length / ROWS_MAX));
  const table = document.createElement('table');
  for (const [index, at] of series.t.entries()) {
    const isKept = index % step === 0 || index === series.t.length - 1;
    if (!isKept && index !== lowest && index !== highest) continue;
    const row = table.insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = span(at * 1_000);
    row.append(head);
    row.insertCell().textContent = valueText(series.v[index] ?? null, series, health);
  }
  details.append(table);
}

/**
 * @param {readonly number[]} numbers
 * @param {(a: number, b: number) => boolean} isBetter
 */
function best(numbers, isBetter) {
  let found = -1;
  for (const [index, value] of numbers.entries()) {
    const present = numbers[found];
    if (!Number.isNaN(value) && (present === undefined || isBetter(value, present))) found = index;
  }
  return found;
}

// Charts are drawn when they come into sight: a report has thousands.
const sight = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
  },
  { rootMargin: '200px' },
);
const places = [...document.querySelectorAll('[data-chart]')];
for (const place of places) sight.observe(place);

function restyle() {
  const drawn = [...plots.keys()];
  for (const plot of plots.values()) plot.destroy();
  plots.clear();
  for (const place of drawn) draw(place);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle);
addEventListener('resize', () => {
  for (const place of plots.keys()) draw(place);
});
addEventListener('beforeprint', () => {
  document.documentElement.dataset['paper'] = '';
  restyle();
  for (const place of places.filter(({ clientWidth }) => clientWidth > 0).slice(0, PRINTED_MAX)) {
    draw(place);
  }
});
addEventListener('afterprint', () => {
  delete document.documentElement.dataset['paper'];
  restyle();
});

for (const details of document.querySelectorAll('details')) {
  details.addEventListener('toggle', () => tabulate(details));
}

/** @type {HTMLButtonElement[]} */
const folds = [...document.querySelectorAll('button.fold')].filter(
  (button) => button instanceof HTMLButtonElement,
);

/**
 * @param {HTMLButtonElement} button
 * @param {boolean} isOpen
 */
function fold(button, isOpen) {
  button.setAttribute('aria-expanded', String(isOpen));
  const more = document.getElementById(button.getAttribute('aria-controls') ?? '');
  if (more !== null) more.hidden = !isOpen;
}

const foldAll = document.getElementById('fold-all');

/** @param {boolean} isOpen */
function setAll(isOpen) {
  for (const button of folds) fold(button, isOpen);
  foldAll?.setAttribute('aria-expanded', String(isOpen));
  if (foldAll !== null) foldAll.textContent = isOpen ? 'Close all' : 'Open all';
}

for (const button of folds) {
  button.addEventListener('click', () => {
    fold(button, button.getAttribute('aria-expanded') !== 'true');
  });
}
foldAll?.addEventListener('click', () => {
  setAll(foldAll.getAttribute('aria-expanded') !== 'true');
});
// Without a script everything is open; with one the table is the overview.
setAll(false);

/**
 * @param {HTMLElement} a
 * @param {HTMLElement} b
 * @param {string} key
 */
function compare(a, b, key) {
  const [x = '', y = ''] = [a.dataset[key], b.dataset[key]];
  const isText = key === 'label';
  return isText ? x.localeCompare(y) : Number(x) - Number(y);
}

/** @param {HTMLElement} button */
function sort(button) {
  const key = button.dataset['sort'] ?? '';
  const head = button.closest('th');
  const table = button.closest('table');
  if (head === null || table === null) return;
  const direction = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
  const rows = [...table.tBodies].sort(
    (a, b) =>
      direction * compare(a, b, key) || compare(a, b, 'interest') || compare(b, a, 'deploy'),
  );
  table.append(...rows);
  for (const other of table.querySelectorAll('th[aria-sort]')) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', direction === 1 ? 'ascending' : 'descending');
}

for (const button of document.querySelectorAll('button[data-sort]')) {
  if (button instanceof HTMLElement) button.addEventListener('click', () => sort(button));
}
