// What a backtest has finished, one JSON line for each deploy and policy, so that a run that was
// killed goes on where it was. A line that was cut off is done again. A disk that is full ends the
// keeping, not the backtest.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { messageOf } from '../kit/errors.ts';
import { VERSION } from '../kit/version.ts';
import type { DeployResult, Load, PastDeploy } from './result.ts';
import type { Finished } from './run.ts';

/** Counted up when older files mean something else. */
const FORMAT = 2;
const HEADER = JSON.stringify({ canaryd_backtest: FORMAT });
/** Thousands of replays; a larger file is none of ours. */
const BYTES_MAX = 256_000_000;

type Entry = { readonly key: string; readonly result: DeployResult; readonly load: Load };

export type StateFile = Finished & { readonly found: number; close(): void };

export type StateFileResult =
  | { readonly kind: 'opened'; readonly state: StateFile }
  | { readonly kind: 'failed'; readonly detail: string };

/**
 * @param origin what else the results depend on: where the history is
 * @param onLost the file cannot be written any more; said once, then nothing is kept
 */
export function openStateFile(
  path: string,
  origin: string,
  onLost: (detail: string) => void,
): StateFileResult {
  const read = readOrEmpty(path);
  if ('detail' in read) return { kind: 'failed', ...read };
  const { text } = read;
  const [header = '', ...lines] = text.split('\n');
  if (text !== '' && header !== HEADER) {
    return { kind: 'failed', detail: 'it is no state of a backtest; name a new file' };
  }
  const entries = new Map(lines.flatMap(entryOf).map((entry) => [entry.key, entry]));
  let file: number | null = null;
  const close = () => {
    if (file !== null) closeSync(file);
    file = null;
  };
  try {
    file = openSync(path, 'a', 0o600);
    if (text === '') append(file, HEADER);
    // The end of a line that was cut off.
    else if (!text.endsWith('\n')) append(file, '');
  } catch (error) {
    close();
    return { kind: 'failed', detail: `it cannot be written: ${messageOf(error)}` };
  }
  const state: StateFile = {
    found: entries.size,
    find: (hash, deploy) => entries.get(keyOf(origin, hash, deploy)) ?? null,
    keep(hash, deploy, result, load) {
      if (file === null) return;
      const entry: Entry = { key: keyOf(origin, hash, deploy), result, load };
      try {
        append(file, JSON.stringify(entry));
      } catch (error) {
        close();
        onLost(`it cannot be written: ${messageOf(error)}`);
      }
    },
    close,
  };
  return { kind: 'opened', state };
}

function append(file: number, line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  fsyncSync(file);
}

function readOrEmpty(path: string): { readonly text: string } | { readonly detail: string } {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { text: '' };
    if (!found.isFile()) return { detail: 'it is no file; name a new one' };
    if (found.size > BYTES_MAX) {
      return {
        detail: `it has ${found.size} bytes, at most ${BYTES_MAX} are read; name a new file`,
      };
    }
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { detail: `it cannot be read: ${messageOf(error)}` };
  }
}

function entryOf(line: string): Entry[] {
  try {
    const entry = JSON.parse(line) as Partial<Entry>;
    const { key, result, load } = entry;
    return key && result && load ? [{ key, result, load }] : [];
  } catch {
    return [];
  }
}

/** Everything that the result depends on; the label does not change what is replayed. */
function keyOf(origin: string, hash: string, { label: _label, ...deploy }: PastDeploy): string {
  const what = JSON.stringify([VERSION, origin, hash, deploy]);
  return createHash('sha256').update(what).digest('hex').slice(0, 24);
}
