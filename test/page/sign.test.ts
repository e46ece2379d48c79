// Signing on the page of a watch, in a real browser on a made-up API.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Scope, tokenMatcher } from '../../src/http/auth.ts';
import { type BrowserDoor, chromiumPath, openBrowser } from '../support/browser.ts';
import { started } from '../support/build.ts';
import { api, listening } from '../support/http-server.ts';
import { until } from '../support/until.ts';
import { seriousIn } from './axe.ts';

const MARKUP = '<img src=x onerror=alert(1)>';
const token = (name: string, scopes: readonly Scope[]) => {
  return { name, scopes, matches: tokenMatcher(`${name}-secret`) };
};

describe.skipIf(chromiumPath() === null)('signatures (needs the `chromium` binary)', () => {
  let browser: BrowserDoor;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  async function opened(options: Parameters<typeof api>[0] = {}) {
    const server = api(options);
    const { control } = server;
    control.signOffs = [
      { role: 'engineering_lead', statement: MARKUP },
      { role: 'qa_lead', statement: 'Audit trail validated' },
    ];
    const deployedAtMs = Date.now() - 90_000;
    const command = { service: 'aurora', version: '2.1.0', parameters: {}, deployedAtMs };
    const { watch } = await control.start(command);
    control.commands.length = 0;
    const url = await listening(server);
    const view = await browser.open({ width: 360, height: 780 });
    onTestFinished(() => view.page.context().close());
    await view.page.goto(`${url}/watches/${watch.id}`);
    return { control, ...view, id: watch.id };
  }

  it('are asked for by role, and given with a name and a note', async () => {
    const { page, control } = await opened();
    const section = page.getByRole('region', { name: 'Signatures' });
    await section.getByText('Audit trail validated. Due at').waitFor();
    expect(await section.locator('img').count()).toBe(0);
    await section.getByRole('button', { name: 'Sign as qa_lead' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('What canaryd judges stays as it is.').waitFor();
    expect(await seriousIn(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Sign', exact: true }).click();
    await dialog.getByText('Say who you are.').waitFor();
    expect(control.commands).toEqual([]);
    await dialog.getByLabel('Your name').fill('Ada');
    await dialog.getByLabel('Note (optional)').fill('all events');
    await page.keyboard.press('Enter');
    await section.getByText(/Signed by Ada at .*: all events/).waitFor();
    const argument = { role: 'qa_lead', name: 'Ada', by: 'Ada', note: 'all events' };
    expect(control.commands).toEqual([{ name: 'sign', argument }]);
    expect(await section.getByRole('button').count()).toBe(1);
    await page
      .getByRole('list', { name: 'What happened' })
      .getByText('by Ada as qa_lead: all events')
      .waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });

  it('are shown, and not taken, with a token that may only read', async () => {
    const { page } = await opened({ tokens: [token('viewer', ['read'])] });
    await page.getByLabel('Token').fill('viewer-secret');
    await page.keyboard.press('Enter');
    const button = page.getByRole('button', { name: 'Sign as qa_lead' });
    await button.waitFor();
    await until(async () => expect(await button.isDisabled()).toBe(true));
    await page.getByText('Sign as qa_lead: the token viewer may only read').waitFor();
  });

  it('need a name also with a token: it is not a person', async () => {
    const { page, control } = await opened({ tokens: [token('oncall', ['read', 'act'])] });
    await page.getByLabel('Token').fill('oncall-secret');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign as qa_lead' }).click();
    await page.getByLabel('Your name').fill('Ada');
    await page.getByRole('button', { name: 'Sign', exact: true }).click();
    await page.getByText(/Signed by Ada at/).waitFor();
    expect(control.commands.map(({ argument }) => argument)).toEqual([
      { role: 'qa_lead', name: 'Ada', by: 'oncall', note: null },
    ]);
  });

  it('are no longer taken once the deploy was stopped', async () => {
    const { page, control, id } = await opened();
    await page.getByRole('button', { name: 'Sign as qa_lead' }).waitFor();
    await control.stop(id, { by: 'ann', reason: 'wrong prices' });
    await page.getByText('Stopped').first().waitFor();
    await until(async () =>
      expect(await page.getByRole('button', { name: /^Sign as/ }).count()).toBe(0),
    );
  });

  it('a watch that started without a GO says so on top', async () => {
    const { page, control, id } = await opened();
    control.happen(id, started({ withoutGo: 'a GO that is 30h old' }));
    await page.getByText('Started WITHOUT a GO: found a GO that is 30h old.').waitFor();
    await page.getByText('Watch started WITHOUT a GO').waitFor();
  });

  it('a rollback without a GO says in its story what was found, and alarms nobody', async () => {
    const { page, control, id } = await opened();
    control.happen(id, started({ rollbackOf: 'w_0', neededNoGo: 'NO-GO of yesterday' }));
    await page.getByText('a rollback, without a GO: NO-GO of yesterday').waitFor();
    expect(
      await page
        .getByText(/WITHOUT/)
        .filter({ visible: true })
        .count(),
    ).toBe(0);
  });
});
