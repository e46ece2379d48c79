// A bound for what is awaited: everything that hangs ends here, also what knows no time-out.
import type { Clock } from './clock.ts';

/** Made once: an exception with its stack for each call would cost more than the wait. */
const OVER = new Error('what was waited for has come');

/**
 * The result of `work`, or what `tired` returns (or throws) after `ms`. The work itself is not
 * ended by that: whoever can end it does so in `tired`; what it still gives is dropped.
 */
export async function within<T, U>(
  clock: Clock,
  ms: number,
  work: () => Promise<T>,
  tired: () => U,
): Promise<T | U> {
  const patience = new AbortController();
  const isTired = clock.sleep(ms, patience.signal).then(
    () => true,
    () => false,
  );
  const late: Promise<U> = new Promise((resolve, reject) => {
    isTired.then((is) => {
      if (!is) return;
      try {
        resolve(tired());
      } catch (error) {
        reject(error);
      }
    });
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    patience.abort(OVER);
  }
}
