import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most of the time is spent waiting for real processes: two cores can do two files at once.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A failing test must not hide the others.
    bail: 0,
    // None on a desk, where a test that fails now and then must be seen; CI may ask for one.
    retry: Number(process.env['CANARYD_TEST_RETRY'] ?? 0),
    restoreMocks: true,
    unstubEnvs: true,
    // Real sockets and processes on a busy machine of two cores need room.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
