// One condition as a small chart: the value, its limit, what lies beyond it, borders of windows, the
// deploy, blind spans, and the moment it fired. Drawn by uPlot; colours come from the style sheet.
/** @import { ConditionView, Drawn } from './types.d.ts' */
import { boundsOf, columnsOf } from './chart-data.js';
import { formatValue, momentOf, timeOf } from './format.js';
import uPlot from './uplot.js';

const HEIGHT = 132;
/** On a shorter axis minutes would repeat. */
const SECONDS_UNTIL_MS = 8 * 60_000;

/**
 * @typedef {object} Marks
 * @property {ConditionView} condition
 * @property {Drawn} drawn
 * @property {number} deployedAtMs
 * @property {number} toMs right end of the time axis
 * @property {readonly number[]} bordersMs where windows begin
 * @property {readonly number[]} firedMs
 */

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A chart that is told again and again what to show. */
export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {Marks} */
  #marks;
  #place;

  /**
   * @param {HTMLElement} place
   * @param {Marks} marks
   */
  constructor(place, marks) {
    this.#place = place;
    this.#marks = marks;
  }

  /** @param {Marks} marks */
  update(marks) {
    this.#marks = marks;
    this.draw();
  }

  /** Draws what is known now; nothing while the place has no width. */
  draw() {
    const width = Math.floor(this.#place.clientWidth);
    if (width < 40) return;
    const data = columnsOf(this.#marks.drawn);
    this.#plot ??= new uPlot(this.#options(width), data, this.#place);
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
    this.#plot.setData(data);
  }

  /** Colours changed: begin anew. */
  restyle() {
    this.#plot?.destroy();
    this.#plot = null;
    this.draw();
  }

  /**
   * @param {number} width
   * @returns {uPlot.Options}
   */
  #options(width) {
    const text = colour('--text-soft');
    const grid = { stroke: colour('--grid'), width: 1 };
    const font = '11px system-ui, sans-serif';
    const { unit } = this.#marks.condition;
    const isHealth = this.#isHealth();
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    return {
      width,
      height: HEIGHT,
      padding: [8, 10, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: true, range: () => this.#range() },
        y: {
          range: () =>
            this.#isHealth() ? [-0.25, 1.25] : boundsOf(this.#marks.drawn, this.#marks.condition),
        },
      },
      axes: [
        {
          stroke: text,
          font,
          size: 26,
          space: 64,
          grid: { show: false },
          ticks: { show: false },
          values: (_, splits) => splits.map((at) => this.#timeText(at * 1_000)),
        },
        {
          stroke: text,
          font,
          size: isHealth ? 42 : 68,
          space: 34,
          grid,
          ticks: { show: false },
          ...(isHealth ? { splits: () => [0, 1] } : {}),
          values: (_, splits) =>
            splits.map((value) =>
              isHealth ? (value === 1 ? 'good' : 'bad') : formatValue(value, unit),
            ),
        },
      ],
      series: [
        {},
        {
          stroke: colour('--value'),
          width: 2,
          points: { show: false },
          ...(isHealth && stepped ? { paths: stepped } : {}),
        },
      ],
      hooks: {
        drawClear: [(plot) => this.#drawBehind(plot)],
        draw: [(plot) => this.#drawMarks(plot)],
      },
    };
  }

  #isHealth() {
    return /^(?:failing|passing) /.test(this.#marks.condition.limitText);
  }

  /** @param {number} atMs */
  #timeText(atMs) {
    const { deployedAtMs, toMs } = this.#marks;
    const isShort = toMs - deployedAtMs < SECONDS_UNTIL_MS;
    return isShort ? timeOf(atMs) : momentOf(atMs, toMs);
  }

  /** @returns {[number, number]} */
  #range() {
    const { deployedAtMs, toMs } = this.#marks;
    const span = Math.max(10_000, toMs - deployedAtMs);
    return [(deployedAtMs - span * 0.03) / 1_000, (deployedAtMs + span * 1.02) / 1_000];
  }

  /** @param {uPlot} plot */
  #drawBehind(plot) {
    const { ctx, bbox } = plot;
    const { allowed } = this.#marks.condition;
    const { blind, points } = this.#marks.drawn;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour('--forbidden');
    if (allowed.high !== null) {
      const y = plot.valToPos(allowed.high, 'y', true);
      ctx.fillRect(bbox.left, bbox.top, bbox.width, Math.max(0, y - bbox.top));
    }
    if (allowed.low !== null) {
      const y = plot.valToPos(allowed.low, 'y', true);
      ctx.fillRect(bbox.left, y, bbox.width, Math.max(0, bbox.top + bbox.height - y));
    }
    for (const { fromAtMs, toAtMs, reason } of blind) {
      ctx.fillStyle = colour(reason === 'too_early' ? '--wait-span' : '--blind-span');
      const left = plot.valToPos(fromAtMs / 1_000, 'x', true);
      const right = plot.valToPos(toAtMs / 1_000, 'x', true);
      ctx.fillRect(left, bbox.top, Math.max(3 * uPlot.pxRatio, right - left), bbox.height);
    }
    if (points.length === 0) this.#drawEmpty(plot);
    ctx.restore();
  }

  /** @param {uPlot} plot */
  #drawEmpty({ ctx, bbox }) {
    ctx.fillStyle = colour('--text-soft');
    ctx.font = `${12 * uPlot.pxRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    ctx.fillText('no values', bbox.left + bbox.width / 2, bbox.top + bbox.height / 2);
  }

  /** @param {uPlot} plot */
  #drawMarks(plot) {
    const { condition, deployedAtMs, bordersMs, firedMs } = this.#marks;
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - 1, bbox.top, bbox.width + 2, bbox.height);
    ctx.clip();
    for (const bound of [condition.allowed.low, condition.allowed.high]) {
      if (bound === null) continue;
      const y = plot.valToPos(bound, 'y', true);
      line(ctx, bbox.left, y, bbox.left + bbox.width, y, colour('--bad'), [6, 4]);
    }
    for (const [atMs, name, dash] of /** @type {[number, string, number[]][]} */ ([
      [deployedAtMs, '--text-soft', []],
      ...bordersMs.map((at) => [at, '--border', [3, 3]]),
      ...firedMs.map((at) => [at, '--bad', []]),
    ])) {
      const x = plot.valToPos(atMs / 1_000, 'x', true);
      line(ctx, x, bbox.top, x, bbox.top + bbox.height, colour(name), dash);
    }
    for (const atMs of firedMs) {
      const x = plot.valToPos(atMs / 1_000, 'x', true);
      const size = 5 * uPlot.pxRatio;
      ctx.fillStyle = colour('--bad');
      ctx.beginPath();
      ctx.moveTo(x - size, bbox.top);
      ctx.lineTo(x + size, bbox.top);
      ctx.lineTo(x, bbox.top + 1.6 * size);
      ctx.fill();
    }
    ctx.restore();
  }
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
