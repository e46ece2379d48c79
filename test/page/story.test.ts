// The story of a bad deploy in a real browser: what somebody sees and does at night. Real daemon,
// simulated service, the shipped policy. Without Chromium these tests are skipped, by this name.
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrowserDoor, chromiumPath, openBrowser, type View } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { seriousIn } from './axe.ts';
import { type PageWorld, startPageWorld } from './world.ts';

describe.skipIf(chromiumPath() === null)('the page (needs the `chromium` binary)', () => {
  let world: PageWorld;
  let browser: BrowserDoor;
  let phone: View;
  let list: View;
  let bad = '';
  let good = '';
  const views: View[] = [];
  const open = async (path: string, setup: Parameters<BrowserDoor['open']>[0] = {}) => {
    const view = await browser.open(setup);
    views.push(view);
    await view.page.goto(`${world.canaryd.url}${path}`);
    return view;
  };
  const journal = (id: string) => world.canaryd.journal(id);

  beforeAll(async () => {
    [world, browser] = await Promise.all([startPageWorld(['aurora', 'books']), openBrowser()]);
    bad = await world.deploy('aurora', { by: '<img src=x onerror=alert(1)>' });
    good = await world.deploy('books');
    phone = await open(`/watches/${bad}`, { width: 360, height: 780 });
    list = await open('/', { width: 360, height: 780, dark: true });
    await phone.page.getByText('live', { exact: true }).waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });

  it('lists both watches, and each row leads to its watch', async () => {
    await list.page.getByRole('link', { name: 'books 2.1.0' }).waitFor();
    expect(await list.page.getByRole('link', { name: 'aurora 2.1.0' }).getAttribute('href')).toBe(
      `/watches/${bad}`,
    );
    expect(await seriousIn(list.page)).toEqual([]);
  });

  it('shows windows, conditions with charts, and the journal', async () => {
    const { page } = phone;
    await page.getByRole('list', { name: 'Windows' }).getByText('now, until').waitFor();
    await page
      .getByRole('img', { name: /^Chart\. Order fill rate, must be at least 80 %/ })
      .waitFor();
    await until(async () => expect(await page.locator('canvas').count()).toBeGreaterThan(8));
    await page.getByRole('list', { name: 'What happened' }).getByText('Watch started').waitFor();
  });

  it('fits a phone of 360 pixels: nothing is cut off or scrolls sideways', async () => {
    const width = 'document.documentElement.scrollWidth';
    expect(await phone.page.evaluate(width)).toBe(360);
    expect(await list.page.evaluate(width)).toBe(360);
  });

  it('shows foreign names as text', async () => {
    await phone.page.getByText('deployed by <img src=x onerror=alert(1)>').first().waitFor();
    expect(await phone.page.locator('img').count()).toBe(0);
  });

  it('stops by keyboard alone: button, reason, name, confirm', async () => {
    const { page } = await open(`/watches/${good}`);
    const button = page.getByRole('button', { name: 'Stop now' });
    await button.waitFor();
    for (let presses = 0; presses < 20 && !(await isFocused(button)); presses += 1) {
      await page.keyboard.press('Tab');
    }
    expect(await isFocused(button)).toBe(true);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Stop now' });
    await dialog.getByText('2.1.0 is rolled back to 2.0.0').waitFor();
    expect(await seriousIn(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await dialog.getByText('Say why: it is recorded.').waitFor();
    expect(await journal(good)).not.toContain('watch.stopped');
    // Focus stays inside, however often it moves on.
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(INSIDE)).toMatch(/^(?:dialog|)$/);
    }
    await dialog.getByRole('textbox', { name: 'Reason' }).focus();
    await page.keyboard.type('wrong prices <b>now</b>');
    await dialog.getByLabel('Your name').focus();
    await page.keyboard.type('alice');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('By alice: wrong prices <b>now</b>', { exact: true }).waitFor();
    expect(await page.locator('b').count()).toBe(0);
    expect(await journal(good)).toContain('watch.stopped');
    await until(() => expect(world.place('books').aurora.version).toBe('2.0.0'));
  });

  it('shows a stop by itself: what tripped, what was done, what comes next', async () => {
    const { page } = phone;
    world.place('aurora').aurora.fault('positions');
    const card = page.getByRole('region', { name: 'State' });
    await page.evaluate(NOTE_WHEN_STOPPED);
    await card.getByText(/^Stopped /).waitFor({ timeout: 20_000 });
    const { body } = await world.canaryd.get(`/v1/watches/${bad}/journal`);
    const journalled = body['events'] as readonly { type: string; at_ms: number }[];
    const decidedMs = journalled.find(({ type }) => type === 'watch.stopped')?.at_ms ?? 0;
    // Promised, so it is held: browser and daemon have the same clock here.
    expect(Number(await page.evaluate('window.stoppedAtMs')) - decidedMs).toBeLessThan(2_000);
    await card
      .getByText(/Open positions 15.*, must be at most 120 % of expected_positions \(12\)/)
      .waitFor();
    await card.getByText(/Rollback accepted after/).waitFor();
    await card.getByText('the rollback helped').waitFor({ timeout: 20_000 });
    expect(await page.getByRole('status').textContent()).toContain('aurora 2.1.0: Stopped');
    expect(await page.title()).toBe('Stopped, rollback confirmed: aurora 2.1.0');
    await page.getByRole('img', { name: /^Chart\. Open positions.*fired at/ }).waitFor();
    // No reload: there was one document in all this time.
    const documents = phone.requests.filter((one) => one.endsWith(`/watches/${bad}`));
    expect(documents.filter((one) => !one.includes('/v1/'))).toHaveLength(1);
  });

  it('changes the journal by a button with a reason, and tells the result', async () => {
    const { page } = phone;
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Looking into it' }).click();
    await dialog.getByLabel('Your name').fill('bob');
    await dialog.getByRole('button', { name: 'Acknowledge', exact: true }).click();
    await page.getByText('Acknowledge: done, and written to the journal.').first().waitFor();
    await page.getByText('by bob: Looking into it').waitFor();
    expect(await journal(bad)).toContain('watch.acknowledged');
  });

  it('puts hold fire in a banner on every page, and releases it there', async () => {
    const { page } = list;
    await page.getByRole('button', { name: 'Hold fire' }).click();
    const dialog = page.getByRole('dialog', { name: 'Hold fire' });
    await dialog.getByText('For ALL services').waitFor();
    await dialog.getByRole('textbox', { name: 'Reason' }).fill('maintenance <i>');
    await dialog.getByLabel('Your name').fill('carol');
    await page.keyboard.press('Enter');
    const banner = page.getByRole('region', { name: 'Hold fire' });
    await banner.getByText('By carol: maintenance <i>').waitFor();
    expect((await world.canaryd.get('/v1/hold')).body['hold']).toMatchObject({ by: 'carol' });
    await banner.getByRole('button', { name: 'Release hold fire' }).click();
    await page.getByRole('dialog').getByRole('textbox', { name: 'Reason' }).fill('over');
    await page.keyboard.press('Enter');
    await banner.waitFor({ state: 'hidden' });
    expect((await world.canaryd.get('/v1/hold')).body['hold']).toBeNull();
  });

  it('has nothing serious for people who see or move little, in dark and in light', async () => {
    expect(await seriousIn(phone.page)).toEqual([]);
    const dark = await open(`/watches/${bad}`, { dark: true });
    await dark.page.getByText('the rollback helped').waitFor();
    await dark.page.getByText(/^Not judged now/).click();
    await dark.page.getByText('Values and query').first().click();
    expect(await seriousIn(dark.page)).toEqual([]);
  });

  it('asked nobody else, acted by its four commands only, and broke no rule of its own', () => {
    const acts = views.flatMap(({ requests }) => requests).filter((one) => !one.startsWith('GET '));
    const paths = acts.map((one) => one.replace(/ .*\/v1/, ' ').replace(/\?.*/, ''));
    expect(paths.toSorted()).toEqual(
      [
        'DELETE /hold',
        'POST /hold',
        `POST /watches/${bad}/ack`,
        `POST /watches/${good}/stop`,
      ].toSorted(),
    );
    const foreign = views
      .flatMap(({ requests }) => requests)
      .filter((one) => new URL(one.split(' ')[1] ?? '').origin !== world.canaryd.url);
    expect(foreign).toEqual([]);
    expect(views.flatMap(({ problems }) => problems)).toEqual([]);
  });
});

const NOTE_WHEN_STOPPED = `
  new MutationObserver(() => {
    const title = document.querySelector('.headline')?.textContent ?? '';
    if (title.startsWith('Stopped')) window.stoppedAtMs ??= Date.now();
  }).observe(document.body, { subtree: true, childList: true, characterData: true })`;

/** The dialog, or nothing: then the browser's own buttons have the focus. */
const INSIDE = 'document.activeElement?.closest("#dialog, body")?.id ?? "nowhere"';

async function isFocused(locator: Locator): Promise<boolean> {
  return (await locator.page().locator('*:focus').count()) > 0
    ? locator.evaluate((element) => element.matches(':focus'))
    : false;
}
