// The report in a real browser, opened as a file: it asks nobody, draws, sorts and folds, with keys
// alone, on a phone, in the dark and on paper.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { reportHtml } from '../../src/backtest/report.ts';
import type { BacktestResult } from '../../src/backtest/result.ts';
import { seriousIn } from '../page/axe.ts';
import {
  aBacktest,
  aConditionResult,
  aDeployResult,
  aPastDeploy,
  aSeries,
  aStoppedResult,
} from '../support/backtest-result.ts';
import { type BrowserDoor, chromiumPath, openBrowser, type ViewSetup } from '../support/browser.ts';

const DAY = 86_400_000;
const at = (version: string, days: number) =>
  aPastDeploy({
    version,
    label: 'bad',
    deployedAtMs: Date.parse('2026-11-02T09:30:00Z') + days * DAY,
  });
const ONE = aBacktest([
  aDeployResult({ deploy: at('passed', 1) }),
  aStoppedResult({ deploy: at('stopped', 2), blindMs: 5_000 }),
  aDeployResult({ deploy: at('missed', 3), score: 'missed' }),
]);
const OTHER = aBacktest([
  aDeployResult({ deploy: at('passed', 1) }),
  aStoppedResult({ deploy: at('stopped', 2) }),
  aStoppedResult({ deploy: at('missed', 3) }),
]);
const MARKUP = '<img src=x onerror=alert(1)>';

