// PostgreSQL is killed while canaryd is in the middle of acting: canaryd lives on, says so, begins
// nothing that cannot be written, and finishes under the same keys when the server is back.
import { describe, it } from 'vitest';
import { hasPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { amount } from './amount.ts';
import { check } from './check.ts';
import { aStart, openLane } from './lane.ts';
import { onServer } from './stores.ts';

const MOMENTS = (['rollback arrives', 'disarm arrives'] as const).slice(0, amount(1, 2));

/** SIGKILL to all of it at once: a machine that is gone. */
function killServer(server: PostgresServer): void {
  for (const pid of server.pids()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself when its parent did.
    }
  }
}

describe.skipIf(!hasPostgres())('canaryd, when PostgreSQL is killed', () => {
  it.for(MOMENTS)(
    'as the %s: lives on, says so, and does each action under one key',
    {
      timeout: 90_000,
    },
    async (moment, { expect, onTestFinished }) => {
      const server = await startPostgres();
      onTestFinished(() => server.stop());
      const lane = await openLane(onServer(server).fresh());
      onTestFinished(() => lane.close());
      const { canaryd, receiver, figures } = lane;
      const { pid } = canaryd;
      const killed = Promise.withResolvers<void>();
      let isUp = true;
      figures.add({
        environment: 'outage',
        isBad: true,
        heals: true,
        slowMs: 200,
        onStep(step) {
          if (!isUp || step !== moment) return;
          isUp = false;
          killServer(server);
          killed.resolve();
        },
      });
      const { status, body } = await canaryd.post('/v1/watches', aStart('outage'));
      expect(status).toBe(201);
      const id = String(body['id']);
      await killed.promise;
      const ready = async () => (await fetch(`${canaryd.url}/readyz`)).status;
      await expect.poll(ready, { timeout: 20_000 }).toBe(503);
      const said = await fetch(`${canaryd.url}/readyz?verbose`);
      expect(await said.text()).toMatch(/^journal: .*postgres/m);
      expect(receiver.requests.at(-1)?.path).toBe(`/${moment.split(' ')[0]}`);

      await server.start();
      await expect.poll(ready, { timeout: 20_000 }).toBe(200);
      await expect
        .poll(async () => (await canaryd.watch(id)).verification, { timeout: 30_000 })
        .toBe('confirmed');
      expect(canaryd.pid).toBe(pid);
      const expected = { environment: 'outage', isBad: true, heals: true, acknowledged: id };
      expect((await check({ ...lane, url: canaryd.url }, expected)).problems).toEqual([]);
    },
  );
});
