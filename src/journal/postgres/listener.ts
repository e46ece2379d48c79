// Hints from other replicas: one connection that listens, and comes back when it is cut. Whatever
// is lost on the way is found by the engine's own looking.
import { Socket } from 'node:net';
import { Client } from 'pg';
import { systemClock } from '../../kit/clock.ts';
import { newReplicaId } from '../../kit/random.ts';
import { clientConfig, type Place } from './database.ts';

const FIRST_PAUSE_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** A connection that is cut without a word is noticed by asking. */
const ASK_EVERY_MS = 10_000;

export type Hint = (watchId: string | null) => void;

export class Listener {
  /** One schema is one channel; names of schemas are short enough. */
  readonly channel: string;
  readonly #me = newReplicaId();
  readonly #place: Place;
  readonly #hints = new Set<Hint>();
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;

  constructor(place: Place) {
    this.#place = place;
    this.channel = `canaryd ${place.schema}`;
  }

  /** Says who tells it, so that nobody hears himself. */
  payload(watchId: string | null): string {
    return `${this.#me} ${watchId ?? ''}`;
  }

  add(hint: Hint): () => void {
    this.#hints.add(hint);
    this.#running ??= this.#run();
    return () => this.#hints.delete(hint);
  }

  #tell(watchId: string | null): void {
    for (const hint of this.#hints) hint(watchId);
  }

  #heard(payload: string): void {
    const [sender, watchId] = payload.split(' ', 2);
    if (sender !== this.#me) this.#tell(watchId === undefined || watchId === '' ? null : watchId);
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = FIRST_PAUSE_MS;
    let isFirst = true;
    while (!signal.aborted) {
      const wasListening = await this.#listen(signal, () => {
        // What was told meanwhile was not heard.
        if (!isFirst) this.#tell(null);
        isFirst = false;
      });
      pauseMs = wasListening ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, PAUSE_MAX_MS);
      await systemClock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  /** Until the connection ends; whether there was one. */
  async #listen(signal: AbortSignal, onReady: () => void): Promise<boolean> {
    const lost = new AbortController();
    // Cut, it ends whatever waits for an answer on it; a farewell might never be heard.
    const socket = new Socket();
    const cut = () => socket.destroy();
    const end = () => lost.abort();
    let isListening = false;
    signal.addEventListener('abort', cut, { once: true });
    try {
      const client = new Client({ ...clientConfig(this.#place), stream: () => socket });
      client.on('error', end).on('end', end);
      client.on('notification', ({ payload }) => this.#heard(payload ?? ''));
      await client.connect();
      await client.query(`LISTEN "${this.channel}"`);
      isListening = true;
      onReady();
      while (!lost.signal.aborted) {
        await systemClock.sleep(ASK_EVERY_MS, lost.signal).catch(() => {});
        if (!lost.signal.aborted) await client.query('SELECT 1');
      }
    } catch {
      // Told by whatever needs the database; this one only tries again.
    } finally {
      signal.removeEventListener('abort', cut);
      cut();
    }
    return isListening;
  }

  async close(): Promise<void> {
    this.#hints.clear();
    this.#closing.abort();
    await this.#running;
  }
}
