// GitHub Actions: an annotation, step outputs and a job summary. Everything in them that came from
// a service or a person is escaped for the place where it goes.
import { appendFileSync } from 'node:fs';
import type { WireWatch } from './client.ts';
import { type CliIo, plain } from './output.ts';
import { verdictLine } from './story.ts';

/** GitHub takes 1 MiB per step; more than this nobody reads. */
const SUMMARY_CHARS_MAX = 60_000;
const STORY_LINES_MAX = 200;

/** Data of a workflow command. */
export function escapeData(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

/** Text in Markdown and HTML: nothing in it may format, link, mention or end a table cell. */
export function escapeMarkdown(text: string): string {
  return (
    plain(text)
      // First: the entities that follow have a # of their own.
      .replace(/[\\`*_{}[\]()#+!|~]/g, '\\$&')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/@/g, '&#64;')
      .replace(/https?:\/\//gi, (scheme) => scheme.replace(':', '&#58;'))
  );
}

/** Tells GitHub the verdict. A file that cannot be written is said, and changes no exit code. */
export function reportToGithub(
  io: CliIo,
  view: WireWatch,
  verdict: string,
  story: readonly string[],
): void {
  if (!io.env['GITHUB_ACTIONS']) return;
  const kind = view.phase === 'passed' ? 'notice' : 'error';
  io.stdout.write(`::${kind} title=canaryd::${escapeData(plain(verdict))}\n`);
  append(io, 'GITHUB_OUTPUT', `watch=${plain(view.id)}\nphase=${plain(view.phase)}\n`);
  append(io, 'GITHUB_STEP_SUMMARY', summary(view, verdict, story));
}

function append(io: CliIo, variable: string, text: string): void {
  const path = io.env[variable];
  if (!path) return;
  try {
    appendFileSync(path, text);
  } catch {
    io.stderr.write(`cannot write to the file of ${variable}\n`);
  }
}

function summary(view: WireWatch, verdict: string, story: readonly string[]): string {
  const cells = (row: readonly string[]) => `| ${row.map(escapeMarkdown).join(' | ')} |`;
  const conditions = view.conditions.map(({ state, title, text, window, role }) =>
    cells([state, title, text, `${window} ${role}`]),
  );
  const lines = [
    `### canaryd: ${escapeMarkdown(verdict === '' ? verdictLine(view) : verdict)}`,
    '',
    ...(conditions.length === 0
      ? []
      : ['| State | Indicator | Now | Window |', '| --- | --- | --- | --- |', ...conditions, '']),
    ...story.slice(-STORY_LINES_MAX).map((line) => `- ${escapeMarkdown(line)}`),
    '',
  ];
  let text = '';
  for (const line of lines) {
    if (text.length + line.length > SUMMARY_CHARS_MAX) return `${text}\n\n(cut)\n`;
    text += `${line}\n`;
  }
  return text;
}
