// A real browser for tests of the page: Chromium as the machine has it, driven by playwright-core.
// Everything that a page complains about, and everywhere it asks, is written down.
// Needs no test runner.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
/** A loaded machine of two cores. */
const ACTION_MS = 10_000;

/** Path of the first browser on PATH; null when there is none. */
export function chromiumPath(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type View = {
  readonly page: Page;
  /** Console errors, uncaught errors, violations of the content security policy. */
  readonly problems: readonly string[];
  /** Method and URL of each request. */
  readonly requests: readonly string[];
};

export type ViewSetup = {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly reducedMotion?: boolean;
  /** Pixels of the device for each of the page. */
  readonly scale?: number;
};

export type BrowserDoor = {
  /** A page of its own, with a storage of its own. */
  open(setup?: ViewSetup): Promise<View>;
  close(): Promise<void>;
};

export async function openBrowser(): Promise<BrowserDoor> {
  const executablePath = chromiumPath();
  if (executablePath === null) throw new Error(`none of ${NAMES.join(', ')} is on PATH`);
  const browser: Browser = await chromium.launch({
    executablePath,
    // As root Chromium has no sandbox; nothing but our own page is opened.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  return {
    open: (setup = {}) => openView(browser, setup),
    close: () => browser.close(),
  };
}

async function openView(browser: Browser, setup: ViewSetup): Promise<View> {
  const context = await browser.newContext({
    viewport: { width: setup.width ?? 1_000, height: setup.height ?? 900 },
    colorScheme: setup.dark === true ? 'dark' : 'light',
    reducedMotion: setup.reducedMotion === true ? 'reduce' : 'no-preference',
    deviceScaleFactor: setup.scale ?? 1,
    timezoneId: 'UTC',
    locale: 'en-GB',
  });
  context.setDefaultTimeout(ACTION_MS);
  const page = await context.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`));
  return { page, problems, requests };
}
