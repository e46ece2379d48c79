// `canaryd simulate`: words of the command line → a rehearsal, and its list of what can go wrong.
import { conditionSentence } from '../core/wording.ts';
import { faultsOf, readScene, type Scene } from '../simulate/scene.ts';
import { simulate } from '../simulate/simulate.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import type { CliIo, Output } from './output.ts';
import { durationOf, parametersOf, wholeOf } from './parse.ts';

export type SimulateVerbOptions = {
  readonly fault?: string;
  readonly list?: boolean;
  readonly healthy?: boolean;
  readonly speed?: string;
  readonly windows?: string;
  readonly param?: readonly string[];
  readonly prometheus?: boolean;
  readonly keep?: boolean;
};

const SPEED_MAX = 100_000;

export async function simulateVerb(
  io: CliIo,
  output: Output,
  file: string,
  options: SimulateVerbOptions,
): Promise<ExitCode> {
  const { fault, windows, speed, healthy = false } = options;
  if (fault !== undefined && healthy) throw usage('--fault and --healthy: wanted one of them');
  const read = await readScene(file, parametersOf(options.param ?? []));
  if (read.kind === 'refused') throw usage(read.text);
  if (options.list === true) return list(output, read.scene);
  const result = await simulate({
    scene: read.scene,
    file,
    healthy,
    fault: fault ?? null,
    pace: {
      untilsMs:
        windows === undefined
          ? null
          : windows.split(',').map((one) => durationOf('--windows', one.trim())),
      speed: speed === undefined ? null : wholeOf('--speed', speed, SPEED_MAX),
    },
    prometheus: options.prometheus ?? false,
    keep: options.keep ?? false,
    // The story is progress: with --json it makes room for the result.
    out: output.isJson ? io.stderr : io.stdout,
    signal: io.signal,
    clock: io.clock,
  });
  if (result.kind === 'refused') throw usage(result.text);
  const { kind, ...told } = result;
  if (output.isJson) output.json(told);
  return told.ok ? EXIT.passed : EXIT.stopped;
}

function list(output: Output, scene: Scene): ExitCode {
  const faults = faultsOf(scene);
  if (output.isJson) {
    output.json({
      faults: faults.map(({ condition, why }) => ({
        condition: condition.id,
        sentence: conditionSentence(condition, scene.policy),
        possible: why === null,
        why,
      })),
    });
    return EXIT.passed;
  }
  for (const { condition, why } of faults) {
    output.line(`${why === null ? condition.id : `${condition.id} (cannot be shown)`}`);
    output.line(`  ${conditionSentence(condition, scene.policy)}`);
    if (why !== null) output.line(`  ${why}`);
  }
  return EXIT.passed;
}
