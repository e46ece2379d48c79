// The command line: verbs, options, help, exit codes. The verbs themselves are next door; those
// that need the whole program (serve, demo, check) are loaded only when asked for.
import { Command, CommanderError, Option } from 'commander';
import { PHASES } from '../core/watch.ts';
import { systemClock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';
import { VERSION } from '../kit/version.ts';
import { addAuthorVerbs } from './author-verbs.ts';
import { createClient, DEFAULT_SERVER, serverOf, tokenOf } from './client.ts';
import { CliExit, EXIT, type ExitCode } from './exit.ts';
import { addGate } from './gate-program.ts';
import { collect, examples } from './help.ts';
import type { NotifyOptions } from './notify.ts';
import { type CliIo, createOutput } from './output.ts';
import { DEFAULT_CONFIG } from './parse.ts';
import * as verbs from './watch-verbs.ts';

type Remote = { readonly server?: string; readonly tokenFile?: string; readonly json?: boolean };

/** The whole CLI. Never throws for what a user did; a bug is thrown. */
export async function runCli(
  argv: readonly string[],
  given: Omit<CliIo, 'clock'> & Partial<Pick<CliIo, 'clock'>>,
): Promise<number> {
  const io: CliIo = { clock: systemClock, ...given };
  let exitCode: number = EXIT.passed;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.passed : EXIT.usage;
    const output = createOutput(io, false);
    if (error instanceof CliExit) {
      output.error(error.message);
      return error.exitCode;
    }
    if (error instanceof CanarydError) {
      const problems = error.problems.map(({ path, message }) => `\n  ${path}: ${message}`);
      output.error(`${error.message}${problems.join('')}`);
      return error.code === 'daemon_unreachable' ? EXIT.unreachable : EXIT.usage;
    }
    // What waited was told to stop waiting: that is how an interruption arrives, and no bug.
    if (io.signal.aborted && error === io.signal.reason) {
      output.error('interrupted');
      return EXIT.interrupted;
    }
    throw error;
  }
}

/** Every verb with its options; for `runCli` and for the test of the documents. */
export function createProgram(io: CliIo, done: (code: number) => void): Command {
  const program = new Command('canaryd')
    .description('Watches a service after a deploy: stops a bad one, proves the rollback worked')
    .version(VERSION)
    .exitOverride()
    // Else `start … --version 1.4.0` would be read as our own --version.
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .showHelpAfterError('(canaryd <verb> --help shows what it takes)')
    .addHelpText('after', EXIT_HELP);
  addLocal(program, io, done);
  addStart(program, io, done);
  addReaders(program, io, done);
  addHuman(program, io, done);
  return program;
}

const EXIT_HELP = `

Exit codes: 0 passed, 1 stopped, 2 usage or config, 3 inconclusive, cancelled, superseded or
not ended in time, 4 daemon not reachable.`;

function addLocal(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('serve')
    .description('Run the daemon')
    .option('--config <file>', 'the config', DEFAULT_CONFIG)
    .addHelpText('after', examples('serve --config config/canaryd.yaml'))
    .action(async ({ config }: { config: string }) => {
      const { runDaemon } = await import('../daemon/daemon.ts');
      const end = await runDaemon({ configPath: config, env: io.env, signal: io.signal });
      done(end === 'ended' ? EXIT.passed : EXIT.cutShort);
    });
  addAuthorVerbs(program, io, done);
  addNotify(program, io, done);
  addGate(program, io, done);
  program
    .command('demo')
    .description('Watch a simulated trading service through a bad deploy, on this machine')
    .option('--healthy', 'the deploy is good and passes')
    .option('--prometheus', 'read through a real Prometheus')
    .option('--fault <name>', 'what goes wrong (default fill_rate)')
    .addHelpText('after', examples('demo', 'demo --healthy'))
    .action(async (options: { healthy?: boolean; prometheus?: boolean; fault?: string }) => {
      const { runDemo } = await import('../demo/demo.ts');
      const { healthy = false, prometheus = false, fault } = options;
      const { stdout: out, signal } = io;
      const what = fault === undefined ? {} : { fault };
      done(await runDemo({ healthy, prometheus, out, signal, ...what }));
    });
}

