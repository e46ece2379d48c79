// The console of PgBouncer, as far as SHOW DATABASES goes: startup, a password, the simple protocol.
// Needs no test runner.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export type Pool = {
  readonly name: string;
  readonly size: number;
  readonly connections: number;
};

export type FakePgBouncer = {
  readonly port: number;
  readonly password: string;
  setPools(pools: readonly Pool[]): void;
  stop(): Promise<void>;
};

const COLUMNS = ['name', 'host', 'port', 'database', 'pool_size', 'current_connections'];
const INT4 = 23;
const TEXT = 25;

export async function startFakePgBouncer(): Promise<FakePgBouncer> {
  const password = 'console-only';
  let pools: readonly Pool[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let left = Buffer.alloc(0);
    let isStarted = false;
    socket.on('data', (bytes) => {
      left = Buffer.concat([left, bytes]);
      for (;;) {
        const head = isStarted ? 1 : 0;
        if (left.length < head + 4) return;
        const length = head + left.readUInt32BE(head);
        if (left.length < length) return;
        const type = isStarted ? left.toString('latin1', 0, 1) : 'startup';
        const body = left.subarray(head + 4, length);
        left = left.subarray(length);
        isStarted = true;
        socket.write(answer(type, body.toString('utf8').replace(/\0$/, '')));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function answer(type: string, text: string): Buffer {
    if (type === 'startup') return message('R', int32(3));
    if (type === 'p') {
      if (text !== password) return failure('08P01', 'password authentication failed');
      const version = Buffer.from('server_version\x001.23.1/bouncer\0');
      return Buffer.concat([message('R', int32(0)), message('S', version), READY]);
    }
    if (type !== 'Q') return Buffer.alloc(0);
    if (!/^show databases;?$/i.test(text.trim())) {
      return Buffer.concat([failure('42601', `unsupported command '${text}'`), READY]);
    }
    const rows = pools.map(({ name, size, connections }) =>
      row([name, '127.0.0.1', '5432', name, `${size}`, `${connections}`]),
    );
    return Buffer.concat([described(), ...rows, message('C', Buffer.from('SHOW\0')), READY]);
  }

  return {
    port: (server.address() as AddressInfo).port,
    password,
    setPools(all) {
      pools = all;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const READY = message('Z', Buffer.from('I'));

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function failure(code: string, text: string): Buffer {
  return message('E', Buffer.from(`SERROR\0C${code}\0M${text}\0\0`));
}

function described(): Buffer {
  const fields = COLUMNS.map((name) => {
    const isNumber = name === 'port' || name === 'pool_size' || name === 'current_connections';
    return Buffer.concat([
      ...[Buffer.from(`${name}\0`), int32(0), int16(0), int32(isNumber ? INT4 : TEXT)],
      ...[int16(-1), int32(-1), int16(0)],
    ]);
  });
  return message('T', Buffer.concat([int16(fields.length), ...fields]));
}

function row(values: readonly string[]): Buffer {
  const columns = values.map((text) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([int32(bytes.length), bytes]);
  });
  return message('D', Buffer.concat([int16(values.length), ...columns]));
}
