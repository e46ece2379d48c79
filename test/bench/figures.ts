// Figures of a bench as people read them: median, p90, most, and tables in Markdown.
import { readFileSync } from 'node:fs';

export type Spread = {
  readonly count: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
};

/** The smallest value that so many of all are not above. */
function rank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  return {
    count: sorted.length,
    median: ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2,
    p90: rank(sorted, 0.9),
    p99: rank(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  };
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Seconds of CPU that a process has used, as Linux says in hundredths. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Of the machine's memory: now, and the most since the process began. */
export function megabytes(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

export type Goal = {
  readonly name: string;
  /** NaN: this run did not measure it. */
  readonly measured: number;
  readonly atMost: number;
  /** Behind both figures. */
  readonly unit?: string;
};

export function goalTable(goals: readonly Goal[]): string {
  return table(
    ['goal', 'measured', 'at most', ''],
    goals.map(({ name, measured, atMost, unit = '' }) => {
      if (Number.isNaN(measured)) return [name, '', `${atMost}${unit}`, 'not measured'];
      const shown = measured.toFixed(measured < 10 ? 2 : 0);
      return [name, `${shown}${unit}`, `${atMost}${unit}`, measured <= atMost ? 'holds' : 'missed'];
    }),
  );
}
