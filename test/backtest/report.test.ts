// The report as text: what it says, what it may never contain, and how large it gets.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REPORT_DEPLOYS_MAX, reportHtml } from '../../src/backtest/report.ts';
import { REPORT_POINTS_MAX, thin, type WireCharts } from '../../src/backtest/report-charts.ts';
import { POINTS_MAX } from '../../src/backtest/result.ts';
import {
  aBacktest,
  aConditionResult,
  aDeployResult,
  aPastDeploy,
  aSeries,
  aStoppedResult,
} from '../support/backtest-result.ts';

const MARKUP = '<img src=x onerror=alert(1)></script><script>alert(2)</script>"\'&';

function figuresOf(report: string): WireCharts {
  const text = /<script type="application\/json" id="figures">(.*)<\/script>/.exec(report)?.[1];
  return JSON.parse(text ?? '') as WireCharts;
}

const deploysOf = (count: number, points: number) =>
  Array.from({ length: count }, (_, index) => {
    const series = aSeries();
    const of = (at: number) => [at * 1_000, at % 7] as const;
    return aDeployResult({
      deploy: aPastDeploy({ version: `1.0.${index}` }),
      conditions: [aConditionResult()],
      series: [{ ...series, points: Array.from({ length: points }, (_unused, at) => of(at)) }],
    });
  });

