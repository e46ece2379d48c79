// Listening and closing, the same for the simulated service and its receivers.
import type { Server } from 'node:http';

export type Listening = {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
};

export async function listen(server: Server, port: number, host: string): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${actual}`,
    port: actual,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        // Requests that hang on purpose would keep it open for ever.
        server.closeAllConnections();
      }),
  };
}
