// `npm run soak -- --hours 72 --watches 200 --interval 60`: prints a line per simulated hour, and
// whether memory stayed level.
import { parseArgs } from 'node:util';
import { growth, soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '72' },
    watches: { type: 'string', default: '200' },
    interval: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});

const startedAt = performance.now();
const result = await soak({
  hours: Number(values.hours),
  watches: Number(values.watches),
  intervalMs: Number(values.interval) * 1_000,
  seed: Number(values.seed),
  onHour: ({ hour, heapMb, rssMb, journalMb, timers, watched }) => {
    process.stdout.write(
      `hour ${hour}: heap ${heapMb} MB, rss ${rssMb} MB, journal ${journalMb} MB, ` +
        `${watched} watched, ${timers} timers\n`,
    );
  },
});
const seconds = Math.round((performance.now() - startedAt) / 1_000);
const { watches, ticks, ends, errors } = result;
process.stdout.write(`ends: ${JSON.stringify(ends)}; errors: ${JSON.stringify(errors)}\n`);
process.stdout.write(
  `${values.hours} simulated hours, ${watches} watches, ${ticks} ticks in ${seconds} s; ` +
    `heap grew by ${Math.round(growth(result.hours) * 1_000) / 10} %\n`,
);
process.exitCode = errors.length > 0 ? 1 : 0;
