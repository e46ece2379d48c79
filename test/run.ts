// `npm test`: runs every test, then says in one last line how many passed and failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Report, summaryOf } from './support/summary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'canaryd-test-'));
const reportPath = join(scratch, 'report.json');

function readReport(): Report | null {
  try {
    return JSON.parse(readFileSync(reportPath, 'utf8')) as Report;
  } catch {
    return null;
  }
}

const vitest = spawn(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config=test/vitest.config.ts',
    '--reporter=default',
    '--reporter=json',
    '--reporter=./test/support/retried-reporter.ts',
    `--outputFile.json=${reportPath}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => vitest.kill(signal));
}

vitest.on('close', (code) => {
  const summary = summaryOf(readReport());
  rmSync(scratch, { recursive: true, force: true });
  if (summary.skipped.length > 0) {
    process.stdout.write(`\nSkipped:\n${summary.skipped.map((name) => `  ${name}\n`).join('')}`);
  }
  process.stdout.write(`\n${summary.line}\n`);
  // Errors outside of any test fail the run although no test is to blame.
  process.exitCode = summary.failed > 0 ? 1 : (code ?? 1);
});