function addNotify(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command('notify')
    .description('Try the channels of a config')
    .command('test')
    .description('Send a marked message through each channel, and say what came of it')
    .option('--config <file>', 'the config', DEFAULT_CONFIG)
    .option('--channel <name>', 'only this one')
    .option('--critical', 'as loud as a stop: it calls people, and pages')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('notify test', 'notify test --channel pager --critical'))
    .action(async ({ json, ...options }: NotifyOptions & { readonly json?: boolean }) => {
      const { notifyTest } = await import('./notify.ts');
      done(await notifyTest(io, createOutput(io, json === true), options));
    });
}

/** A verb that talks to a daemon. */
function remote(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--server <url>', `where canaryd is (env CANARYD_URL, default ${DEFAULT_SERVER})`)
    .option('--token-file <file>', 'file with the token (or env CANARYD_TOKEN)')
    .option('--json', 'print JSON; progress goes to stderr');
}

function sessionOf(io: CliIo, options: Remote): verbs.Session {
  const server = serverOf(options.server, io.env);
  const token = tokenOf(options.tokenFile, io.env);
  const output = createOutput(io, options.json === true);
  return { io, output, client: createClient({ server, token, signal: io.signal }) };
}

type Run<Options> = (session: verbs.Session, options: Options) => Promise<ExitCode>;

function addStart(program: Command, io: CliIo, done: (code: number) => void): void {
  remote(program, 'start <service>', 'Start the watch of a deploy')
    .requiredOption('--version <version>', 'version that was deployed')
    .option('--environment <name>', "default: the policy's, else production")
    .option('--previous-version <version>', 'version to roll back to')
    .option('--deployed-at <time>', 'ISO 8601 with offset; default: now')
    .option('--param <name=value>', 'parameter of the policy; repeat for more', collect)
    .option('--policy <name>', 'when several policies serve the service')
    .option('--observe', 'do everything but act')
    .option('--by <name>', 'who deployed; default: as the CI system or the machine says')
    .option('--url <url>', 'link to the pipeline run; default: as the CI system says')
    .option('--idempotency-key <key>', 'the same key is the same watch')
    .option('--wait', 'wait for the verdict')
    .option('--timeout <duration>', 'with --wait: not longer than this')
    .addHelpText(
      'after',
      examples(
        'start aurora --version 1.4.0 --previous-version 1.3.9 --wait',
        'start aurora --version 1.4.0 --param deploy_capital=100000 --param expected_positions=10',
      ) + EXIT_HELP,
    )
    .action(async (service: string, options: verbs.StartOptions & Remote) => {
      done(await verbs.start(sessionOf(io, options), service, options));
    });
  remote(program, 'wait <watch>', 'Wait for the verdict; goes on through a restart of the daemon')
    .option('--timeout <duration>', 'not longer than this')
    .addHelpText('after', examples('wait w_0123456789abcdef --timeout 2h') + EXIT_HELP)
    .action(async (id: string, options: { timeout?: string } & Remote) => {
      done(await verbs.wait(sessionOf(io, options), id, options));
    });
}

function addReaders(program: Command, io: CliIo, done: (code: number) => void): void {
  remote(program, 'list', 'Watches, newest first')
    .option('--service <name>', 'only this service')
    .addOption(new Option('--phase <phase>', 'only this phase').choices(PHASES))
    .option('--active', 'only open ones and those that verify a rollback')
    .option('--limit <number>', 'at most this many', '50')
    .option('--before <watch>', 'only older ones')
    .addHelpText('after', examples('list --active', 'list --service aurora --phase stopped'))
    .action(async (options: Parameters<typeof verbs.list>[1] & Remote) => {
      done(await verbs.list(sessionOf(io, options), options));
    });
  remote(program, 'show <watch>', 'One watch with its conditions and actions')
    .addHelpText('after', examples('show w_0123456789abcdef'))
    .action(async (id: string, options: Remote) => {
      done(await verbs.show(sessionOf(io, options), id));
    });
  const journal = remote(program, 'journal <watch>', 'What happened, as a story')
    .addOption(new Option('--jsonl', 'export as JSON Lines').conflicts(['verify', 'json']))
    .option('--verify', 'hold the journal against the rules that every journal keeps')
    .addHelpText(
      'after',
      examples('journal w_0123456789abcdef', 'journal w_0123456789abcdef --verify'),
    )
    .action(async (id: string, options: { jsonl?: boolean; verify?: boolean } & Remote) => {
      done(await verbs.journal(sessionOf(io, options), id, options));
    });
  addWholeJournal(journal, io, done);
}

