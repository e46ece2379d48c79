// A message as Slack shows it: the headline as text (it is what a lock screen shows), the rest in
// an attachment, because only attachments have a colour bar. Pure; knows Slack's limits and stays
// below them whatever the message holds. All text of a message is foreign: it is escaped, so that
// an error body cannot ping a channel.
import type { Message, Severity } from '../core/delivery.ts';
import { escapeSlack, type SlackButton } from '../core/slack-button.ts';
import { type SlackActions, slackActions } from './slack-buttons.ts';
import { clean, oneLine } from './text.ts';

type Text = { type: 'mrkdwn'; text: string; verbatim: true };
export type SlackBlock =
  | { type: 'section'; text: Text }
  | { type: 'section'; fields: Text[] }
  | { type: 'context'; elements: Text[] }
  | SlackActions;

export type SlackPayload = {
  text: string;
  attachments?: { color: string; fallback: string; blocks: SlackBlock[] }[];
  link_names: false;
  unfurl_links: false;
  unfurl_media: false;
};

export type SlackOptions = {
  /** `here`, a user id, a user group id, or Slack's own `<…>`; put into critical messages. */
  readonly mention: string | null;
  /** Name of the channel, when its messages have buttons. */
  readonly buttons?: string | null;
  /** Absent: those that belong to this kind of message. */
  readonly actions?: readonly SlackButton[];
};

/** The headline as people see it: a lock screen shows no more. */
const HEADLINE_MAX = 150;
// A section may have 3,000 characters and a field 2,000. All blocks together are refused above
// some 13,000, undocumented: these add up to less than 10,000.
const LINES_MAX = 2_950;
const NEXT_MAX = 1_200;
const FIELDS_MAX = 10;
const FIELD_TITLE_MAX = 80;
const FIELD_VALUE_MAX = 220;
const LINKS_MAX = 1_500;
const WATCH_MAX = 100;
/** Slack takes 40,000, but has long asked for some 4,000. */
const PLAIN_MAX = 5_000;
const COLORS: Readonly<Record<Severity, string>> = {
  critical: '#c4162a',
  warning: '#e8a317',
  info: '#2e9e5b',
};

export function slackMessage(message: Message, options: SlackOptions): SlackPayload {
  const fallback = headlineOf(message, HEADLINE_MAX);
  const blocks: SlackBlock[] = [
    ...sectionOf(cut(linesOf(message), LINES_MAX, message)),
    ...sectionOf(nextOf(message, NEXT_MAX)),
    ...fieldsOf(message),
    ...sectionOf(linksOf(message, LINKS_MAX).join('  ·  ')),
    ...slackActions(message, options.buttons ?? null, options.actions),
    { type: 'context', elements: [mrkdwn(contextOf(message))] },
  ];
  return {
    text: textOf(message, options),
    attachments: [{ color: COLORS[message.severity], fallback, blocks }],
    ...QUIET,
  };
}

/** The same message without blocks, for when Slack refuses them: worse looking, but it arrives. */
export function plainSlackMessage(message: Message, options: SlackOptions): SlackPayload {
  const next = nextOf(message, NEXT_MAX);
  const links = linksOf(message, LINKS_MAX);
  const rest = [next, ...links, contextOf(message)].filter(Boolean);
  const fields = message.fields
    .slice(0, FIELDS_MAX)
    .map(([title, value]) => clean(`${oneLine(title)}: ${oneLine(value)}`));
  const text = textOf(message, options);
  const room = PLAIN_MAX - text.length - rest.join('\n').length;
  const lines = cut([...linesOf(message), ...fields].filter(Boolean), room, message);
  const parts = [text, lines, ...rest].filter(Boolean);
  return { text: parts.join('\n'), ...QUIET };
}

/** A link's preview would push the evidence off the screen. */
const QUIET = { link_names: false, unfurl_links: false, unfurl_media: false } as const;

function textOf(message: Message, { mention }: SlackOptions): string {
  const ping = message.severity === 'critical' && mention !== null ? mentionOf(mention) : '';
  if (ping === '') return headlineOf(message, HEADLINE_MAX);
  return `${ping} ${headlineOf(message, Math.max(40, HEADLINE_MAX - ping.length - 1))}`;
}

function headlineOf(message: Message, max: number): string {
  return visible(oneLine(message.headline) || oneLine(message.kind) || 'canaryd', max);
}

