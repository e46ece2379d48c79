// A message as a mail: the headline is the subject, the rest is text and the same as simple HTML. The
// mails of a watch refer to one root, so that they are one thread. Pure; everything is foreign text.
import type { Message } from '../core/delivery.ts';
import {
  cutLines,
  cutUnits,
  fieldsOf,
  headlineOf,
  linesOf,
  linksOf,
  nextOf,
  utc,
  watchOf,
} from './text.ts';

const SUBJECT_MAX = 200;
const LINES_MAX = 20_000;
const NEXT_MAX = 2_000;

export type Mail = {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  /** Null for the first mail of a watch, which is the root, and for one of no watch. */
  readonly inReplyTo: string | null;
  readonly isUrgent: boolean;
};

/** @param domain the right side of the ids, from the sender's address */
export function mailOf(message: Message, key: string, channel: string, domain: string): Mail {
  const own = idOf(key, domain);
  // Of no watch: a thread of its own.
  const root = message.watchId === '' ? own : idOf(`watch-${message.watchId}-${channel}`, domain);
  const isRoot = message.kind === 'watch.started' || root === own;
  return {
    subject: headlineOf(message, SUBJECT_MAX),
    text: textOf(message),
    html: htmlOf(message),
    messageId: isRoot ? root : own,
    inReplyTo: isRoot ? null : root,
    isUrgent: message.severity === 'critical',
  };
}

const ID_MAX = 200;

/** Only what an id may have without quotes. */
function idOf(local: string, domain: string): string {
  return `<${local.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, ID_MAX)}@${domain}>`;
}

function textOf(message: Message): string {
  const next = nextOf(message, NEXT_MAX);
  const fields = fieldsOf(message).map(([title, value]) => `${title}: ${value}`);
  const links = linksOf(message).map(({ label, url }) => `${label}: ${url}`);
  const parts = [
    [headlineOf(message, SUBJECT_MAX)],
    cutLines(linesOf(message), LINES_MAX),
    next === '' ? [] : [`Next: ${next}`],
    fields,
    links,
    [footOf(message)],
  ];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const COLORS = { critical: '#c4162a', warning: '#b87a00', info: '#2e9e5b' } as const;

function htmlOf(message: Message): string {
  const { severity } = message;
  const next = nextOf(message, NEXT_MAX);
  const lines = cutLines(linesOf(message), LINES_MAX).map((line) => `<p>${escapeHtml(line)}</p>`);
  const rows = fieldsOf(message).map(
    ([title, value]) =>
      `<tr><td style="padding-right:1em;color:#666">${escapeHtml(title)}</td>` +
      `<td>${escapeHtml(value)}</td></tr>`,
  );
  const links = linksOf(message).map(
    ({ label, url }) => `<a href="${escapeHtml(url)}">${escapeHtml(label)}</a>`,
  );
  return [
    '<!doctype html><html><body style="font-family:sans-serif">',
    `<div style="border-left:4px solid ${COLORS[severity]};padding-left:12px">`,
    `<p><strong>${escapeHtml(headlineOf(message, SUBJECT_MAX))}</strong></p>`,
    ...lines,
    ...(next === '' ? [] : [`<p><strong>Next:</strong> ${escapeHtml(next)}</p>`]),
    ...(rows.length === 0 ? [] : [`<table>${rows.join('')}</table>`]),
    ...(links.length === 0 ? [] : [`<p>${links.join(' · ')}</p>`]),
    `</div><p style="color:#666">${escapeHtml(footOf(message))}</p></body></html>`,
  ].join('\n');
}

function footOf(message: Message): string {
  const watch = watchOf(message);
  return [watch && `watch ${watch}`, utc(message.atMs), 'canaryd'].filter(Boolean).join(' · ');
}

function escapeHtml(text: string): string {
  return cutUnits(text, LINES_MAX)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
