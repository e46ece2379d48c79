// `npm run bench:capacity`: so many watches of the Aurora policy every 5 s on one real Prometheus.
// For each number: how late ticks begin, CPU and memory of canaryd, what it asks of Prometheus and
// what that costs there, how the journal grows, how fast breaches among them reach the receiver, and
// how soon all are judged again after a restart. Beside it the same conditions as alert rules.
import { parseArgs } from 'node:util';
import { hasPrometheus, prometheusVersion } from '../support/prometheus.ts';
import { type LevelFigures, measureLevel } from './capacity-level.ts';
import { capacityReport } from './capacity-report.ts';
import { machine, type Run, run } from './run.ts';

const { values: flags } = parseArgs({
  options: {
    watches: { type: 'string', default: '1,10,100,1000,3000' },
    /** Numbers of watches for which the rules are measured, too. */
    rules: { type: 'string', default: '100,1000,3000' },
    seconds: { type: 'string', default: '40' },
    'warm-up': { type: 'string', default: '20' },
    settle: { type: 'string', default: '15' },
    victims: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '15' },
    'cpu-profile': { type: 'string' },
  },
});

function numbersOf(name: 'watches' | 'rules'): readonly number[] {
  const texts = flags[name].split(',').filter((text) => text !== '');
  return texts.map((text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= 1 && number <= 9_999) return number;
    throw new Error(`--${name}: found ${text}; wanted whole numbers from 1 to 9999`);
  });
}

async function capacity(bench: Run): Promise<boolean> {
  if (!hasPrometheus()) throw new Error('needs prometheus and promtool');
  const withRules = numbersOf('rules');
  const levels: LevelFigures[] = [];
  try {
    for (const count of numbersOf('watches')) {
      const began = performance.now();
      levels.push(
        await measureLevel(bench, {
          count,
          withRules: withRules.includes(count),
          victims: Number(flags.victims),
          measureMs: Number(flags.seconds) * 1_000,
          warmUpMs: Number(flags['warm-up']) * 1_000,
          settleMs: Number(flags.settle) * 1_000,
          cpuProfile: flags['cpu-profile'] ?? null,
        }),
      );
      bench.note(`${count} watches: done in ${Math.round((performance.now() - began) / 1_000)} s`);
    }
  } finally {
    // Minutes of measuring are not lost because the last number was too much.
    if (levels.length > 0) {
      bench.say(`${capacityReport(levels)}\n`);
      bench.say(machine({ prometheus: prometheusVersion() }));
    }
  }
  return levels.every(({ breaches }) => breaches === null || breaches.never === 0);
}

await run(Number(flags.minutes), capacity);
