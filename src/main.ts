#!/usr/bin/env node
// Hands the process to the CLI. The only file that sets process.exitCode or ends the process.
import { runCli } from './cli/cli.ts';

/** What a shutdown left open must not keep the process for longer. */
const LEFT_OPEN_MS = 500;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second signal means it: the journal makes an end at any point safe.
    if (stopping.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping.abort(signal);
  });
}
// `canaryd journal … | head` closes our output early: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopping.signal,
});

if (stopping.signal.aborted) setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
