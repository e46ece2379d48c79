// The one place that knows which stores there are. A second store is one more branch here and one
// more folder that passes the contract suite.
import type { Journal } from './journal.ts';
import { openSqliteJournal } from './sqlite/sqlite-journal.ts';

export type JournalConfig = { readonly sqlite: { readonly path: string } };

/** `readOnly` looks at the journal of a running daemon and cannot write. */
export async function openJournal(
  config: JournalConfig,
  options: { readonly readOnly?: boolean } = {},
): Promise<Journal> {
  return openSqliteJournal({ path: config.sqlite.path, ...options });
}
