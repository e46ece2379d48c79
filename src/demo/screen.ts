// The demo's terminal: the story in lines, and below it, on a real terminal, the conditions live.
// Without a terminal (CI, a pipe) only the story is printed, with a table now and then.
import { stripVTControlCharacters, styleText } from 'node:util';
import { send } from '../kit/http.ts';

export type WireCondition = {
  readonly condition: string;
  readonly title: string;
  readonly role: string;
  readonly due: boolean;
  readonly state: string;
  readonly text: string;
};

/** What the screen reads of the API's watch. */
export type WireWatch = {
  readonly id: string;
  readonly phase: string;
  readonly active: boolean;
  readonly window: string | null;
  readonly verification: string;
  readonly conditions: readonly WireCondition[];
};

type Out = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
type Style = Parameters<typeof styleText>[0];

const STATE_STYLES: Readonly<Record<string, Style>> = {
  inactive: 'green',
  pending: 'yellow',
  firing: 'red',
  blind: 'magenta',
  waiting: 'gray',
};
/** Without a terminal the table is printed this often at most. */
const TABLE_EVERY_LOOKS = 12;

export class Screen {
  readonly #out: Out;
  readonly #isLive: boolean;
  #tableLines = 0;
  #seenSeq = 0;
  #looks = 0;
  #started = performance.now();

  constructor(out: Out) {
    this.#out = out;
    this.#isLive = out.isTTY === true;
  }

  #style(style: Style, text: string): string {
    return this.#isLive ? styleText(style, text, { validateStream: false }) : text;
  }

  title(title: string, detail: string): void {
    this.#started = performance.now();
    this.#out.write(`\n${this.#style('bold', title)}\n${detail}\n\n`);
  }

  #line(label: string, text: string, style: Style = 'white'): void {
    this.#clearTable();
    const seconds = ((performance.now() - this.#started) / 1_000).toFixed(1).padStart(5);
    this.#out.write(`${seconds}s  ${this.#style(style, label.padEnd(9))} ${text}\n`);
  }

  say(text: string): void {
    this.#line('', text, 'bold');
  }

  received(action: string, isRepeat: boolean): void {
    const repeat = isRepeat ? ' (a repeat: answered, not done again)' : '';
    this.#line('receiver', `${action} request received, signature verified${repeat}`, 'cyan');
  }

  /** A chat message as a person would read it. */
  slack(body: unknown): void {
    const [first = '', ...rest] = readable(body);
    this.#line('slack', first, 'blue');
    const width = (this.#out.columns ?? 140) - 21;
    for (const line of rest.flatMap((text) => wrap(text, width))) {
      this.#out.write(`${' '.repeat(18)}| ${line}\n`);
    }
  }

  /** New journal events, then the table. */
  async watch(url: string, watch: WireWatch): Promise<void> {
    const answer = await send({
      method: 'GET',
      url: `${url}/v1/watches/${watch.id}/journal?after=${this.#seenSeq}`,
      timeoutMs: 5_000,
      responseBytesMax: 5_000_000,
    });
    if (answer.kind === 'answered' && answer.status === 200) {
      const { events } = JSON.parse(answer.body) as {
        events: readonly { seq: number; type: string; window?: string; reason?: string }[];
      };
      for (const { seq, type, window, reason } of events) {
        this.#seenSeq = seq;
        this.#line('journal', [type, window, reason].filter(Boolean).join(': '), 'gray');
      }
    }
    const isTime = this.#looks % TABLE_EVERY_LOOKS === 0;
    this.#looks += 1;
    if (this.#isLive || isTime) this.#table(watch);
  }

  #table(watch: WireWatch): void {
    this.#clearTable();
    const width = (this.#out.columns ?? 140) - 1;
    const due = watch.conditions.filter((condition) => condition.due);
    const verifying = watch.verification === 'none' ? '' : `, rollback: ${watch.verification}`;
    const head = `        ${watch.phase}, window ${watch.window ?? '-'}${verifying}`;
    const lines = [
      this.#style('bold', cut(head, width)),
      ...due.map(({ role, state, title, text }) => {
        const word = this.#style(STATE_STYLES[state] ?? 'white', state.padEnd(8));
        const rest = cut(`${role.padEnd(6)} ${title}: ${text}`, width - 18);
        return `        ${word}  ${rest}`;
      }),
    ];
    this.#out.write(`${lines.join('\n')}\n`);
    this.#tableLines = this.#isLive ? lines.length : 0;
  }

  #clearTable(): void {
    if (this.#tableLines > 0) this.#out.write(`\u001b[${this.#tableLines}A\u001b[J`);
    this.#tableLines = 0;
  }

  end(summary: string, isAsTold: boolean): void {
    this.#clearTable();
    const verdict = isAsTold
      ? this.#style('green', 'As it should be')
      : this.#style('red', 'NOT as it should be');
    this.#out.write(`\n${verdict}: ${summary}\n`);
  }
}

function cut(text: string, width: number): string {
  const plain = stripVTControlCharacters(text);
  return plain.length <= width ? plain : `${plain.slice(0, Math.max(0, width - 1))}…`;
}

/** At blanks, so that no word is torn. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A field of a Slack section is its title, a line break, its value. */
function fieldText(field: unknown): string {
  const { text } = field as { readonly text?: unknown };
  return typeof text === 'string' ? text.replace('\n', ': ') : '';
}

/** The words of a Slack payload, without its markup. */
function readable(body: unknown): readonly string[] {
  const lines: string[] = [];
  const visit = (node: unknown, key: string): void => {
    if (typeof node === 'string' && key === 'text') lines.push(...node.split('\n'));
    else if (key === 'fields' && Array.isArray(node)) lines.push(node.map(fieldText).join(' · '));
    else if (Array.isArray(node)) for (const child of node) visit(child, '');
    else if (typeof node === 'object' && node !== null) {
      for (const [name, child] of Object.entries(node)) visit(child, name);
    }
  };
  visit(body, '');
  const words = lines
    .map((line) =>
      line
        .replace(/<!date\^[^|]*\|([^>]*)>/g, '$1')
        .replace(/<([^|>]+)\|([^>]+)>/g, '$2 ($1)')
        .replace(/[*`]/g, '')
        .replace(/&lt;/g, '<')
        .replace(/&gt;/g, '>')
        .replace(/&amp;/g, '&')
        .trim(),
    )
    .filter((line) => line !== '');
  return [...new Set(words)];
}
