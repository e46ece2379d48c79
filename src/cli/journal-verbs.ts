// `journal export` and `journal import`: a whole journal to a file and back, so that a user can
// move from one store to the other. They open the store of the config themselves: no daemon.
import { createWriteStream, type WriteStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { loadConfig } from '../config/load.ts';
import { type Counts, exportJournal, importJournal } from '../journal/backup.ts';
import { openArchive } from '../journal/open.ts';
import { CanarydError, messageOf } from '../kit/errors.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';

type Options = { readonly config: string };

export async function exportVerb(
  io: CliIo,
  output: Output,
  { config, to }: Options & { readonly to: string },
): Promise<ExitCode> {
  const { config: daemon } = loadConfig(config, { env: io.env });
  await using archive = await openArchive(daemon.journal, 'dump');
  const file = to === '-' ? null : await createFile(to);
  try {
    const stream = file ?? io.stdout;
    const { counts, active } = await exportJournal(archive, (text) => write(stream, text));
    if (file !== null) await end(file);
    output.error(`Exported ${countsText(counts)}.`);
    if (active > 0) output.error(activeText(active));
    return EXIT.passed;
  } catch (error) {
    if (file !== null) await rm(to, { force: true });
    throw error;
  }
}

export async function importVerb(
  io: CliIo,
  output: Output,
  file: string,
  { config }: Options,
): Promise<ExitCode> {
  const { config: daemon } = loadConfig(config, { env: io.env });
  // Before the store: a wrong name must not leave an empty journal behind.
  await using handle = await open(file).catch((error: unknown) => {
    throw unread(file, error);
  });
  await using archive = await openArchive(daemon.journal, 'restore');
  const counts = await importJournal(archive, textOf(handle, file));
  output.line(`Imported ${countsText(counts)}.`);
  return EXIT.passed;
}

function activeText(active: number): string {
  const [watches, them] = active === 1 ? ['1 watch is', 'it'] : [`${active} watches are`, 'them'];
  return (
    `${watches} active. A canaryd that still runs goes on with ${them}, and what it writes from ` +
    'now on is not in this export: stop it, export again, and start canaryd on the new journal ' +
    'only. Two that run would both act.'
  );
}

function countsText(counts: Counts): string {
  const { settings, ...rows } = counts;
  const parts = Object.entries(rows).map(
    ([table, rowCount]) => `${rowCount} ${table.replaceAll('_', ' ')}`,
  );
  return [...parts, ...(settings > 0 ? ['hold fire'] : [])].join(', ');
}

/** Readable by its owner only, and never over a file that is there. */
async function createFile(path: string): Promise<WriteStream> {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
  await new Promise((resolve, reject) => {
    stream.once('open', resolve);
    stream.once('error', (error) => reject(usage(`Cannot create ${path}: ${messageOf(error)}.`)));
  });
  // Told by the write that it belongs to.
  stream.on('error', () => {});
  return stream;
}

function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(unwritten(error)) : resolve()));
  });
}

function end(stream: WriteStream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', (error) => reject(unwritten(error)));
    stream.end(() => resolve());
  });
}

function unwritten(error: Error): CanarydError {
  return new CanarydError('usage', `Cannot write the export: ${messageOf(error)}.`);
}

async function* textOf(handle: FileHandle, file: string): AsyncGenerator<string> {
  try {
    for await (const chunk of handle.createReadStream({ encoding: 'utf8' })) yield String(chunk);
  } catch (error) {
    throw unread(file, error);
  }
}

function unread(file: string, error: unknown): CanarydError {
  return new CanarydError(
    'usage',
    `Cannot read ${file}: ${messageOf(error)}; nothing was imported.`,
  );
}
