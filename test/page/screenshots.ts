// Makes the pictures of docs/page.md: the story of a bad deploy as a phone and a desk see it, and a
// gate. Run by `npm run screenshots`; needs Chromium. The simulated service goes bad after half a minute.
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as elapsed } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../support/browser.ts';
import { gatePictures } from './gate-screenshots.ts';
import { MADE_OF, pageHash } from './made-of.ts';
import { startPageWorld } from './world.ts';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const PHONE = { width: 390, height: 844, reducedMotion: true } as const;
const DESK = { width: 1_000, height: 1_000, reducedMotion: true } as const;
/** Healthy for so long, so that a chart shows a fall. */
const HEALTHY_MS = 30_000;

mkdirSync(FOLDER, { recursive: true });
const services = ['aurora', 'books', 'quotes'];
const [world, browser] = await Promise.all([startPageWorld(services), openBrowser()]);
try {
  // The time before a deploy is read by standing by: then the state before it is known.
  await elapsed(8_000);
  const parameters = { deploy_capital: 100_000, expected_positions: 10 };
  const over = { by: 'release-bot', parameters };
  const id = await world.deploy('aurora', { ...over, url: 'https://ci.example.com/runs/42' });
  await world.deploy('books', over);
  await world.deploy('quotes', over);
  const { url } = world.canaryd;
  const phone = await browser.open(PHONE);
  await phone.page.goto(`${url}/watches/${id}`);
  await elapsed(HEALTHY_MS);
  await phone.page.screenshot({ path: `${FOLDER}page-watching.png` });
  world.place('aurora').aurora.fault('fill_rate');
  await phone.page.getByText(/^Stopped /).waitFor({ timeout: 30_000 });
  await phone.page.getByText('Rollback accepted').first().waitFor();
  await phone.page.getByText(/Verifies the rollback until/).waitFor();
  await phone.page.screenshot({ path: `${FOLDER}page-phone.png` });
  await phone.page.getByRole('button', { name: 'Acknowledge' }).click();
  await phone.page.getByRole('button', { name: 'Looking into it' }).click();
  await phone.page.getByLabel('Your name').fill('alice');
  await phone.page.screenshot({ path: `${FOLDER}page-dialog.png` });
  await phone.page.getByRole('dialog').getByRole('button', { name: 'Acknowledge' }).click();
  await phone.page.getByText('the rollback helped').waitFor({ timeout: 30_000 });
  await elapsed(4_000);
  for (const dark of [false, true]) {
    const { page } = await browser.open({ ...DESK, dark });
    await page.goto(`${url}/watches/${id}`);
    await page.getByText('the rollback helped').waitFor();
    await page.getByText('the watch is over').waitFor();
    await page.getByRole('img', { name: /^Chart\. Order fill rate.*lowest/ }).waitFor();
    await page.screenshot({ path: `${FOLDER}page-${dark ? 'dark' : 'light'}.png` });
  }
  world.place('books').aurora.fault('memory');
  const list = await browser.open({ ...PHONE, dark: true });
  await list.page.goto(url);
  await list.page.getByText('Stopped').first().waitFor();
  await elapsed(1_000);
  await list.page.screenshot({ path: `${FOLDER}page-list.png` });
  await gatePictures(world.canaryd, browser, FOLDER);
  writeFileSync(MADE_OF, `${pageHash()}\n`);
} finally {
  await browser.close();
  await world.close();
}
