// Stands between a client and a server, and can fall silent: what is sent is taken and never
// answered, as when a machine or a network hangs.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export type SilentProxy = {
  readonly port: number;
  /** From now on nothing comes back; connections stay open. */
  silence(): void;
  /** Connections that were silent are cut; new ones work. */
  recover(): void;
  stop(): Promise<void>;
};

export async function startProxy(toPort: number): Promise<SilentProxy> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((client) => {
    const target = connect(toPort, '127.0.0.1');
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          target.destroy();
        });
    }
    client.on('data', (bytes) => target.write(bytes));
    target.on('data', (bytes) => {
      if (!isSilent) client.write(bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    silence() {
      isSilent = true;
    },
    recover() {
      isSilent = false;
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
