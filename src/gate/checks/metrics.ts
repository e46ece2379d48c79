// What an endpoint exposes as its metrics: names that must be there, values against limits. A name
// that is only announced (# TYPE) is not there: no dashboard and no alert would see it.
import { ms } from '../../config/fields.ts';
import type { MetricsInput } from '../../config/gate-checks/metrics.ts';
import { parseSelector } from '../../config/selector.ts';
import { filledSelector, filledUrl } from '../../core/read.ts';
import { select } from '../../core/select.ts';
import type { TemplateValues } from '../../core/template.ts';
import {
  type MetricSample,
  parseMetrics,
  TEXT_LENGTH_MAX,
  typesIn,
} from '../../source/metrics-text.ts';
import { figureWords, judgeFigure } from '../figure.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { ask, placeOf, revealed } from '../request.ts';
import { exhibit, unknown } from '../result.ts';

const ACCEPT = 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5';
const SUFFIXES = ['', '_total', '_bucket', '_count', '_sum', '_info'];
const BEYOND_REQUEST_MS = 1_000;

type Figure = NonNullable<MetricsInput['values']>[number];

export function metricsCheck(input: MetricsInput, make: MakeTools): MadeCheck {
  const { names = [], values: figures = [] } = input;
  const url = filledUrl(input.url, make.values);
  const limits = figures.map((figure) => `${figure.metric} ${figureWords(figure)}`);
  return {
    kind: 'metrics',
    wants: `metrics of ${url || input.url}: ${[...names, ...limits].join(', ')}`,
    timeoutMs: ms(input.timeout) + BEYOND_REQUEST_MS,
    run: async ({ signal }) => {
      const headers = revealed({ accept: ACCEPT, ...input.headers }, make.secrets);
      if (headers.kind === 'missing') return unknown(headers.text);
      const asked = await ask({
        ...{ method: 'GET', url, headers: headers.headers, signal },
        ...{ timeoutMs: ms(input.timeout), responseBytesMax: TEXT_LENGTH_MAX },
      });
      if (asked.kind === 'no_answer') return unknown(asked.text);
      const { status, body, headers: answered } = asked.answer;
      const exhibits = [exhibit('metrics.txt', headers.clean(body))];
      if (status !== 200) return unknown(`${placeOf(url)}: HTTP ${status}`, { exhibits });
      const parsed = parseMetrics(body, answered['content-type'], headers.clean);
      if (parsed.kind === 'bad') {
        return unknown(`${placeOf(url)}: no metrics: ${parsed.detail}`, { exhibits });
      }
      const { samples } = parsed;
      if (samples.length === 0) return unknown(`${placeOf(url)}: no metrics at all`, { exhibits });
      const known = new Set(samples.map(({ metric }) => metric));
      const types = typesIn(body);
      return summedUp(
        [
          ...names.map((name) => foundName(name, known, types)),
          ...figures.map((figure) => foundFigure(figure, samples, make.values)),
        ],
        { exhibits },
      );
    },
  };
}

function foundName(
  name: string,
  known: ReadonlySet<string>,
  types: ReadonlyMap<string, string>,
): Found {
  if (SUFFIXES.some((suffix) => known.has(name + suffix))) return { kind: 'good', text: name };
  const isAnnounced = SUFFIXES.some((suffix) => types.has(name + suffix));
  const text = isAnnounced ? `${name} is announced, but has no sample` : `${name} is missing`;
  return { kind: 'bad', text };
}

function foundFigure(
  figure: Figure,
  samples: readonly MetricSample[],
  values: TemplateValues,
): Found {
  const parsed = parseSelector(figure.metric);
  if (parsed.kind === 'problem') return { kind: 'unknown', text: parsed.message };
  const series = samples.map(({ metric, labels, value }) => ({
    ...{ metric, labels },
    points: [[0, value] as const],
  }));
  const selection = select(series, filledSelector(parsed.selector, values));
  if (selection.kind === 'blind') return { kind: 'unknown', text: selection.detail };
  const read = selection.series.map(({ points }) => points.at(0)?.[1] ?? Number.NaN);
  if (read.length === 0) return { kind: 'unknown', text: `${figure.metric} is missing` };
  if (figure.aggregate === 'one' && read.length > 1) {
    const text = `${figure.metric} has ${read.length} series; say how they become one: aggregate`;
    return { kind: 'unknown', text };
  }
  const judged = judgeFigure(figure, aggregated(figure.aggregate, read), values);
  const text = `${figure.metric} is ${judged.text}`;
  if (judged.kind === 'unusable') return { kind: 'unknown', text };
  return { kind: judged.holds ? 'good' : 'bad', text };
}

function aggregated(aggregate: Figure['aggregate'], values: readonly number[]): number {
  const sum = () => values.reduce((total, value) => total + value, 0);
  switch (aggregate) {
    case 'min':
      return values.reduce((least, value) => Math.min(least, value));
    case 'max':
      return values.reduce((most, value) => Math.max(most, value));
    case 'avg':
      return sum() / values.length;
    case 'sum':
    case 'one':
      return sum();
    default:
      return aggregate satisfies never;
  }
}