describe.skipIf(chromiumPath() === null)(
  'the report in a browser (needs the `chromium` binary)',
  () => {
    let browser: BrowserDoor;
    const folder = mkdtempSync(join(tmpdir(), 'canaryd-report-'));
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await browser?.close();
    });

    async function opened(results: readonly BacktestResult[], setup: ViewSetup = {}) {
      const path = join(folder, 'report.html');
      writeFileSync(path, reportHtml(results));
      const view = await browser.open(setup);
      onTestFinished(() => view.page.context().close());
      await view.page.goto(pathToFileURL(path).href);
      return view;
    }

    const names = (page: Page) => page.getByRole('button', { name: /^aurora / }).allTextContents();

    it('asks nobody for anything, and complains of nothing', async () => {
      const { page, problems, requests } = await opened([ONE]);
      await page.getByRole('button', { name: 'aurora missed' }).click();
      await page.locator('canvas').first().waitFor();
      expect(requests).toEqual([`GET ${pathToFileURL(join(folder, 'report.html')).href}`]);
      expect(problems).toEqual([]);
    });

    it('could not ask anybody: its own rules forbid it', async () => {
      const { page, problems } = await opened([ONE]);
      const asked = await page.evaluate(
        `fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')`,
      );
      expect(asked).toBe('refused');
      expect(problems.join('\n')).toContain('Content Security Policy');
    });

    it('begins folded, with what is wrong first, and opens with keys alone', async () => {
      const { page } = await opened([ONE]);
      expect(await names(page)).toEqual(['aurora missed', 'aurora stopped', 'aurora passed']);
      expect(await page.locator('article').first().isVisible()).toBe(false);
      await page.getByRole('button', { name: 'aurora stopped' }).focus();
      await page.keyboard.press('Enter');
      await page.getByText('fired at 4m, decided').waitFor();
      await page.locator('canvas').first().waitFor();
      await page.keyboard.press('Enter');
      await page.getByText('fired at 4m, decided').waitFor({ state: 'hidden' });
    });

    it('sorts by each column, up and down, and says by which', async () => {
      const { page } = await opened([ONE]);
      const head = page.getByRole('columnheader', { name: 'Verdict' });
      await head.getByRole('button').press('Enter');
      expect(await names(page)).toEqual(['aurora stopped', 'aurora missed', 'aurora passed']);
      expect(await head.getAttribute('aria-sort')).toBe('ascending');
      await head.getByRole('button').press('Enter');
      expect(await names(page)).toEqual(['aurora missed', 'aurora passed', 'aurora stopped']);
      await page.getByRole('button', { name: 'Deploy', exact: true }).click();
      expect(await names(page)).toEqual(['aurora passed', 'aurora stopped', 'aurora missed']);
      expect(await head.getAttribute('aria-sort')).toBe(null);
    });

    it('tells the values in words, for those who see no chart', async () => {
      const { page } = await opened([ONE]);
      await page.getByRole('button', { name: 'aurora stopped' }).click();
      await page.locator('.values:visible').first().click();
      const rows = page.locator('.values[open] tr');
      await rows.first().waitFor();
      expect(await rows.first().textContent()).toBe('0 s97 %');
      expect(await rows.last().textContent()).toBe('4 min61 %');
    });

    it('shows a rate of 0 as 0, and only checks as good or bad', async () => {
      const zero = aSeries({ value: () => 0 });
      const check = aSeries({ indicator: 'health', value: () => 1 });
      const conditions = [aConditionResult(), aConditionResult({ indicator: 'health', low: null })];
      const result = aDeployResult({ conditions, series: [zero, check] });
      const { page } = await opened([aBacktest([result])]);
      await page.getByRole('button', { name: 'Open all' }).click();
      await page.locator('.values').nth(0).click();
      await page.getByRole('cell', { name: '0 %', exact: true }).first().waitFor();
      await page.locator('.values').nth(1).click();
      await page.getByRole('cell', { name: 'good', exact: true }).first().waitFor();
      expect(await page.getByRole('cell', { name: 'bad', exact: true }).count()).toBe(0);
    });

    it.each([
      ['light', { width: 1_000 }],
      ['dark', { width: 1_000, dark: true }],
      ['on a phone', { width: 360, height: 780 }],
    ])('%s: axe finds nothing serious, and nothing is wider than the screen', async (_, setup) => {
      for (const results of [[ONE], [ONE, OTHER]]) {
        const { page, problems } = await opened(results, setup);
        await page.getByRole('button', { name: 'Open all' }).click();
        await page.locator('canvas').first().waitFor();
        expect(await seriousIn(page)).toEqual([]);
        const wide = 'document.documentElement.scrollWidth - innerWidth';
        expect(await page.evaluate(wide)).toBeLessThanOrEqual(0);
        expect(problems).toEqual([]);
      }
    });

    it('puts two policies side by side, what differs first', async () => {
      const { page } = await opened([ONE, OTHER], { width: 1_200 });
      expect((await names(page))[0]).toBe('aurora missed');
      await page.getByRole('button', { name: 'aurora missed' }).click();
      const a = await page.getByRole('heading', { name: 'A: passed' }).boundingBox();
      const b = await page.getByRole('heading', { name: 'B: stopped' }).boundingBox();
      expect(a?.y).toBe(b?.y);
      expect(b?.x).toBeGreaterThan((a?.x ?? 0) + 300);
    });

    it('is light on paper, with all open charts drawn, whatever the screen is', async () => {
      const { page } = await opened([ONE], { dark: true, height: 300 });
      await page.getByRole('button', { name: 'Open all' }).click();
      await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
      expect(await page.locator('canvas').count()).toBe(await page.locator('[data-chart]').count());
      const back = 'getComputedStyle(document.documentElement).getPropertyValue("--panel")';
      expect(await page.evaluate(back)).toBe('#ffffff');
      await page.evaluate(`dispatchEvent(new Event('afterprint'))`);
      expect(await page.evaluate(back)).not.toBe('#ffffff');
    });

    it('shows hostile names as what they are', async () => {
      const deploy = aPastDeploy({ service: MARKUP, version: MARKUP });
      const hostile = aDeployResult({ deploy, because: [MARKUP] });
      const { page, problems } = await opened([aBacktest([hostile])]);
      await page.getByRole('button', { name: `${MARKUP} ${MARKUP}` }).click();
      await page.locator('canvas').first().waitFor();
      expect(await page.locator('img').count()).toBe(0);
      expect(problems).toEqual([]);
    });
  },
);
