// What a backtest has finished, one JSON line for each deploy and policy, so that a run that was
// killed goes on where it was. A line that was cut off is done again.
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { VERSION } from '../kit/version.ts';
import type { DeployResult, Load, PastDeploy } from './result.ts';
import type { Finished } from './run.ts';

/** Counted up when older files mean something else. */
const FORMAT = 1;
const HEADER = JSON.stringify({ canaryd_backtest: FORMAT });

type Entry = { readonly key: string; readonly result: DeployResult; readonly load: Load };

export type StateFile = Finished & { readonly found: number; close(): void };

export type StateFileResult =
  | { readonly kind: 'opened'; readonly state: StateFile }
  | { readonly kind: 'failed'; readonly detail: string };

/** @param origin what else the results depend on: where the history is */
export function openStateFile(path: string, origin: string): StateFileResult {
  const text = readOrEmpty(path);
  if (text === null) return { kind: 'failed', detail: 'it cannot be read' };
  const [header = '', ...lines] = text.split('\n');
  if (text !== '' && header !== HEADER) {
    return { kind: 'failed', detail: 'it is no state of a backtest; name a new file' };
  }
  const entries = new Map(lines.flatMap(entryOf).map((entry) => [entry.key, entry]));
  let file: number;
  try {
    file = openSync(path, 'a', 0o600);
  } catch {
    return { kind: 'failed', detail: 'it cannot be written' };
  }
  const append = (line: string) => {
    writeSync(file, `${line}\n`);
    fsyncSync(file);
  };
  if (text === '') append(HEADER);
  // The end of a line that was cut off.
  else if (!text.endsWith('\n')) append('');
  const state: StateFile = {
    found: entries.size,
    find: (hash, deploy) => entries.get(keyOf(origin, hash, deploy)) ?? null,
    keep(hash, deploy, result, load) {
      append(JSON.stringify({ key: keyOf(origin, hash, deploy), result, load } satisfies Entry));
    },
    close: () => closeSync(file),
  };
  return { kind: 'opened', state };
}

function readOrEmpty(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? '' : null;
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
