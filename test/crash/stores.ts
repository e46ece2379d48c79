// Where the daemons of a run keep their journals: a file of its own for each, or a schema of its own
// for each on one real PostgreSQL server.
import { readFileSync } from 'node:fs';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import type { Journaled } from './lane.ts';

export const STORES = ['sqlite', 'postgres'] as const;
export type StoreName = (typeof STORES)[number];

export type Store = {
  /** A new, empty journal. */
  fresh(): Journaled;
  /** CPU seconds of the server so far; 0 when there is none. */
  cpuS(): number;
  close(): Promise<void>;
};

/** Ticks of the times in /proc. */
const CPU_TICKS_PER_S = 100;

export async function openStore(name: StoreName): Promise<Store> {
  if (name === 'postgres') return onServer(await startPostgres());
  return {
    // In the daemon's own folder: relative to its config.
    fresh: () => ({ config: { sqlite: { path: 'canaryd.db' } }, env: {} }),
    cpuS: () => 0,
    close: async () => {},
  };
}

export function onServer(server: PostgresServer): Store {
  let journals = 0;
  return {
    fresh() {
      journals += 1;
      const schema = `journal_${journals}`;
      return { config: { postgres: { url: '$DATABASE', schema } }, env: { DATABASE: server.url } };
    },
    cpuS() {
      const [postmaster = 0, ...children] = server.pids();
      const own = children.map((pid) => cpuS(pid));
      return own.reduce((sum, one) => sum + one, cpuS(postmaster, true));
    },
    close: () => server.stop(),
  };
}

/** User and system time of a process; when asked, with that of its ended children. */
export function cpuS(pid: number, withChildren = false): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const ticks = fields.slice(11, withChildren ? 15 : 13).map(Number);
    return ticks.reduce((sum, one) => sum + one, 0) / CPU_TICKS_PER_S;
  } catch {
    // It has ended, or there is no /proc.
    return 0;
  }
}
