// The page when things are not as they should be: tokens, errors, outages, no watch and very many,
// names that are markup, clocks that differ, a day of ticks. A real browser on a made-up API.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Reading } from '../../src/core/sample.ts';
import { type Scope, tokenMatcher } from '../../src/http/auth.ts';
import { type BrowserDoor, chromiumPath, openBrowser } from '../support/browser.ts';
import { stopped } from '../support/build.ts';
import { conditionView, FakeControl } from '../support/fake-control.ts';
import { api, listening } from '../support/http-server.ts';
import { seriousIn } from './axe.ts';

const token = (name: string, secret: string, scopes: readonly Scope[]) => ({
  name,
  scopes,
  matches: tokenMatcher(secret),
});
const TOKENS = [
  token('viewer', 'view-secret', ['read']),
  token('oncall', 'act-secret', ['read', 'act']),
];
const MARKUP = '<img src=x onerror=alert(1)>';
const MINUTE = 60_000;

describe.skipIf(chromiumPath() === null)(
  'the page in trouble (needs the `chromium` binary)',
  () => {
    let browser: BrowserDoor;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser?.close());

    async function opened(
      path: string | ((id: string) => string),
      options: Parameters<typeof api>[0] = {},
    ) {
      const server = api(options);
      const command = { service: 'aurora', version: '2.1.0', parameters: {} };
      const deployedAtMs = Date.now() - 90_000;
      const { watch } = await server.control.start({ ...command, deployedAtMs });
      const url = await listening(server);
      const view = await browser.open({ width: 360, height: 780 });
      onTestFinished(() => view.page.context().close());
      await view.page.goto(`${url}${typeof path === 'string' ? path : path(watch.id)}`);
      return { ...server, ...view, url, id: watch.id };
    }
    const ofWatch = (id: string) => `/watches/${id}`;

    describe('with tokens', () => {
      it('asks for one, says when it is wrong, and keeps it out of every address', async () => {
        const { page, requests } = await opened(ofWatch, { tokens: TOKENS });
        const field = page.getByLabel('Token');
        await field.fill('no-such-secret');
        expect(await seriousIn(page)).toEqual([]);
        await page.keyboard.press('Enter');
        await page.getByText('the token is not known').waitFor();
        await field.fill('act-secret');
        await page.getByRole('button', { name: 'Show' }).click();
        await page.getByRole('heading', { name: 'aurora 2.1.0' }).waitFor();
        await page.getByText('live', { exact: true }).waitFor();
        expect(requests.filter((one) => one.includes('secret'))).toEqual([]);
        expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('secret');
        await page.getByRole('button', { name: 'Forget token' }).click();
        await field.waitFor();
        expect(await page.evaluate('sessionStorage.length')).toBe(0);
      });

      it('is kept on the device only when that is asked for, and forgotten in every tab', async () => {
        const { page, url } = await opened(ofWatch, { tokens: TOKENS });
        const heading = page.getByRole('heading', { name: 'aurora 2.1.0' });
        await page.getByLabel('Token').fill('act-secret');
        await page.getByLabel('Keep it on this device').check();
        await page.keyboard.press('Enter');
        await heading.waitFor();
        const second = await page.context().newPage();
        await second.goto(url);
        await second.getByText('Open (1)').waitFor();
        await second.getByRole('button', { name: 'Forget token' }).click();
        await page.reload();
        await page.getByLabel('Token').waitFor();
        expect(await page.evaluate('localStorage.length + sessionStorage.length')).toBe(0);
      });

      it('that no header can carry is refused in words, and the field has the focus', async () => {
        const { page } = await opened(ofWatch, { tokens: TOKENS });
        await page.getByLabel('Token').waitFor();
        await page.keyboard.type('geheim-ß');
        await page.keyboard.press('Enter');
        await page.getByText('That is no token').waitFor();
        expect(await page.getByText(/no connection|cannot be reached/).count()).toBe(0);
      });

      it('that may only read: shows everything, and says why nothing can be done', async () => {
        const { page, control } = await opened(ofWatch, { tokens: TOKENS });
        await page.getByLabel('Token').fill('view-secret');
        await page.keyboard.press('Enter');
        const stop = page.getByRole('button', { name: 'Stop now' });
        await stop.waitFor();
        await page.getByText('Stop now: the token viewer may only read').waitFor();
        expect(await stop.isDisabled()).toBe(true);
        expect(await seriousIn(page)).toEqual([]);
        expect(control.commands.map(({ name }) => name)).toEqual(['start']);
      });

      it('that name who acts: the name of the person is a choice', async () => {
        const { page, control } = await opened(ofWatch, { tokens: TOKENS });
        await page.getByLabel('Token').fill('act-secret');
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Extend' }).click();
        const dialog = page.getByRole('dialog', { name: 'Extend' });
        await dialog.getByLabel('Longer by').selectOption('2h');
        await dialog.getByRole('textbox', { name: 'Reason' }).fill('little traffic');
        await page.keyboard.press('Enter');
        await dialog.waitFor({ state: 'hidden' });
        expect(control.commands.at(-1)).toEqual({
          name: 'extend',
          argument: { by: 'oncall', reason: 'little traffic', byMs: 120 * MINUTE },
        });
      });
    });

    it('tells a refusal of the API in its words, and lets one try again', async () => {
      const { page, control } = await opened(ofWatch);
      await page.getByRole('button', { name: 'Cancel watch' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('textbox', { name: 'Reason' }).fill('by hand');
      await dialog.getByLabel('Your name').fill('alice');
      control.failWith('journal_failed', 'the disk is full');
      await page.keyboard.press('Enter');
      await dialog.getByText('The journal cannot be read or written: the disk is full').waitFor();
      control.failure = null;
      await page.keyboard.press('Enter');
      await page.getByText('By alice: by hand', { exact: true }).waitFor();
    });

    it('does not call a command failed whose answer was lost', async () => {
      const { page } = await opened(ofWatch);
      await page.route('**/ack', (route) => route.abort());
      await page.getByRole('button', { name: 'Acknowledge' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Looking into it' }).click();
      await dialog.getByLabel('Your name').fill('alice');
      await page.keyboard.press('Enter');
      await dialog.getByText('It may have been done all the same').waitFor();
    });

    it('says in words that there is no such watch, and leads to all', async () => {
      const { page } = await opened('/watches/w_none');
      await page.getByText('No such watch: no watch w_none').waitFor();
      expect(await page.getByText('no connection').count()).toBe(0);
      await page.getByRole('link', { name: 'All watches' }).click();
      await page.getByText('Open (1)').waitFor();
    });

    it('does not let go of a question whose answer is on its way', async () => {
      const { page } = await opened(ofWatch);
      const answer = Promise.withResolvers<void>();
      await page.route('**/ack', async (route) => {
        await answer.promise;
        await route.fulfill({
          status: 503,
          json: { title: 'Not now', detail: 'the disk is full' },
        });
      });
      const open = page.getByRole('button', { name: 'Acknowledge' });
      await open.click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Looking into it' }).click();
      await dialog.getByLabel('Your name').fill('alice');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Escape');
      expect(await dialog.getByRole('button', { name: 'Back' }).isDisabled()).toBe(true);
      answer.resolve();
      await dialog.getByText('Not now: the disk is full').waitFor();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      expect(await open.evaluate((button) => button.matches(':focus'))).toBe(true);
    });

    it('keeps the focus on a button that becomes another one', async () => {
      const { page, control, id } = await opened(ofWatch);
      const extend = page.getByRole('button', { name: 'Extend' });
      await extend.focus();
      await control.setHold({ by: 'bob', reason: 'maintenance' });
      control.happen(id, { type: 'watch.held', by: 'bob', reason: 'maintenance' });
      await page.getByText('Stop now: hold fire is on: release it first').waitFor();
      expect(await extend.evaluate((button) => button.matches(':focus'))).toBe(true);
    });

    it('lists what needs somebody before everything else, however much is open', async () => {
      const { page, control, id } = await opened('/');
      for (let index = 0; index < 40; index += 1) {
        const { watch } = await control.start({
          service: `s${index}`,
          version: '1',
          parameters: {},
        });
        if (index < 35) await control.cancel(watch.id, { by: 'al', reason: 'over' });
      }
      control.happen(id, stopped(), Date.now());
      await page.reload();
      await page.getByRole('heading', { name: 'Needs somebody (1)' }).waitFor();
      expect(
        await page
          .getByRole('link', { name: /2\.1\.0|s\d/ })
          .first()
          .textContent(),
      ).toContain('aurora 2.1.0');
      await page.getByLabel('Find').fill('S39');
      await page.getByText('Open (1)').waitFor();
      expect(await page.getByRole('link', { name: /s\d/ }).count()).toBe(1);
      await page.getByLabel('Find').fill('');
      await control.acknowledge(id, { by: 'alice', reason: 'on it' });
      await page.getByRole('heading', { name: 'Needs somebody (1)' }).waitFor({ state: 'hidden' });
    });

    it('keeps what it knows while canaryd is away, and goes on when it is back', async () => {
      const server = await opened(ofWatch);
      const { page, control, id, url } = server;
      await page.getByText('live', { exact: true }).waitFor();
      await server.app.close();
      await page.getByText(/^connection lost, last data /).waitFor();
      await page.getByRole('heading', { name: 'aurora 2.1.0' }).waitFor();
      control.happen(id, { type: 'watch.acknowledged', by: 'dave', reason: 'saw it' });
      const again = api({ control });
      await listening(again, Number(new URL(url).port));
      await page.getByText('by dave: saw it').waitFor({ timeout: 15_000 });
      await page.getByText('live', { exact: true }).waitFor({ timeout: 15_000 });
    });

    it('opened while canaryd is in trouble: says so, and is live when that is over', async () => {
      const control = new FakeControl();
      const { page } = await opened(
        (id) => {
          control.failWith('journal_failed', 'the disk is full');
          return ofWatch(id);
        },
        { control },
      );
      await page.getByText('The journal cannot be read or written: the disk is full').waitFor();
      control.failure = null;
      await page.getByRole('heading', { name: 'aurora 2.1.0' }).waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      expect(await page.getByRole('alert').filter({ hasText: /./ }).count()).toBe(0);
    });

    it('without any watch says what would start one', async () => {
      const view = await browser.open();
      onTestFinished(() => view.page.context().close());
      await view.page.goto(await listening(api()));
      await view.page.getByText('No watch is open. A deploy starts one.').waitFor();
      expect(await seriousIn(view.page)).toEqual([]);
    });

    it('lists five hundred, the troubled first, names of markup as text, nothing sideways', async () => {
      const { page, control, problems } = await opened('/');
      for (let index = 1; index < 500; index += 1) {
        const service = `${MARKUP}-${'long'.repeat(30)}-${index}`;
        await control.start({ service, version: '1', parameters: {} });
      }
      const [, stopped = ''] = [...control.entries.keys()].slice(-2);
      await control.stop(stopped, { by: MARKUP, reason: MARKUP });
      await page.reload();
      await page.getByText('Open (499)').waitFor();
      expect(await page.getByRole('listitem').count()).toBe(500);
      await page.getByText(`${MARKUP}-longlong`).first().waitFor();
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(problems).toEqual([]);
    });

    it('goes by the clock of the server when its own is an hour off', async () => {
      const { page, url } = await opened('/');
      await page.addInitScript('{ const now = Date.now; Date.now = () => now() - 3600000; }');
      await page.goto(url);
      await page.getByText('deployed 1 min ago').waitFor();
    });

    it('draws a day of ticks, and shows the minute that mattered', async () => {
      const server = api();
      const deployedAtMs = Date.now() - 24 * 60 * MINUTE;
      const start = { service: 'aurora', version: '2.1.0', parameters: {}, deployedAtMs };
      const { watch } = await server.control.start(start);
      for (let tick = 0; tick < 17_280; tick += 1) {
        const value = tick === 9_000 ? 0.123 : 0.97;
        const reading: Reading =
          tick % 5_000 < 40
            ? { kind: 'blind', reason: 'stale', detail: 'old' }
            : { kind: 'value', value };
        server.control.tick(watch.id, {
          atMs: deployedAtMs + tick * 5_000,
          readings: { fill_rate: reading },
        });
      }
      const entry = server.control.entries.get(watch.id);
      if (entry !== undefined) entry.conditions = [conditionView({ title: MARKUP })];
      const view = await browser.open();
      onTestFinished(() => view.page.context().close());
      await view.page.goto(`${await listening(server)}/watches/${watch.id}`);
      const chart = view.page.getByRole('img', { name: /lowest 12\.3 %, highest 97 %/ });
      await chart.waitFor();
      await view.page.getByText('Values and query').click();
      await view.page.getByRole('cell', { name: '12.3 %' }).waitFor();
      expect(await view.page.locator('img').count()).toBe(0);
      expect(view.problems).toEqual([]);
    });
  },
);
