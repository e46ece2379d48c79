// Units of systemd, as `systemctl show` tells them. Without systemd the check is unknown.
import { run } from '../../act/process-group.ts';
import { ms } from '../../config/fields.ts';
import type { SystemdInput } from '../../config/gate-checks/systemd.ts';
import type { CheckResult, CheckTools } from '../check.ts';
import { type Found, summedUp } from '../found.ts';
import type { MadeCheck } from '../kinds.ts';
import { exhibit, unknown } from '../result.ts';
import { inherited, processText } from './process.ts';

const PROPERTIES = ['Id', 'LoadState', 'ActiveState', 'SubState', 'UnitFileState'];
const OUTPUT_BYTES_MAX = 256 * 1_024;
/** `alias` and `generated` start with the machine, too; `enabled-runtime` ends with it. */
const ENABLED = new Set(['enabled', 'alias', 'generated']);
const INHERITED = ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'DBUS_SYSTEM_BUS_ADDRESS'];
const BEYOND_RUN_MS = 3_000;

export function systemdCheck(input: SystemdInput): MadeCheck {
  const units = [...new Set(input.units.map(fullName))];
  const wanted = [input.active ? 'active' : '', input.enabled ? 'enabled' : ''];
  return {
    kind: 'systemd',
    wants: `${wanted.filter((word) => word !== '').join(' and ')}: ${units.join(', ')}`,
    timeoutMs: ms(input.timeout) + BEYOND_RUN_MS,
    run: (tools) => lookAt(units, input, tools),
  };
}

function fullName(unit: string): string {
  const hasEnding = /\.(service|socket|timer|target|mount|path|swap|slice|device|scope)$/.test(
    unit,
  );
  return hasEnding ? unit : `${unit}.service`;
}

async function lookAt(
  units: readonly string[],
  input: SystemdInput,
  { env, signal, folder }: CheckTools,
): Promise<CheckResult> {
  const scope = input.user ? ['--user'] : [];
  const result = await run({
    argv: ['systemctl', ...scope, 'show', `--property=${PROPERTIES.join(',')}`, '--', ...units],
    env: { ...inherited(env, INHERITED), LC_ALL: 'C', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' },
    stdin: '',
    cwd: folder,
    timeoutMs: ms(input.timeout),
    outputBytesMax: OUTPUT_BYTES_MAX,
    signal,
  });
  if (result.kind === 'not_started') {
    return unknown(`cannot start systemctl (${result.code}): is there systemd on this machine?`);
  }
  const exhibits = [exhibit('systemctl.txt', result.output)];
  if (result.kind !== 'exited') return unknown(`systemctl: ${processText(result)}`, { exhibits });
  if (result.code !== 0) {
    const said = result.output.trim() || `exit code ${result.code}`;
    return unknown(`systemctl: ${said}`, { exhibits });
  }
  const told = blocksOf(result.output);
  if (told.length !== units.length) {
    const text = `systemctl told of ${told.length} units where ${units.length} were asked`;
    return unknown(text, { exhibits });
  }
  const found = units.map((unit, index) => judged(unit, told[index] ?? new Map(), input));
  return summedUp(found, { exhibits });
}

/** One block of `Name=value` for each unit, in the order they were asked. */
function blocksOf(output: string): readonly ReadonlyMap<string, string>[] {
  return output
    .trim()
    .split(/\n\s*\n/)
    .map((block) => {
      const pairs = block.split('\n').map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1).trim()] as const;
      });
      return new Map(pairs);
    })
    .filter((block) => block.has('ActiveState'));
}

function judged(
  unit: string,
  told: ReadonlyMap<string, string>,
  { active, enabled }: SystemdInput,
): Found {
  const load = told.get('LoadState') ?? '';
  if (load === 'not-found') return { kind: 'bad', text: `${unit} does not exist` };
  if (load === 'masked') return { kind: 'bad', text: `${unit} is masked` };
  const state = told.get('ActiveState') ?? '';
  const file = told.get('UnitFileState') ?? '';
  const wrong = [
    ...(active && state !== 'active'
      ? [`${state || 'unknown'} (${told.get('SubState') ?? ''})`]
      : []),
    ...(enabled && !ENABLED.has(file) ? [file === '' ? 'not enabled' : file] : []),
  ];
  const shown = [...(active ? [state] : []), ...(enabled ? [file] : [])].join(' and ');
  if (wrong.length === 0) return { kind: 'good', text: `${unit} is ${shown}` };
  return { kind: 'bad', text: `${unit} is ${wrong.join(' and ')}` };
}
