// Decisions of gates in a real browser: what a release manager sees and signs. A real daemon keeps
// them in a real journal. Without Chromium these tests are skipped, by this name.
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { type BrowserDoor, chromiumPath, openBrowser, type View } from '../support/browser.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { until } from '../support/until.ts';
import { seriousIn } from './axe.ts';
import { notReady, type SampleOf, sampleRecord } from './gate-sample.ts';

const MINUTE = 60_000;
const HASH = 'c0ffee'.padEnd(64, '0');
const PHONE = { width: 360, height: 780 } as const;
const WIDTH = 'document.documentElement.scrollWidth';
const LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))";

describe.skipIf(chromiumPath() === null)('the page of gates (needs the `chromium` binary)', () => {
  let canaryd: Canaryd;
  let browser: BrowserDoor;
  let phone: View;
  const startedMs = Date.now();
  const views: View[] = [];
  const open = async (path: string, setup: Parameters<BrowserDoor['open']>[0] = {}) => {
    const view = await browser.open(setup);
    views.push(view);
    await view.page.goto(`${canaryd.url}${path}`);
    return view;
  };
  const report = async (sample: SampleOf) => {
    const evidence = { folder: 'evidence/it', sha256: HASH };
    const body = { ...recordJson(sampleRecord(sample)), evidence };
    const { status, body: answer } = await canaryd.post('/v1/gate-records', body);
    expect([status, answer]).toMatchObject([201, {}]);
  };
  const signOffs = async (gate: string) => {
    const { body } = await canaryd.get(`/v1/sign-offs?gate=${gate}`);
    return body['sign_offs'];
  };

  beforeAll(async () => {
    [canaryd, browser] = await Promise.all([
      startCanaryd({ config: { sources: SOURCES }, policies: { quiet: QUIET_POLICY } }),
      openBrowser(),
    ]);
    await report({ ...spark(startedMs - 40 * MINUTE), id: 'g_spark' });
    await report({ gate: 'aurora-testnet', endedAtMs: startedMs - 26 * 60 * MINUTE, ...OLD });
    await report(notReady(startedMs - 12 * MINUTE));
    phone = await open('/gates/g_aurora21', PHONE);
  });
  afterAll(async () => {
    await browser?.close();
    await canaryd?.dispose();
  });

  it('lists the newest decision of each gate, and is one tap from the list of watches', async () => {
    const { page } = await open('/', PHONE);
    await page.getByRole('link', { name: 'Gates' }).click();
    const newest = page.getByRole('list', { name: 'Newest decisions' });
    await newest
      .getByRole('link', { name: /NO-GO.*aurora v2\.1\.0.*12 min ago.*testnet/ })
      .waitFor();
    await newest.getByRole('link', { name: /REVIEW.*spark v1\.4\.0.*40 min ago/ }).waitFor();
    const before = page.getByRole('list', { name: 'Other versions, decided before' });
    await before.getByRole('link', { name: /GO.*aurora v2\.0\.9.*1 d 2 h ago/ }).waitFor();
    expect(await page.locator('nav [aria-current]').textContent()).toBe('Gates');
    expect([await page.evaluate(WIDTH), await seriousIn(page)]).toEqual([360, []]);
    await newest.getByRole('link', { name: /aurora/ }).click();
    await page.getByRole('heading', { name: 'aurora v2.1.0 · testnet' }).waitFor();
    await page.getByRole('link', { name: 'Watches' }).click();
    await page.getByRole('heading', { name: 'Watches' }).waitFor();
  });

  it('says at the top that it is NO-GO, how old that is, why, and what to do', async () => {
    const { page } = phone;
    const card = page.getByRole('region', { name: 'Decision' });
    await card.getByText('NO-GO 12 min ago').waitFor();
    expect(await page.title()).toBe('NO-GO: aurora v2.1.0 (testnet)');
    const reasons = await card.locator('.reasons li').allTextContents();
    expect(reasons[0]).toMatch(/^\d+ of \d+ green met, no red holds, 1 yellow unmitigated/);
    expect(reasons[1]).toMatch(
      /^green Test coverage ≥ 90 % .*is not met: lines 93\.4 %, branches 86/,
    );
    expect(await card.locator('code').textContent()).toBe(
      'canaryd gate aurora-testnet --version v2.1.0 --service aurora --environment testnet --param deploy_capital=100000 --param expected_positions=10 --daemon',
    );
  });

  it('opens what is not met, with what was found and wanted, and folds the rest', async () => {
    const { page } = phone;
    await page.getByRole('heading', { name: 'Not met (2)' }).waitFor();
    await page.getByText('aurora/risk/limits.py: branches 72 %').waitFor();
    await page.getByText(/^tests of .*integration.xml: all pass, at most/).waitFor();
    const unit = page.getByRole('heading', { name: 'Unit tests all pass' });
    expect(await unit.isVisible()).toBe(false);
    await page.getByText('Test suite health').last().click();
    await unit.waitFor();
    await unit.click();
    await page.locator('.criterion[open]', { has: unit }).getByText('ok: as wanted').waitFor();
  });

  it('leads from a reason to its criterion, also when that is folded', async () => {
    const { page } = await open('/gates/g_aurora21');
    await page.getByRole('link', { name: 'The runbook has all deployment scenarios' }).click();
    const criterion = page.locator('details:has(> summary:focus)');
    await criterion.getByText('nobody has signed as devops_lead').waitFor();
  });

  it('fits a phone, and nothing is serious for people who see or move little', async () => {
    expect(await phone.page.evaluate(WIDTH)).toBe(360);
    expect(await seriousIn(phone.page)).toEqual([]);
    const { page } = await open('/gates/g_spark', { dark: true });
    await page.getByText('REVIEW 40 min ago').waitFor();
    for (const fold of await page.locator('.fold > summary').all()) await fold.click();
    expect(await seriousIn(page)).toEqual([]);
  });

  it('takes a signature by keyboard alone: the journal has it, the decision stays', async () => {
    const { page } = phone;
    const name = 'Sign as devops lead: DevOps Lead: infrastructure ready, monitoring configured';
    await tabTo(page.getByRole('button', { name }));
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Sign as devops lead' });
    await dialog
      .getByText('Infrastructure ready, monitoring configured', { exact: true })
      .waitFor();
    await dialog.getByText('For aurora v2.1.0 in testnet').waitFor();
    expect(await seriousIn(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await dialog.getByText('Say who you are').waitFor();
    expect(await signOffs('aurora-testnet')).toEqual([]);
    await page.keyboard.type('Jonas <b>Beck</b>');
    await page.keyboard.press('Tab');
    await page.keyboard.type('dashboards looked at');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('Since this decision: 1 signature given.').first().waitFor();
    await page.getByText(/^Signatures \(1 of \d+ missing\)/).waitFor();
    await page.getByText('Jonas <b>Beck</b>').waitFor();
    expect(await page.getByRole('region', { name: 'Decision' }).textContent()).toContain('NO-GO');
    expect(await page.locator('#live').textContent()).toContain('1 signature given');
    expect(await signOffs('aurora-testnet')).toMatchObject([
      {
        ...{ criterion: 'devops_lead', role: 'devops_lead', name: 'Jonas <b>Beck</b>' },
        ...{ service: 'aurora', environment: 'testnet', version: 'v2.1.0' },
        note: 'dashboards looked at',
      },
    ]);
  });

  it('takes a signature back for who has given it, and for nobody else', async () => {
    const { page } = phone;
    await page.getByRole('button', { name: /^Take back the signature of Jonas/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Take a signature back' });
    await dialog.getByLabel('Your name').fill('Mallory');
    await dialog.getByLabel('Why').fill('wrong build');
    await page.keyboard.press('Enter');
    await dialog.getByText('Only who has signed takes it back').waitFor();
    await dialog.getByLabel('Your name').fill('Jonas <b>Beck</b>');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText(/^Signatures \(2 of \d+ missing\)/).waitFor();
    expect(await signOffs('aurora-testnet')).toMatchObject([{}, { withdrawn: true }]);
  });

  it('approves a review, and an override only with its risk in writing', async () => {
    const { page } = await open('/gates/g_spark');
    await page.getByRole('button', { name: 'Approve the review…' }).click();
    const review = page.getByRole('dialog', { name: 'Approve the review' });
    expect(await review.getByLabel('Your role').inputValue()).toBe('cto');
    await review.getByLabel('Your name').fill('Vera');
    await review.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('for the review, since the decision, not yet counted').waitFor();
    await page.getByRole('button', { name: 'Approve an override…' }).click();
    const override = page.getByRole('dialog', { name: 'Override' });
    await override.getByLabel('Your role').fill('senior_engineer');
    await override.getByRole('button', { name: 'Approve the override' }).click();
    await override.getByText('Write down the risk').waitFor();
    await override.getByLabel('The risk').fill('losses go on\nwithout it');
    expect(await seriousIn(page)).toEqual([]);
    await override.getByRole('button', { name: 'Approve the override' }).click();
    await page.getByText('“losses go on without it”').waitFor();
    expect(await signOffs('spark')).toMatchObject([
      { criterion: 'review', role: 'cto', name: 'Vera', note: null },
      { criterion: 'override', role: 'senior_engineer', note: 'losses go on without it' },
    ]);
  });

  it('says when a newer decision is there, and keeps focus and what was opened', async () => {
    const { page } = await open('/gates/g_aurora21');
    await page.getByText('Infrastructure readiness').click();
    const fold = page.locator('.fold[open]');
    await fold.waitFor();
    const button = page.getByRole('button', { name: /^Sign as devops lead: The runbook/ });
    await button.focus();
    await report({ gate: 'aurora-testnet', endedAtMs: Date.now(), id: 'g_newest' });
    await page.evaluate(LOOK_AGAIN);
    await page.getByText('This decision is not the newest.').waitFor();
    expect(await fold.count()).toBe(1);
    expect(await button.evaluate((element) => element.matches(':focus'))).toBe(true);
    await page.getByRole('link', { name: /^The newest is GO/ }).click();
    const card = page.getByRole('region', { name: 'Decision' });
    await card.getByText(/^GO /).waitFor();
    await card.getByText(/^canaryd start aurora --environment testnet/).waitFor();
    expect(await page.getByRole('button', { name: /Approve/ }).count()).toBe(0);
  });

  it('has the commands to copy', async () => {
    const { page } = await open('/gates/g_spark');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy: verify the evidence' }).click();
    await page.getByText('Copied').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toMatch(/^canaryd gate verify evidence\/spark-\d{8}T\d{6}Z --hash c0ffee0{58}$/);
  });

  it('acts by signatures only, asks nobody else, and breaks no rule of its own', async () => {
    const requests = views.flatMap((view) => view.requests);
    const acts = requests.filter((one) => !one.startsWith('GET '));
    await until(() => expect(acts).toHaveLength(4));
    expect(new Set(acts)).toEqual(new Set([`POST ${canaryd.url}/v1/sign-offs`]));
    expect(
      requests.filter((one) => new URL(one.split(' ')[1] ?? '').origin !== canaryd.url),
    ).toEqual([]);
    expect(views.flatMap(({ problems }) => problems)).toEqual([]);
  });
});

const OLD = { id: 'g_aurora20', version: 'v2.0.9' } as const;

function spark(endedAtMs: number): SampleOf {
  const found = { artifacts_date: ['fail', '21 days old; at most 7 days wanted'] } as const;
  return { gate: 'spark', endedAtMs, version: 'v1.4.0', found, parameters: {} };
}

/** The daemon wants a policy; nothing is deployed by it. */
const QUIET_POLICY = `
service: shop
source: direct
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - name: immediate
    until: 1h
    stop:
      queue: { above: 100 }
`;
const SOURCES = { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } };

async function tabTo(target: Locator): Promise<void> {
  const page: Page = target.page();
  await target.waitFor();
  const isFocused = () => target.evaluate((element) => element.matches(':focus'));
  for (let presses = 0; presses < 60 && !(await isFocused()); presses += 1) {
    await page.keyboard.press('Tab');
  }
  expect(await isFocused()).toBe(true);
}
