// The verb `gate` with its options and help; what it does is in `gate.ts` and `gate-people.ts`.
import type { Command } from 'commander';
import { DEFAULT_SERVER } from './client.ts';
import type { GateOptions } from './gate.ts';
import type { OverrideOptions, SignOptions } from './gate-people.ts';
import { collect, examples } from './help.ts';
import { type CliIo, createOutput } from './output.ts';
import { DEFAULT_CONFIG } from './parse.ts';

const EXIT_HELP = `

Exit codes: 0 GO, 1 NO-GO or a review without its approval, 2 usage or config, 3 nothing decided:
interrupted, only a part was carried out, the evidence of a GO could not be written, or the daemon
does not take it; 4 the daemon is not reachable.`;

type Json = { readonly json?: boolean };
type Done = (code: number) => void;

export function addGate(program: Command, io: CliIo, done: Done): void {
  const gate = program
    .command('gate <gate>')
    .description('GO or NO-GO before a deploy: carry out a checklist, decide, keep the evidence')
    .option('--version <version>', 'the version that is decided on')
    .option('--service <name>', "default: the gate's")
    .option('--environment <name>', "default: the gate's, else production")
    .option('--param <name=value>', 'what placeholders of the gate need; repeat for more', collect)
    .option('--only <ids>', 'only these criteria, with commas; nothing is decided then')
    .option('--explain', 'say what the gate wants, and carry out nothing')
    .option('--ascii', 'no signs beyond ASCII (or env NO_UNICODE)')
    .option('--github-summary', 'write to GITHUB_STEP_SUMMARY (in GitHub Actions it always does)')
    .option('--json', 'print JSON; progress goes to stderr');
  place(gate)
    .addHelpText(
      'after',
      examples(
        'gate aurora-testnet --version 2.1.0',
        'gate config/gates/aurora-testnet.yaml --explain',
        'gate aurora-testnet --version 2.1.0 --daemon',
        'gate aurora-testnet --version 2.1.0 --only unit_tests,health',
      ) + EXIT_HELP,
    )
    .action(async (named: string, { json, ...options }: GateOptions & Json) => {
      const verb = await import('./gate.ts');
      done(await verb.gate(io, createOutput(io, json === true), named, options));
    });
  addPeople(gate, io, done);
}

function place(command: Command): Command {
  return command
    .option('-c, --config <file>', `the config, when a check names a source (${DEFAULT_CONFIG})`)
    .option('--evidence <folder>', 'where evidence is written (default evidence)')
    .option('--sign-offs <file>', 'the signatures (default sign-offs.jsonl beside the evidence)')
    .option('--daemon', 'signatures are those of a daemon, and decisions are reported to it')
    .option('--server <url>', `where that is (env CANARYD_URL, default ${DEFAULT_SERVER})`)
    .option('--token-file <file>', 'file with its token (or env CANARYD_TOKEN)');
}

function person(command: Command): Command {
  return place(command)
    .requiredOption('--role <role>', 'the role in which you sign')
    .requiredOption('--name <name>', 'your name')
    .requiredOption('--version <version>', 'the version that you sign')
    .option('--service <name>', "default: the gate's")
    .option('--environment <name>', "default: the gate's, else production")
    .option('--withdraw', 'take back what you have signed before')
    .option('--json', 'print JSON');
}

/** Beside `gate <gate>`: a gate with such a name is named by its path. */
function addPeople(gate: Command, io: CliIo, done: Done): void {
  gate
    .command('verify <folder>')
    .description('Find any changed, missing or added byte in a folder of evidence')
    .option('--hash <sha256>', 'the hash that gate printed')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('gate verify evidence/aurora-testnet-20260301T120000Z'))
    .action(async (folder: string, options: { hash?: string } & Json) => {
      const { gateVerify } = await import('./gate-people.ts');
      done(await gateVerify(createOutput(io, options.json === true), folder, options));
    });
  person(gate.command('sign <gate> <criterion>'))
    .description('Sign a criterion that no machine can check, or approve a review')
    .option('--note <text>', 'what to add')
    .option('--covers <ids>', 'of a review: the criteria that may be open, with commas')
    .addHelpText(
      'after',
      examples(
        'gate sign aurora-testnet code_review --role engineering_lead --name "Ada" --version 2.1.0',
        'gate sign aurora-testnet code_review --role engineering_lead --name "Ada" --version 2.1.0 --daemon',
        'gate sign spark review --covers csp_report --role cto --name "Ada" --version 1.4.0',
      ),
    )
    .action(async (named: string, criterion: string, options: SignOptions & Json) => {
      const { gateSign } = await import('./gate-people.ts');
      const output = createOutput(io, options.json === true);
      done(await gateSign(io, output, named, criterion, options));
    });
  person(gate.command('override <gate>'))
    .description(
      'Approve that a NO-GO becomes GO all the same; with the others that the gate wants',
    )
    .option('--risk <text>', 'the risk assessment; needed, but to take an approval back')
    .addHelpText(
      'after',
      examples(
        'gate override spark --role cto --name "Ada" --version 1.4.0 --risk "losses go on without it"',
      ),
    )
    .action(async (named: string, options: OverrideOptions & Json) => {
      const { gateOverride } = await import('./gate-people.ts');
      done(await gateOverride(io, createOutput(io, options.json === true), named, options));
    });
}
