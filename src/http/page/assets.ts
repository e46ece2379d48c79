// The files of the page, read once: they are few, and the same for everybody. Their names carry a
// hash of all of them, so that a browser may keep them for ever and never mixes two versions.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export type Asset = {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
};

export type Assets = {
  readonly version: string;
  readonly files: ReadonlyMap<string, Asset>;
  readonly html: Asset;
};

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  html: 'text/html; charset=utf-8',
};

const HERE = fileURLToPath(new URL('.', import.meta.url));
const BROWSER = join(HERE, 'browser');
const require = createRequire(import.meta.url);

let loaded: Assets | null = null;

export function pageAssets(): Assets {
  loaded ??= load();
  return loaded;
}

function load(): Assets {
  const sources = new Map<string, Buffer>();
  for (const name of readdirSync(BROWSER).sort()) {
    if (/\.(?:js|css|svg)$/.test(name)) sources.set(name, readFileSync(join(BROWSER, name)));
  }
  sources.set('uplot.js', readFileSync(require.resolve('uplot/dist/uPlot.esm.js')));
  sources.set('uplot.css', readFileSync(require.resolve('uplot/dist/uPlot.min.css')));
  const hash = createHash('sha256');
  for (const [name, body] of sources) hash.update(`${name}\0`).update(body);
  const version = hash.digest('hex').slice(0, 12);
  const files = new Map([...sources].map(([name, body]) => [name, asset(name, body)] as const));
  // All modules are asked for at once: on a slow line each step of a chain would cost a second.
  const modules = [...sources.keys()].filter((name) => name.endsWith('.js'));
  const preload = modules.map(
    (name) => `<link rel="modulepreload" href="/page/${version}/${name}">`,
  );
  const html = readFileSync(join(BROWSER, 'page.html'), 'utf8')
    .replaceAll('{{version}}', version)
    .replace('{{preload}}', preload.join('\n    '));
  return { version, files, html: asset('page.html', Buffer.from(html)) };
}

function asset(name: string, body: Buffer): Asset {
  const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
  return { type, body, gzipped: gzipSync(body) };
}
