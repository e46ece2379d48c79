// The pictures of gates in docs/page.md: a release that is not ready as a phone and a desk see it.
import { recordJson } from '../../src/core/gate-record-json.ts';
import type { BrowserDoor, ViewSetup } from '../support/browser.ts';
import type { Canaryd } from '../support/daemon.ts';
import { notReady, type SampleOf, sampleRecord } from './gate-sample.ts';

const MINUTE = 60_000;
const HASH = '5f2d81c7'.repeat(8);
const PHONE = { width: 390, height: 844, reducedMotion: true } as const;
const DESK = { width: 1_000, height: 1_000, reducedMotion: true } as const;

export async function gatePictures(
  { url, post }: Canaryd,
  browser: BrowserDoor,
  folder: string,
): Promise<void> {
  const nowMs = Date.now();
  for (const sample of samples(nowMs)) {
    const body = { ...recordJson(sampleRecord(sample)), evidence: { folder: null, sha256: HASH } };
    const { status, body: answer } = await post('/v1/gate-records', body);
    if (status !== 201) throw new Error(`not taken: ${JSON.stringify(answer)}`);
  }
  const open = async (path: string, setup: ViewSetup) => {
    const { page } = await browser.open(setup);
    await page.goto(`${url}${path}`);
    await page.getByText('live', { exact: true }).waitFor();
    return page;
  };
  const desk = await open('/gates/g_aurora21', DESK);
  await desk.screenshot({ path: `${folder}page-gate.png` });
  const phone = await open('/gates/g_aurora21', { ...PHONE, dark: true });
  await phone.screenshot({ path: `${folder}page-gate-phone.png` });
  await phone.getByRole('button', { name: /^Sign as devops lead: DevOps/ }).click();
  await phone.getByLabel('Your name').fill('Jonas Beck');
  await phone.getByLabel('Note').fill('Dashboards and alerts looked at');
  await phone.screenshot({ path: `${folder}page-gate-sign.png` });
  const list = await open('/gates', PHONE);
  await list.screenshot({ path: `${folder}page-gates.png` });
}

function samples(nowMs: number): readonly SampleOf[] {
  const spark = { gate: 'spark', version: 'v1.4.0', parameters: {} } as const;
  const old = ['fail', 'dated 2026-11-01, 21 days old; at most 7 days wanted'] as const;
  return [
    { gate: 'aurora-testnet', endedAtMs: nowMs - 74 * 60 * MINUTE, id: 'g_aurora20', ...OLDER },
    {
      ...{ gate: 'mech-exo-deploy', endedAtMs: nowMs - 95 * MINUTE, id: 'g_mechexo' },
      ...{ version: 'v0.5.2', parameters: {} },
    },
    { ...spark, endedAtMs: nowMs - 41 * MINUTE, id: 'g_spark14', found: { artifacts_date: old } },
    notReady(nowMs - 12 * MINUTE),
  ];
}

const OLDER = { version: 'v2.0.9' } as const;
