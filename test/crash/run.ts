// `npm run crash`: long runs of real crashes, by hand. The test command runs a few rounds of each.
//   npm run crash -- --store sqlite|postgres --rounds 250 [--seed 1] [--from 1] [--lanes 6]
//   npm run crash -- --store postgres --replicas 3 --watches 200 [--seconds 120] [--roll]
import { parseArgs } from 'node:util';
import { runReplicas } from './replicas.ts';
import { runRounds } from './rounds.ts';
import { STORES, type StoreName } from './stores.ts';

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '6' },
    replicas: { type: 'string' },
    watches: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '120' },
    interval: { type: 'string', default: '2' },
    roll: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

const say = (line: string) => process.stdout.write(`${line}\n`);

function wholeOf(name: Exclude<keyof typeof values, 'store' | 'quiet' | 'roll'>, max: number) {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw new Error(`--${name}: found ${values[name]}; wanted a whole number from 1 to ${max}`);
}

function storeOf(): StoreName {
  const found = STORES.find((name) => name === values.store);
  if (found !== undefined) return found;
  throw new Error(`--store: found ${values.store}; wanted ${STORES.join(' or ')}`);
}

function rounds() {
  return runRounds({
    store: storeOf(),
    rounds: wholeOf('rounds', 100_000),
    seed: wholeOf('seed', 1_000_000),
    from: wholeOf('from', 1_000_000),
    lanes: wholeOf('lanes', 50),
    ...(values.quiet ? {} : { say }),
  });
}

function replicas() {
  if (storeOf() !== 'postgres') throw new Error('--replicas: only with --store postgres');
  return runReplicas({
    replicas: wholeOf('replicas', 10),
    watches: wholeOf('watches', 2_000),
    seconds: wholeOf('seconds', 86_400),
    seed: wholeOf('seed', 1_000_000),
    intervalS: wholeOf('interval', 60),
    how: values.roll ? 'roll' : 'kill',
    ...(values.quiet ? {} : { say }),
  });
}

const summary = await (values.replicas === undefined ? rounds() : replicas());
for (const problem of summary.problems) say(problem);
say(`verdicts: ${JSON.stringify(summary.verdicts)}`);
say(summary.line);
process.exitCode = summary.problems.length > 0 ? 1 : 0;
