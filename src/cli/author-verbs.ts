// Verbs for those who write a policy, to be used before it may roll anything back: their options,
// help and examples. What each does is next door, and loaded only when asked for.
import { type Command, Option } from 'commander';
import type { BacktestOptions } from './backtest.ts';
import type { CheckOptions } from './check.ts';
import { collect, examples } from './help.ts';
import { type CliIo, createOutput } from './output.ts';
import { DEFAULT_CONFIG } from './parse.ts';
import type { SimulateVerbOptions } from './simulate.ts';
import type { TestOptions } from './test.ts';

export function addAuthorVerbs(program: Command, io: CliIo, done: (code: number) => void): void {
  addCheck(program, io, done);
  addTest(program, io, done);
  addSimulate(program, io, done);
  addBacktest(program, io, done);
}

function addCheck(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('check [files...]')
    .description('Say what policies or the config mean, their mistakes, and what will go wrong')
    .option('--live', 'ask the sources, too: values, cost, and what they say of each condition')
    .option('-c, --config <file>', `with --live: the config with the sources (${DEFAULT_CONFIG})`)
    .option('--prometheus <url>', 'as --live, with all policies read from this Prometheus')
    .option('--param <name=value>', 'with --live: a parameter of the deploy; repeat', collect)
    .option('--version <version>', 'with --live: the version that runs now')
    .option('--strict', 'exit with 1 for warnings, too')
    .addOption(
      new Option('--format <format>', 'how findings are printed').choices(['text', 'github']),
    )
    .option('--list-findings', 'print all findings and what to do about each')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'check config/policies/aurora.yaml',
        'check --live --param deploy_capital=100000 --param expected_positions=10',
        'check shop.yaml --prometheus http://127.0.0.1:9090 --strict',
      ) + CHECK_EXIT_HELP,
    )
    .action(async (files: string[], { json, ...options }: CheckOptions & { json?: boolean }) => {
      const { checkFiles } = await import('./check.ts');
      done(await checkFiles(io, createOutput(io, json === true), files, options));
    });
}

const CHECK_EXIT_HELP = `

Exit codes: 0 nothing worse than a warning, 1 an error was found (with --strict: or a warning),
2 not valid, 4 a source cannot be asked.`;

function addBacktest(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('backtest <policy>')
    .description('Replay a policy over past deploys, out of the history of its Prometheus')
    .option('-c, --config <file>', "the config, which has the policy's source", DEFAULT_CONFIG)
    .option('--prometheus <url>', 'this Prometheus, without a config')
    .option('--deploys <file>', 'the deploys: YAML, JSON or CSV')
    .option('--find <query>', 'find them: series whose version label changes')
    .option('--label <name>', 'with --find: the label (default version)')
    .option('--since <duration>', 'with --find: how far back (default 30d)')
    .option('--until <time>', 'with --find: ISO 8601 with offset; default: now')
    .option('--rolled-back-is-bad', 'with --find: what was rolled back is labelled bad')
    .option('--journal <url or file>', 'the deploys that canaryd has watched')
    .option('--token-file <file>', 'with --journal <url>: file with the token')
    .option('--param <name=value>', 'parameter of the policy; repeat for more', collect)
    .option('--limit <number>', 'at most so many deploys, the newest', '100')
    .option('--compare <policy>', 'a second policy, on the same deploys')
    .option('--state <file>', 'keep what is done, to go on there after an interruption')
    .option('--report <file>', 'write a report with charts: one HTML file')
    .option('--chunk <duration>', 'history that one request asks for at most', '1h')
    .option('--at-once <number>', 'requests at the same time', '2')
    .option('--pace <duration>', 'from one request to the next', '50ms')
    .option('--timeout <duration>', 'for one request', '30s')
    .option('--json', 'print JSON; progress goes to stderr')
    .addHelpText(
      'after',
      examples(
        'backtest config/policies/aurora.yaml --deploys deploys.csv --report report.html',
        `backtest aurora.yaml --prometheus http://127.0.0.1:9090 --find 'up{job="aurora"}'`,
        'backtest aurora.yaml --deploys deploys.yaml --compare stricter.yaml --state run.jsonl',
      ) + BACKTEST_EXIT_HELP,
    )
    .action(async (file: string, options: BacktestOptions & { readonly json?: boolean }) => {
      const { backtest } = await import('./backtest.ts');
      done(await backtest(io, createOutput(io, options.json === true), file, options));
    });
}

const BACKTEST_EXIT_HELP = `

Exit codes: 0 done, every labelled deploy judged right; 1 one was judged wrong, is undecided or
could not be replayed; 2 usage or config, or nothing could be replayed; 4 the Prometheus cannot be
asked; 130 interrupted.`;

function addTest(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('test <files...>')
    .description('Play the cases of a policy, offline and with the very engine of production')
    .option('--filter <text>', 'only cases with this in their name')
    .option('--coverage [required]', 'name conditions that no case expects to fire, or to hold')
    .option('--ascii', 'no signs beyond ASCII (or env NO_UNICODE)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `${examples(
        'test config/policies/aurora.test.yaml',
        'test config/policies/*.test.yaml --coverage=required',
      )}\n\nExit codes: 0 all pass, 1 a case fails, 2 a file is not valid.`,
    )
    .action(async (files: string[], { json, ...options }: TestOptions & { json?: boolean }) => {
      const { testFiles } = await import('./test.ts');
      done(await testFiles(io, createOutput(io, json === true), files, options));
    });
}

function addSimulate(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('simulate <policy>')
    .description('Watch a policy stop a made-up deploy, on this machine and with nothing to set up')
    .option(
      '--fault <name>',
      'the condition or indicator that goes wrong (default: the first stop)',
    )
    .option('--list', 'show what can be made to go wrong')
    .option('--healthy', 'the deploy is good and passes')
    .option('--speed <number>', "the policy's times, divided by this (default: what fits minutes)")
    .option('--windows <durations>', 'ends of the windows, such as 30s,60s,2m')
    .option('--param <name=value>', 'parameter of the policy; repeat for more', collect)
    .option('--prometheus', 'read through a real Prometheus found on PATH')
    .option('--keep', 'stay after the end, so that the page can be looked at')
    .option('--json', 'print JSON; the story goes to stderr')
    .addHelpText(
      'after',
      examples(
        'simulate config/policies/aurora.yaml',
        'simulate config/policies/aurora.yaml --fault health',
        'simulate config/policies/aurora.yaml --healthy --windows 20s,40s,5m',
      ),
    )
    .action(
      async (file: string, { json, ...options }: SimulateVerbOptions & { json?: boolean }) => {
        const { simulateVerb } = await import('./simulate.ts');
        done(await simulateVerb(io, createOutput(io, json === true), file, options));
      },
    );
}
