// The dispatcher on a real journal, without its loop: each sweep is one look.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Delivery, NewDelivery, Outcome } from '../../src/core/delivery.ts';
import { Dispatcher, type DispatcherOptions } from '../../src/engine/dispatcher.ts';
import { Ledger } from '../../src/engine/ledger.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.ts';
import { systemClock } from '../../src/kit/clock.ts';
import {
  aDeploy,
  aMessage,
  aMessageDelivery,
  anActionDelivery,
  aPolicy,
  started,
  stopped,
  T0,
} from '../support/build.ts';
import { until } from '../support/until.ts';

const DELIVERED: Outcome = { kind: 'delivered', detail: 'HTTP 202' };
const FOR_EVER = Number.MAX_SAFE_INTEGER;

describe('Dispatcher', () => {
  let folder = '';
  let journal: Journal;
  let sent: string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'canaryd-dispatcher-'));
    journal = openSqliteJournal({ path: join(folder, 'canaryd.db') });
    sent = [];
  });
  afterEach(async () => {
    await journal[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** A stopped watch with these deliveries. */
  async function plan(deliveries: readonly NewDelivery[]): Promise<void> {
    const create = {
      id: 'w_1',
      deploy: aDeploy(),
      policy: aPolicy(),
      policyHash: 'hash',
      idempotencyKey: null,
      startedAtMs: T0,
    };
    const result = await journal.append([
      {
        watchId: 'w_1',
        create,
        expectedRevision: 0,
        atMs: T0,
        events: [started(), stopped()],
        deliveries: deliveries.map((one) => ({ ...one, deadlineAtMs: FOR_EVER })),
        phase: 'stopped',
        isActive: false,
      },
    ]);
    expect(result).toBe('appended');
  }

  function dispatcher(over: Partial<DispatcherOptions> = {}): Dispatcher {
    const used = over.journal ?? journal;
    return new Dispatcher({
      replica: 'r_1',
      share: { owns: () => true, isOthers: () => false, isCurrent: () => true },
      clock: systemClock,
      random: () => 0,
      journal: used,
      ledger: new Ledger({
        journal: used,
        channels: [],
        publicUrl: null,
        onAppended: () => undefined,
      }),
      sendAction: async ({ id }) => {
        sent.push(id);
        return DELIVERED;
      },
      channels: {
        oncall: {
          spacingMs: 0,
          send: async ({ headline }) => {
            sent.push(headline);
            return DELIVERED;
          },
        },
      },
      hold: async () => null,
      onAttempt: () => undefined,
      onError: (error) => {
        throw error;
      },
      ...over,
    });
  }

  it('finds the rollback and the critical message behind thousands of others', async () => {
    const info = Array.from({ length: 2_500 }, (_, index) =>
      aMessageDelivery(`m${index}`, 'w_1', {
        content: {
          kind: 'message',
          channel: 'oncall',
          message: aMessage({ severity: 'info', headline: `info ${index}` }),
        },
      }),
    );
    await plan([
      ...info,
      anActionDelivery('rollback', 'w_1'),
      aMessageDelivery('stop', 'w_1', {
        content: { kind: 'message', channel: 'oncall', message: aMessage({ headline: 'stop' }) },
      }),
    ]);
    await dispatcher().sweep();
    await until(() => expect(sent).toHaveLength(2));
    expect(sent.toSorted()).toEqual(['stop', 'w_1.rollback']);
  });

  it('leaves a journal that cannot be written to the next sweep', async () => {
    await plan([anActionDelivery('rollback', 'w_1')]);
    const broken: Journal = Object.create(journal);
    const startAttempt = vi.fn(async () => Promise.reject(new Error('the disk is full')));
    Object.assign(broken, {
      startAttempt,
      pendingDeliveries: (limit: number, kind: 'action' | 'message') =>
        journal.pendingDeliveries(limit, kind),
    });
    const onError = vi.fn();
    const one = dispatcher({ journal: broken, onError });
    const poke = vi.spyOn(one, 'poke');
    await one.sweep();
    await until(() => expect(onError).toHaveBeenCalledOnce());
    expect(poke).not.toHaveBeenCalled();
    await one.sweep();
    await until(() => expect(startAttempt).toHaveBeenCalledTimes(2));
    expect(sent).toEqual([]);
  });

  it('does not take an attempt that ended during its look for one of an earlier life', async () => {
    await plan([
      aMessageDelivery('m', 'w_1', {
        content: { kind: 'message', channel: 'oncall', message: aMessage({ severity: 'info' }) },
      }),
    ]);
    const answer = Promise.withResolvers<Outcome>();
    const recorded = Promise.withResolvers<void>();
    const slow: Journal = Object.create(journal);
    let afterRead: () => Promise<void> = async () => undefined;
    const used = ['append', 'watch', 'events', 'delivery', 'startAttempts'] as const;
    for (const name of used) {
      Object.assign(slow, { [name]: journal[name].bind(journal) });
    }
    Object.assign(slow, {
      pendingDeliveries: async (limit: number, kind: 'action' | 'message') => {
        const found = await journal.pendingDeliveries(limit, kind);
        await (kind === 'message' ? afterRead() : undefined);
        return found;
      },
    });
    const one = dispatcher({
      journal: slow,
      channels: { oncall: { spacingMs: 0, send: () => answer.promise } },
      onAttempt: () => recorded.resolve(),
    });
    await one.sweep();
    await until(async () => expect((await deliveryOf('m')).inFlight).toBe(true));
    // The attempt fails for now, after it was read as under way and before it is looked at.
    afterRead = async () => {
      answer.resolve({
        kind: 'retryable',
        reason: 'network',
        detail: 'ECONNRESET',
        retryAfterMs: null,
        maybeDelivered: false,
      });
      await recorded.promise;
      await new Promise((resolve) => setImmediate(resolve));
    };
    await one.sweep();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await deliveryOf('m')).toMatchObject({ state: 'pending', lastReason: 'network' });
  });

  async function deliveryOf(id: string): Promise<Delivery> {
    const found = (await journal.deliveries('w_1')).find((delivery) => delivery.id === id);
    if (found === undefined) throw new Error(`there is no delivery ${id}`);
    return found;
  }
});
