// Where the report of a backtest goes: whether it can be written is known before the first request,
// and an older report stays whole until the new one is.
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { reportHtml } from '../backtest/report.ts';
import type { BacktestResult } from '../backtest/result.ts';
import { messageOf } from '../kit/errors.ts';
import { usage } from './exit.ts';

const partOf = (path: string) => `${path}.part`;

/** Throws a usage error when nothing can be written there. */
export function checkReport(path: string): void {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && !found.isFile()) {
      throw usage(`--report ${path}: found what is no file; wanted the name of a file`);
    }
    writeFileSync(partOf(path), '');
  } catch (error) {
    throw refusal(path, error);
  } finally {
    rmSync(partOf(path), { force: true });
  }
}

export function writeReport(path: string, results: readonly BacktestResult[]): void {
  const text = reportHtml(results);
  try {
    writeFileSync(partOf(path), text);
    renameSync(partOf(path), path);
  } catch (error) {
    rmSync(partOf(path), { force: true });
    throw refusal(path, error);
  }
}

function refusal(path: string, error: unknown): unknown {
  if (error instanceof Error && !('code' in error)) return error;
  return usage(`--report ${path}: cannot be written: ${messageOf(error)}`);
}
