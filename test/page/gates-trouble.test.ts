// The pages of gates when things are not as they should be: tokens, nothing there yet, text that is
// markup or endless, stop conditions that nobody overrides. A real browser, the real desk and journal.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GateRecord, headOf } from '../../src/core/gate-record.ts';
import type { GateDecision, Gates } from '../../src/engine/gate-desk.ts';
import { tokenMatcher } from '../../src/http/auth.ts';
import { type BrowserDoor, chromiumPath, openBrowser } from '../support/browser.ts';
import { gateDesk } from '../support/gate-desk.ts';
import { api, listening } from '../support/http-server.ts';
import { seriousIn } from './axe.ts';
import { notReady, type SampleOf, sampleRecord } from './gate-sample.ts';

const HASH = 'c0ffee'.padEnd(64, '0');
const MARKUP = '<img src=x onerror=alert(1)>';
/** Turns what follows around, unless it is kept apart. */
const RTL = '\u202eevil\u2067';
const WIDTH = 'document.documentElement.scrollWidth';
const TOKENS = [
  { name: 'viewer', scopes: ['read'] as const, matches: tokenMatcher('view-secret') },
  { name: 'lead', scopes: ['read', 'act'] as const, matches: tokenMatcher('act-secret') },
];

describe.skipIf(chromiumPath() === null)(
  'the page of gates in trouble (needs the `chromium` binary)',
  () => {
    let browser: BrowserDoor;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser?.close());

    async function opened(path: string, options: Parameters<typeof api>[0]) {
      const server = api(options);
      const url = await listening(server);
      const view = await browser.open({ width: 360, height: 780 });
      onTestFinished(() => view.page.context().close());
      await view.page.goto(`${url}${path}`);
      return { ...view, url };
    }
    async function reported(sample: SampleOf) {
      const { desk } = gateDesk();
      await desk.report({ ...sampleRecord(sample), evidenceHash: HASH }, 'ci');
      return desk;
    }

    it('shows text of others as text, however long and whatever its direction', async () => {
      const record = hostile(sampleRecord(notReady(Date.now())));
      const { page, problems } = await opened('/gates/g_x', { gates: showing(record) });
      await page
        .getByRole('heading', { name: /^<img src=x/ })
        .first()
        .waitFor();
      await page.evaluate(OPEN_ALL);
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.evaluate(WIDTH)).toBe(360);
      expect(await seriousIn(page)).toEqual([]);
      expect(problems).toEqual([]);
      // Each stands in an element that keeps its direction to itself.
      expect(await page.evaluate(LOOSE)).toEqual([]);
      await page
        .getByRole('button', { name: /^Sign as/ })
        .first()
        .click();
      expect([await page.evaluate(WIDTH), await page.locator('img').count()]).toEqual([360, 0]);
    });

    it('shows the same in the list', async () => {
      const record = hostile(sampleRecord(notReady(Date.now())));
      const { page, problems } = await opened('/gates', { gates: showing(record) });
      await page.getByText('NO-GO').waitFor();
      expect([await page.evaluate(WIDTH), await page.locator('img').count()]).toEqual([360, 0]);
      expect(problems).toEqual([]);
    });

    it('asks for a token, and says that one which may only read does not sign', async () => {
      const gates = await reported(notReady(Date.now()));
      const { page, requests } = await opened('/gates/g_aurora21', { gates, tokens: TOKENS });
      await page.getByLabel('Token').fill('view-secret');
      await page.keyboard.press('Enter');
      await page.getByText('NO-GO').waitFor();
      await page.getByText('Signing: the token viewer may only read.').waitFor();
      const signs = page.getByRole('button', { name: /^Sign as|^Approve/ });
      expect(await signs.count()).toBeGreaterThan(2);
      for (const button of await signs.all()) expect(await button.isDisabled()).toBe(true);
      await page.getByRole('button', { name: 'Forget token' }).waitFor();
      expect(await page.evaluate(WIDTH)).toBe(360);
      expect(await seriousIn(page)).toEqual([]);
      expect(requests.filter((one) => one.includes('secret') || !one.startsWith('GET '))).toEqual(
        [],
      );
    });

    it('records the token beside the name that is signed with', async () => {
      const gates = await reported(notReady(Date.now()));
      const { page } = await opened('/gates/g_aurora21', { gates, tokens: TOKENS });
      await page.getByLabel('Token').fill('act-secret');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: /^Sign as devops lead: DevOps/ }).click();
      await page.getByLabel('Your name (the token lead is recorded too)').fill('Jonas');
      await page.keyboard.press('Enter');
      await page.getByText(/Jonas as devops lead.*by the token lead/).waitFor();
      const signed = await gates.signOffs({ gate: 'aurora-testnet', limit: 10 });
      expect(signed).toMatchObject([{ name: 'Jonas', via: 'lead' }]);
    });

    it('offers no override of a stop condition, and says why', async () => {
      const found = { xai_corruption: ['fail', '3 lines are no JSON'] } as const;
      const gates = await reported({ gate: 'aurora-testnet', endedAtMs: Date.now(), found });
      const { page } = await opened('/gates/g_aurora21', { gates });
      const override = page.getByRole('button', { name: 'Approve an override…' });
      await override.waitFor();
      expect(await override.isDisabled()).toBe(true);
      await page.getByText('Not possible: a stop condition holds').waitFor();
      await page.getByText('HOLDS', { exact: true }).waitFor();
    });

    it('shows who has waived or mitigated what, why and until when', async () => {
      const endedAtMs = Date.now();
      const gates = await reported({
        ...{ gate: 'aurora-testnet', endedAtMs },
        found: { test_coverage: ['fail', 'lines 88 %'] },
        exemptions: [
          {
            ...{ kind: 'waiver', criterion: 'test_coverage', by: 'Vera Lind' },
            ...{ reason: 'generated code', untilMs: endedAtMs + 9 * 86_400_000 },
          },
        ],
      });
      const { page } = await opened('/gates/g_aurora21', { gates });
      await page.getByText(/^GO \d+ s ago|^GO just now/).waitFor();
      await page.getByRole('heading', { name: 'Waived or mitigated (1)' }).waitFor();
      await page.getByText(/^Waived until .* by Vera Lind: generated code$/).waitFor();
    });

    it('says that no gate has decided yet, and that a decision is not there', async () => {
      const { desk: gates } = gateDesk();
      const { page, url } = await opened('/gates', { gates });
      await page.getByText('No gate has told its decision yet').waitFor();
      await page.goto(`${url}/gates/g_none`);
      await page.getByText('No decision of a gate has the id g_none').waitFor();
      expect(await seriousIn(page)).toEqual([]);
    });
  },
);

