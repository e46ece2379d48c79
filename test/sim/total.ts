// What came of many seeds, added up, and as text.
import type { Result } from './world.ts';

export type SeedReport = Omit<Result, 'faults' | 'trace'> & {
  readonly faults: readonly (readonly [string, number])[];
};

export function reportOf({ faults, trace: _trace, ...rest }: Result): SeedReport {
  return { ...rest, faults: [...faults] };
}

export class Total {
  seeds = 0;
  readonly failing: SeedReport[] = [];
  simulatedMs = 0;
  watches = 0;
  crashes = 0;
  readonly phases = new Map<string, number>();
  readonly told = new Map<string, number>();
  readonly faults = new Map<string, number>();

  add(report: SeedReport): void {
    this.seeds += 1;
    this.simulatedMs += report.simulatedMs;
    this.watches += report.watches;
    this.crashes += report.crashes;
    if (report.violations.length > 0) this.failing.push(report);
    for (const [phase, count] of Object.entries(report.phases)) increase(this.phases, phase, count);
    for (const [what, count] of Object.entries(report.told)) increase(this.told, what, count);
    for (const [fault, count] of report.faults) increase(this.faults, fault, count);
  }

  get violations(): number {
    return this.failing.reduce((sum, { violations }) => sum + violations.length, 0);
  }

  closingLine(): string {
    const faults = [...this.faults.values()].reduce((sum, count) => sum + count, 0);
    return [
      `${number(this.seeds)} seeds`,
      `${number(this.violations)} violations`,
      `${number(this.simulatedMs / 3_600_000)} simulated hours`,
      `${number(this.watches)} watches`,
      `${number(this.phases.get('stopped') ?? 0)} stops`,
      `${number(this.crashes)} crashes`,
      `${number(faults)} faults of ${this.faults.size} kinds`,
    ].join(', ');
  }

  /** So that one can see that everything really happened. */
  census(): readonly string[] {
    const listed = (counts: ReadonlyMap<string, number>) =>
      [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([n, c]) => `${n} ${number(c)}`);
    return [
      `ends: ${listed(this.phases).join(', ')}`,
      `told: ${listed(this.told).join(', ')}`,
      `faults: ${listed(this.faults).join(', ')}`,
    ];
  }
}

function increase(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** What a failing seed prints: the rule, the story, the last faults, and how to see it again. */
export function failureText(report: SeedReport, commit: string, again: string): string {
  const { seed, violations, story, lastFaults } = report;
  const broken = violations.map(({ rule, text, watchId, atMs }) => {
    const at = (atMs / 1_000).toFixed(3);
    return `  ${rule}${watchId === null ? '' : ` (${watchId})`} at ${at}s: ${text}`;
  });
  return [
    `seed ${seed} violates:`,
    ...broken,
    ...story.map((line) => `  ${line}`),
    '  last faults:',
    ...lastFaults.slice(-15).map((line) => `    ${line}`),
    `  commit ${commit}; to see it again: ${again}`,
  ].join('\n');
}
