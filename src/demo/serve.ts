// The simulated service and its receivers as one stand-alone program, for docker-compose:
//   node src/demo/serve.ts --port 8080 --ops-port 8081 --secret-file /run/secrets/ops
// `POST /fault/<name>` (or `none`) breaks it, `POST /deploy/<version>` releases a version, and
// `POST /arm` lets it trade again after a disarm.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startAurora } from './aurora.ts';
import { startOps } from './ops.ts';

const USAGE =
  'usage: serve.ts [--port 8080] [--ops-port 8081] [--host 127.0.0.1] [--release 1.0.0] ' +
  '[--secret-file <path>]';

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw new Error(`found "${text}", wanted a port from 0 to 65535. ${USAGE}`);
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    'ops-port': { type: 'string', default: '8081' },
    host: { type: 'string', default: '127.0.0.1' },
    release: { type: 'string', default: '1.0.0' },
    'secret-file': { type: 'string' },
  },
});

const file = values['secret-file'];
const { host } = values;
const aurora = await startAurora({
  port: port(values.port),
  host,
  version: values.release,
  controls: true,
});
const ops = await startOps({
  aurora,
  port: port(values['ops-port']),
  host,
  ...(file === undefined ? {} : { secret: readFileSync(file, 'utf8').trim() }),
  onCall: ({ text }) => process.stdout.write(`[on-call] ${text}\n`),
  onAction: ({ action, webhookId, isRepeat }) =>
    process.stdout.write(`[ops] ${action} ${webhookId}${isRepeat ? ' (repeat)' : ''}\n`),
});
process.stdout.write(`aurora ${aurora.version} on ${aurora.url}, receivers on ${ops.url}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void Promise.all([aurora.close(), ops.close()]);
  });
}
