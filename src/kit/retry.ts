// Repeating what may safely be repeated: reads, and requests that mean the same when they arrive
// twice. Never deliveries: theirs are the journal's, and survive a crash.
import pRetry from 'p-retry';

export type RetryOptions<T> = {
  /** Whether this result is worth another try. */
  readonly isPassing: (result: T) => boolean;
  readonly attempts: number;
  /** Before the second attempt; it doubles from there. */
  readonly firstWaitMs: number;
  readonly signal: AbortSignal;
};

/** Carries a result through p-retry, which knows only errors. */
class PassingFailure<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super('worth another try');
    this.result = result;
  }
}

/** The first result that is not passing, or the last one. Rejects only with what `work` throws. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions<T>): Promise<T> {
  const { isPassing, attempts, firstWaitMs, signal } = options;
  let last: T | undefined;
  try {
    return await pRetry(
      async () => {
        last = await work();
        if (isPassing(last)) throw new PassingFailure(last);
        return last;
      },
      {
        retries: attempts - 1,
        minTimeout: firstWaitMs,
        factor: 2,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => error instanceof PassingFailure,
      },
    );
  } catch (error) {
    if (error instanceof PassingFailure) return error.result as T;
    if (signal.aborted && last !== undefined) return last;
    throw error;
  }
}
