// `npm run sim -- --seed N --count M`: runs worlds from seeds and says whether an invariant broke.
// With `--broken NAME` it runs a variant that is broken on purpose, until it is caught.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { breakCode } from './load-broken.ts';
import { failureText, reportOf, type SeedReport, Total } from './total.ts';

const SHOWN_MAX = 3;
const PROGRESS_EVERY = 250;
const SEEDS_FOR_BROKEN = 2_000;

type Options = {
  readonly seed: number;
  readonly count: number;
  readonly step: number;
  readonly workers: number;
  readonly replicas: number | null;
  readonly broken: string | null;
  readonly isVerbose: boolean;
  /** One line of JSON for each seed: what a worker hands to its parent. */
  readonly isWorker: boolean;
};

function optionsOf(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string' },
      count: { type: 'string' },
      step: { type: 'string' },
      workers: { type: 'string' },
      replicas: { type: 'string' },
      broken: { type: 'string' },
      verbose: { type: 'boolean' },
      worker: { type: 'boolean' },
    },
  });
  const whole = (name: 'seed' | 'count' | 'step' | 'workers' | 'replicas', otherwise: number) => {
    const given = values[name];
    if (given === undefined) return otherwise;
    const value = Number(given);
    if (Number.isSafeInteger(value) && value >= (name === 'seed' ? 0 : 1)) return value;
    throw new Error(`--${name}: found ${given}; wanted a whole number`);
  };
  const broken = values.broken ?? null;
  const replicas = whole('replicas', 0);
  return {
    seed: whole('seed', Math.floor(Math.random() * 1_000_000_000)),
    count: whole('count', broken === null ? 200 : SEEDS_FOR_BROKEN),
    step: whole('step', 1),
    workers: whole('workers', 1),
    replicas: replicas === 0 ? null : replicas,
    broken,
    isVerbose: values.verbose ?? false,
    isWorker: values.worker ?? false,
  };
}

async function eachSeed(options: Options, onReport: (report: SeedReport) => boolean) {
  // Imported late: a broken variant is made while its modules are loaded.
  const { memoryFolder, runSeed } = await import('./world.ts');
  const { seed, count, step, replicas } = options;
  const folder = memoryFolder();
  try {
    for (let index = 0; index < count; index += step) {
      const result = await runSeed({ seed: seed + index, replicas }, folder);
      if (!onReport(reportOf(result))) return;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same in several processes, each with every n-th seed. */
async function inWorkers(options: Options, onReport: (report: SeedReport) => boolean) {
  const { seed, count, workers, replicas, broken } = options;
  const children = Array.from({ length: workers }, (_, index): ChildProcess => {
    const args = [`--seed=${seed + index}`, `--count=${count - index}`, `--step=${workers}`];
    if (replicas !== null) args.push(`--replicas=${replicas}`);
    if (broken !== null) args.push(`--broken=${broken}`);
    const self = fileURLToPath(import.meta.url);
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    return spawn(process.execPath, [self, '--worker', ...args], { stdio: [...stdio] });
  });
  await Promise.all(
    children.map(async (child) => {
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      if (child.stdout === null) throw new Error('a worker without output');
      for await (const line of createInterface({ input: child.stdout })) {
        if (onReport(JSON.parse(line) as SeedReport)) continue;
        for (const other of children) other.kill();
        break;
      }
      const code = await ended;
      if (code !== 0 && code !== null) throw new Error(`a worker ended with exit code ${code}`);
    }),
  );
}

function commitText(): string {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : 'unknown';
}

function againText({ seed }: SeedReport, { replicas, broken }: Options): string {
  const rest = `${replicas === null ? '' : ` --replicas ${replicas}`}${broken === null ? '' : ` --broken ${broken}`}`;
  return `npm run sim -- --seed ${seed} --count 1${rest}`;
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const variant = options.broken === null ? null : breakCode(options.broken);
  if (options.isWorker) {
    await eachSeed(options, (report) => {
      say(JSON.stringify(report));
      return true;
    });
    return 0;
  }
  say(`seeds from ${options.seed}, ${options.count} of them, commit ${commitText()}`);
  if (variant !== null) say(`broken on purpose: ${variant.what} (${variant.rule})`);
  const total = new Total();
  const onReport = (report: SeedReport): boolean => {
    total.add(report);
    if (report.violations.length > 0) {
      const isShown = variant === null && total.failing.length <= SHOWN_MAX;
      if (isShown) say(failureText(report, commitText(), againText(report, options)));
      if (variant !== null) return false;
    } else if (options.isVerbose) {
      say(`seed ${report.seed}: ${JSON.stringify(report.phases)}`);
    }
    if (total.seeds % PROGRESS_EVERY === 0) say(`... ${total.closingLine()}`);
    return true;
  };
  await (options.workers > 1 ? inWorkers(options, onReport) : eachSeed(options, onReport));
  if (variant === null) {
    for (const line of total.census()) say(line);
    if (total.failing.length > SHOWN_MAX) {
      say(`failing seeds: ${total.failing.map(({ seed }) => seed).join(' ')}`);
    }
    say(total.closingLine());
    return total.failing.length === 0 ? 0 : 1;
  }
  const [caught] = total.failing;
  const [first] = caught?.violations ?? [];
  if (caught === undefined || first === undefined) {
    say(`${variant.name}: not caught by ${total.seeds} seeds`);
    return 1;
  }
  if (options.isVerbose) say(failureText(caught, commitText(), againText(caught, options)));
  say(
    `${variant.name}: caught by seed ${caught.seed} after ${total.seeds} seeds: ${first.rule}: ${first.text}`,
  );
  return 0;
}

process.exitCode = await main();