/** Escaped; at most `max` characters as people see them. */
function visible(text: string, max: number): string {
  const points = [...text];
  return escapeSlack(points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`);
}

function linesOf(message: Message): readonly string[] {
  return message.lines.flatMap((line) => clean(line).split('\n')).filter(Boolean);
}

/** Plain `@here` notifies nobody: Slack wants ids in angle brackets. */
function mentionOf(mention: string): string {
  const name = mention.trim().replace(/^@/, '');
  if (/^<[!@][^<>\s]{1,80}>$/.test(name)) return name;
  if (/^(?:here|channel|everyone)$/.test(name)) return `<!${name}>`;
  if (/^[UW][A-Z0-9]{2,20}$/.test(name)) return `<@${name}>`;
  if (/^S[A-Z0-9]{2,20}$/.test(name)) return `<!subteam^${name}>`;
  return visible(oneLine(mention), 80);
}

function sectionOf(text: string): SlackBlock[] {
  return text === '' ? [] : [{ type: 'section', text: mrkdwn(text) }];
}

function fieldsOf(message: Message): SlackBlock[] {
  const fields = message.fields.slice(0, FIELDS_MAX).flatMap(([title, value]) => {
    const head = shorten(oneLine(title), FIELD_TITLE_MAX);
    const body = shorten(oneLine(value), FIELD_VALUE_MAX);
    const text = [head && `*${head}*`, body].filter(Boolean).join('\n');
    return text === '' ? [] : [mrkdwn(text)];
  });
  return fields.length === 0 ? [] : [{ type: 'section', fields }];
}

/** `verbatim`: Slack adds no links or mentions of its own to foreign text. */
function mrkdwn(text: string): Text {
  return { type: 'mrkdwn', text, verbatim: true };
}

function nextOf(message: Message, max: number): string {
  const text = message.next === null ? '' : clean(message.next);
  return text === '' ? '' : `*Next:* ${cut(text.split('\n'), max, message)}`;
}

function linksOf(message: Message, max: number): readonly string[] {
  const links: string[] = [];
  let size = 0;
  for (const { label, url } of message.links) {
    const link = linkOf(label, url);
    size += link.length + 5;
    if (size > max) break;
    if (link !== '') links.push(link);
  }
  return links;
}

/** Empty when it is no link that a browser opens. */
function linkOf(label: string, url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return '';
  const target = escapeSlack(parsed.href.replaceAll('|', '%7C'));
  const name = shorten(oneLine(label).replaceAll('|', '/'), 80) || 'link';
  return `<${target}|${name}>`;
}

function contextOf(message: Message): string {
  const watch = shorten(oneLine(message.watchId), WATCH_MAX);
  return [watch && `watch ${watch}`, timeOf(message.atMs), 'canaryd'].filter(Boolean).join('  ·  ');
}

/** In the reader's own zone; UTC where Slack cannot. */
function timeOf(atMs: number): string {
  const at = new Date(atMs);
  if (Number.isNaN(at.getTime()) || atMs < 0) return '';
  const utc = `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return `<!date^${Math.floor(atMs / 1_000)}^{date_short_pretty} {time_secs}|${utc}>`;
}

/**
 * Escaped lines, whole ones as long as they fit; the line that does not fit is cut by code point
 * only when it is the first. Says so, with the way to the full text.
 */
function cut(lines: readonly string[], max: number, message: Message): string {
  const whole = lines.map(escapeSlack).join('\n');
  if (whole.length <= max) return whole;
  const full = linksOf(message, 500)[0];
  const mark = full === undefined ? '… cut' : `… cut; full text: ${full}`;
  const room = max - mark.length - 1;
  const kept: string[] = [];
  let size = 0;
  for (const line of lines) {
    const escaped = escapeSlack(line);
    if (size + escaped.length + 1 > room) break;
    kept.push(escaped);
    size += escaped.length + 1;
  }
  if (kept.length === 0) kept.push(shorten(lines[0] ?? '', room));
  return [...kept, mark].join('\n');
}

/** Escaped and at most `max` UTF-16 units long; never half a character or half an entity. */
function shorten(text: string, max: number): string {
  const whole = escapeSlack(text);
  if (whole.length <= max) return whole;
  let result = '';
  for (const point of text) {
    const escaped = escapeSlack(point);
    if (result.length + escaped.length + 1 > max) break;
    result += escaped;
  }
  return `${result}…`;
}