/** All that others write, in every place. */
function hostile(record: GateRecord): GateRecord {
  const text = `${MARKUP}${RTL}${'x'.repeat(4_000)}`;
  const signed = {
    ...{ gate: record.gate, criterion: 'c', role: 'r'.repeat(64), name: text, note: text },
    ...{ environment: text, version: text, atMs: Date.now(), via: MARKUP },
  };
  const exemption = { kind: 'waiver', criterion: 'c', by: text, reason: text } as const;
  // Some of each level and all that are signed: a browser on a loaded machine is slow.
  const some = record.criteria.filter(({ signOffs }, at) => at % 8 === 0 || signOffs.length > 0);
  const criteria = some.map((one, index) => ({
    ...one,
    title: text,
    section: index % 2 === 0 ? text : null,
    exemption: index === 0 ? { ...exemption, untilMs: Date.now() } : null,
    checks: one.checks.map((check) => ({ ...check, text, wants: text, details: [text] })),
    signOffs: one.signOffs.map(({ role }, at) => {
      return { role, statement: text, text, signed: at === 0 ? null : signed };
    }),
  }));
  return {
    ...record,
    ...{ gate: text, title: text, next: text, version: text, tools: { [text]: text } },
    deploy: { service: text, environment: text, version: text, parameters: { [text]: text } },
    reasons: [text, ...record.reasons, ...record.reasons.map(() => text)],
    override: { approvals: [signed], risk: text },
    criteria,
  };
}

function showing(record: GateRecord): Gates {
  const kept = { evidenceHash: HASH, reportedBy: MARKUP, receivedAtMs: Date.now() };
  const decision: GateDecision = {
    ...{ record: { ...record, ...kept }, url: null, isNewest: true },
    signedSince: [],
  };
  const { desk } = gateDesk();
  const shown: Pick<Gates, 'decision' | 'decisions'> = {
    decision: async () => decision,
    decisions: async () => [{ head: headOf(decision.record), url: null, isNewest: true }],
  };
  return Object.assign(Object.create(desk) as Gates, shown);
}

const OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true";

/** Names of elements whose own text has marks of direction, and that do not isolate it. */
const LOOSE = `[...document.body.querySelectorAll(':not(bdi, textarea)')].flatMap((element) => {
  const own = [...element.childNodes].filter((node) => node.nodeType === 3);
  const isLoose = own.some((node) => /[\\u202a-\\u202e\\u2066-\\u2069]/.test(node.nodeValue));
  return isLoose ? [element.tagName + ' ' + element.className] : [];
})`;
