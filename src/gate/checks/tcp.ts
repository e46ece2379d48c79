// TCP connections that are accepted. A refused one is an answer: nobody listens there. Silence and
// a name that is not found are unknown.
import { connect } from 'node:net';
import { ms } from '../../config/fields.ts';
import { type Address, parseAddress, type TcpInput } from '../../config/gate-checks/tcp.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck } from '../kinds.ts';

const BEYOND_TRY_MS = 500;

export function tcpCheck({ addresses, timeout }: TcpInput): MadeCheck {
  return {
    kind: 'tcp',
    wants: `connections to ${addresses.join(', ')}`,
    timeoutMs: ms(timeout) + BEYOND_TRY_MS,
    run: async ({ signal, clock }) => {
      const all = addresses.map(async (written) => {
        const address = parseAddress(written);
        if (address === null) throw new Error(`not checked before: ${written}`);
        const started = clock.monotonic();
        const found = await reached(address, ms(timeout), signal);
        const took = Math.round(clock.monotonic() - started);
        if (found.kind === 'good') return { ...found, text: `${written} in ${took} ms` };
        return { ...found, text: `${written}: ${found.text}` };
      });
      return summedUp(await Promise.all(all));
    },
  };
}

function reached(address: Address, timeoutMs: number, signal: AbortSignal): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: timeoutMs });
    const end = (found: Found) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(found);
    };
    const onAbort = () => end({ kind: 'unknown', text: 'the check was cut off' });
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('connect', () => end({ kind: 'good', text: '' }));
    socket.on('timeout', () =>
      end({ kind: 'unknown', text: `no connection within ${timeoutMs} ms` }),
    );
    socket.on('error', (error) => end(refusal(error)));
    if (signal.aborted) onAbort();
  });
}

function refusal(error: Error): Found {
  const code = 'code' in error ? String(error.code) : 'connection failed';
  if (code === 'ECONNREFUSED') return { kind: 'bad', text: 'connection refused' };
  return { kind: 'unknown', text: code === 'ENOTFOUND' ? 'host name not found' : code };
}