describe('the report of a backtest', () => {
  it('says first how many were right, and counts what was not', () => {
    const report = reportHtml([
      aBacktest([
        aDeployResult(),
        aStoppedResult({ score: 'false_stop' }),
        aDeployResult({ score: 'missed' }),
        aDeployResult({ verdict: 'failed', score: null, afterMs: null }),
      ]),
    ]);
    expect(report).toContain('<p class="headline">1 of 4 right</p>');
    expect(report).toContain('1 missed, 1 false stop, 1 without a score.');
    expect(report).toContain('412 requests, 1,250,340 samples, 8.4 MB');
  });

  it('claims no right and wrong where nobody labelled the deploys', () => {
    const deploy = aPastDeploy({ label: null });
    const report = reportHtml([aBacktest([aDeployResult({ deploy, score: null })])]);
    expect(report).toContain('<p class="headline">1 deploy: 1 passed</p>');
    expect(report).toContain('None is labelled good or bad');
  });

  it('of no deploys says so', () => {
    expect(reportHtml([aBacktest([])])).toContain('<p class="headline">No deploys</p>');
  });

  it('says what could not be replayed, and which deploy was replaced', () => {
    const deploy = aPastDeploy({
      replaced: { atMs: aPastDeploy().deployedAtMs + 300_000, version: '2.1.1' },
    });
    const leftOut = ['Health endpoint: nobody recorded it'];
    const blind = ['success.pass.fills was blind all the time'];
    const report = reportHtml([aBacktest([aDeployResult({ deploy })], { blind, leftOut })]);
    expect(report).toContain('<li>Health endpoint: nobody recorded it</li>');
    expect(report).toContain('<li>success.pass.fills was blind all the time</li>');
    expect(report).toContain('replaced by 2.1.1 after 5m');
  });

  it('refuses what is no report: none, or three', () => {
    expect(() => reportHtml([])).toThrow('0 backtests, wanted one or two');
    const one = aBacktest();
    expect(() => reportHtml([one, one, one])).toThrow('3 backtests, wanted one or two');
  });

  it('makes no markup of any text, wherever it stands', () => {
    const deploy = aPastDeploy({
      service: MARKUP,
      environment: MARKUP,
      version: MARKUP,
      previousVersion: MARKUP,
      parameters: { [MARKUP]: MARKUP },
    });
    const condition = aConditionResult({
      title: MARKUP,
      sentence: MARKUP,
      blindMs: 1_000,
      blindReason: MARKUP,
    });
    const hostile = aDeployResult({
      deploy,
      because: [MARKUP, MARKUP],
      conditions: [condition],
      series: [aSeries({ title: MARKUP, unit: MARKUP })],
    });
    const result = aBacktest([hostile], {
      policy: { name: MARKUP, file: MARKUP, hash: MARKUP },
      source: MARKUP,
      ranAt: MARKUP,
      blind: [MARKUP],
      leftOut: [MARKUP],
      version: MARKUP,
    });
    for (const report of [reportHtml([result]), reportHtml([result, aBacktest([])])]) {
      expect(report).not.toContain('<img');
      expect(report.match(/<script/g)).toHaveLength(2);
      expect(report.match(/<\/script/g)).toHaveLength(2);
      expect(figuresOf(report).series[0]?.unit).toBe(MARKUP);
    }
  });

  it('allows exactly its own script and style, and no address', () => {
    const report = reportHtml([aBacktest()]);
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(report)?.[1] ?? '';
    const hashOf = (text = '') => createHash('sha256').update(text).digest('base64');
    const script = /<script>([\s\S]*?)<\/script>/.exec(report)?.[1];
    const style = /<style>([\s\S]*?)<\/style>/.exec(report)?.[1];
    expect(policy.replaceAll('&#39;', "'").split('; ')).toEqual([
      "default-src 'none'",
      `script-src 'sha256-${hashOf(script)}'`,
      `style-src 'sha256-${hashOf(style)}'`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(report.match(/(?:src|href|action)="[^"]*"/g)).toEqual([
      'href="data:,"',
      'href="#deploys"',
    ]);
    expect(style).not.toMatch(/url\(|@import/);
  });

  it('has the colours of the page', () => {
    const page = readFileSync('src/http/page/browser/page.css', 'utf8');
    const colours = [...page.matchAll(/^ +--[\w-]+: .*;$/gm)].map(([line]) => line.trim());
    const report = reportHtml([aBacktest()]);
    expect(colours.length).toBeGreaterThan(40);
    expect(colours.filter((line) => !report.includes(line))).toEqual([]);
  });
});

describe('the report of a comparison', () => {
  const at = (version: string) => aPastDeploy({ version, label: 'bad' });

  it('puts another verdict first, then another cause, another time, and what is the same', () => {
    const first = [
      aStoppedResult({ deploy: at('same') }),
      aStoppedResult({ deploy: at('time') }),
      aStoppedResult({ deploy: at('cause') }),
      aStoppedResult({ deploy: at('verdict') }),
    ];
    const second = [
      aStoppedResult({ deploy: at('same') }),
      aStoppedResult({ deploy: at('time'), afterMs: 260_000 }),
      aStoppedResult({ deploy: at('cause'), by: ['always.stop.health'] }),
      aDeployResult({ deploy: at('verdict'), score: 'missed' }),
    ];
    const report = reportHtml([aBacktest(first), aBacktest(second)]);
    const order = [...report.matchAll(/aria-controls="d\d+">aurora (\w+)</g)].map(
      ([, name]) => name,
    );
    expect(order).toEqual(['verdict', 'cause', 'time', 'same']);
    expect(report).toContain('stopped → passed');
    expect(report).toContain('stopped by other conditions');
    expect(report).toContain('B 20s later');
    expect(report).toContain('1 deploy of 4 with another verdict');
  });

  it('shows a deploy that only one of them has', () => {
    const report = reportHtml([
      aBacktest([aStoppedResult({ deploy: at('1') })]),
      aBacktest([aStoppedResult({ deploy: at('2') })]),
    ]);
    expect(report).toContain('only in A');
    expect(report).toContain('only in B');
    expect(report).toContain('This backtest has no such deploy.');
  });
});

describe('the size of a report', () => {
  it('leaves nothing out that fits, and says so', () => {
    const report = reportHtml([aBacktest(deploysOf(20, POINTS_MAX))]);
    expect(figuresOf(report).series.map(({ t }) => t.length)).toEqual(Array(20).fill(POINTS_MAX));
    expect(report).toContain('Nothing was left out');
  });

  it('thins charts when there are many, and says how many', () => {
    const report = reportHtml([aBacktest(deploysOf(1_000, POINTS_MAX))]);
    const points = figuresOf(report).series.map(({ t }) => t.length);
    expect(points.reduce((a, b) => a + b)).toBeLessThanOrEqual(REPORT_POINTS_MAX);
    expect(Math.min(...points)).toBeGreaterThan(100);
    expect(report).toContain('1,000 charts thinned to about 400 points');
  });

  it('shows so many deploys at most, and counts those left out', () => {
    const report = reportHtml([aBacktest(deploysOf(REPORT_DEPLOYS_MAX + 3, 2))]);
    expect(report.match(/<tbody class="deploy"/g)).toHaveLength(REPORT_DEPLOYS_MAX);
    expect(report).toContain('3 deploys of the less interesting kind left out');
  });

  it('draws a series once that several conditions are judged by', () => {
    const { series, charts } = figuresOf(reportHtml([aBacktest([aDeployResult()])]));
    expect(charts.map((chart) => chart.series).sort()).toEqual([0, 0, 1, 2]);
    expect(series).toHaveLength(3);
  });
});

describe('the script of the report', () => {
  const script = readFileSync('src/backtest/report/report.js', 'utf8');

  it('makes no markup of text, asks nobody, and reads no clock', () => {
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/);
    expect(script).not.toMatch(/\bfetch\(|XMLHttpRequest|EventSource|sendBeacon|WebSocket|https?:/);
    expect(script).not.toMatch(/\bDate\b|localStorage|sessionStorage|document\.cookie/);
  });

  it('imports only what the report puts before it', () => {
    const imports = [...script.matchAll(/^import .* from '([^']+)';$/gm)].map(([, from]) => from);
    expect(imports).toEqual(['uplot', '../../http/page/browser/format.js']);
  });
});

describe('thinning', () => {
  const points = Array.from({ length: 3_000 }, (_, at) => {
    const value = at === 1_234 ? -5 : at === 2_001 ? 99 : 1;
    return [at, at >= 500 && at < 530 ? null : value] as const;
  });

  it('keeps the ends, the lowest, the highest, and where blindness begins and ends', () => {
    const kept = thin(points, 120);
    expect(kept.length).toBeLessThanOrEqual(120);
    expect(kept[0]).toEqual([0, 1]);
    expect(kept.at(-1)).toEqual([2_999, 1]);
    expect(kept).toContainEqual([1_234, -5]);
    expect(kept).toContainEqual([2_001, 99]);
    expect(kept).toContainEqual([500, null]);
    expect(kept).toContainEqual([530, 1]);
  });

  it('leaves what is short as it is', () => {
    expect(thin(points.slice(0, 120), 120)).toEqual(points.slice(0, 120));
  });
});