/** Beside `journal <watch>`: no watch has such an id. */
function addWholeJournal(journal: Command, io: CliIo, done: (code: number) => void): void {
  const verb = (name: string, description: string) =>
    journal
      .command(name)
      .description(description)
      .option('--config <file>', 'the config, which says where the journal is', DEFAULT_CONFIG);
  verb('export', 'Write the whole journal to a file, whatever store it is in')
    .requiredOption('--to <file>', 'a new file, or - for standard output')
    .addHelpText('after', examples('journal export --to journal.jsonl'))
    .action(async (options: { config: string; to: string }) => {
      const { exportVerb } = await import('./journal-verbs.ts');
      done(await exportVerb(io, createOutput(io, false), options));
    });
  verb('import <file>', 'Read an exported journal into an empty one; canaryd must not run on it')
    .addHelpText('after', examples('journal import journal.jsonl --config new/canaryd.yaml'))
    .action(async (file: string, options: { config: string }) => {
      const { importVerb } = await import('./journal-verbs.ts');
      done(await importVerb(io, createOutput(io, false), file, options));
    });
}

function addHuman(program: Command, io: CliIo, done: (code: number) => void): void {
  const human = (name: string, description: string, example: string) =>
    remote(program, name, description)
      .requiredOption('--reason <text>', 'why; it is recorded')
      .option('--by <name>', 'who; default: as the machine or the token says')
      .addHelpText('after', examples(example));
  const run = async <Options extends Remote>(options: Options, verb: Run<Options>) =>
    done(await verb(sessionOf(io, options), options));
  for (const [verb, description] of [
    ['stop', 'Disarm and roll back now'],
    ['cancel', 'End the watch; nothing is rolled back'],
    ['ack', 'Say that you look after it'],
    ['resolve', 'Say that nothing of an ended watch is open any more'],
  ] as const) {
    human(
      `${verb} <watch>`,
      description,
      `${verb} w_0123456789abcdef --reason "wrong prices"`,
    ).action((id: string, options: verbs.HumanOptions & Remote) =>
      run(options, (session) => verbs.command(session, verb, id, options)),
    );
  }
  human(
    'extend <watch>',
    'Give the last window more time',
    'extend w_0123456789abcdef --by-duration 2h --reason "little traffic"',
  )
    .requiredOption('--by-duration <duration>', 'how much longer, at most 7d')
    .action((id: string, options: verbs.HumanOptions & { byDuration: string } & Remote) =>
      run(options, (session) => verbs.command(session, 'extend', id, options)),
    );
  remote(program, 'sign <watch>', 'Sign what the policy asks people for')
    .requiredOption('--role <role>', 'the role in which you sign')
    .requiredOption('--name <name>', 'your name')
    .option('--note <text>', 'what else there is to say')
    .option('--by <name>', 'who gives it to canaryd; default: as the machine or the token says')
    .addHelpText('after', examples('sign w_0123456789abcdef --role engineering_lead --name Ada'))
    .action((id: string, options: verbs.SignOptions & Remote) =>
      run(options, (session) => verbs.sign(session, id, options)),
    );
  human(
    'hold',
    'Hold fire: observe only, everywhere, until released',
    'hold --reason maintenance',
  ).action((options: verbs.HumanOptions & Remote) => run(options, verbs.hold));
  human(
    'release',
    'End hold fire: policies act again',
    'release --reason "maintenance is over"',
  ).action((options: verbs.HumanOptions & Remote) => run(options, verbs.release));
}
