// Takes the values of secrets that a gate has used out of everything that its checks give: the last
// door before the evidence, the record and the log of a job, whatever a kind of check has cleaned by
// itself. Pure; finds a value as it is, and as URLs, JSON and base64 hold it.
import { redact } from '../kit/redact.ts';
import type { CheckResult, Exhibit } from './check.ts';

/** A shorter value is in every text. */
const SECRET_CHARS_MIN = 4;
/** Three alignments of a shorter one are in many texts. */
const BASE64_CHARS_MIN = 8;
const CUT_MARK = '…';
const HIDDEN = '[redacted]';

/** Of no secret: gives back what it is given. */
export function hideSecrets(values: readonly string[], result: CheckResult): CheckResult {
  const forms = [...new Set(values.flatMap(formsOf))];
  if (forms.length === 0) return result;
  const line = (text: string) => hiddenLine(text, forms);
  const { outcome, text, details, exhibits, tools } = result;
  return {
    outcome,
    text: line(text),
    details: details.map(line),
    exhibits: exhibits.map((one) => hiddenExhibit(one, forms)),
    tools: Object.fromEntries(Object.entries(tools).map(([name, said]) => [name, line(said)])),
  };
}

function formsOf(value: string): readonly string[] {
  const trimmed = value.trim();
  if (trimmed.length < SECRET_CHARS_MIN) return [];
  const lines = trimmed.split('\n').filter((line) => line.trim().length >= BASE64_CHARS_MIN);
  // Of `Bearer …` the second word alone.
  const [, credential = ''] = /^[A-Za-z]+ +(\S{8,})$/.exec(trimmed) ?? [];
  const texts = [value, trimmed, ...lines, credential].filter((text) => text !== '');
  return texts.flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text.toWellFormed()),
    ...base64Of(text),
  ]);
}

/** Alone, and inside of what was encoded as a whole: `user:password` of a login. */
function base64Of(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first and the last characters hold bits of what stands beside it.
    const from = [0, 2, 3][before] ?? 0;
    const until = (before + bytes.length) % 3 === 0 ? all.length : all.length - 1;
    const own = all.slice(from, until);
    if (own.length < BASE64_CHARS_MIN) return [];
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function hiddenLine(text: string, forms: readonly string[]): string {
  const clean = redact(text, forms);
  if (!clean.endsWith(CUT_MARK)) return clean;
  return `${withoutHalves(clean.slice(0, -CUT_MARK.length), forms)}${CUT_MARK}`;
}

/** Byte by byte: what is no text stays what it was. */
function hiddenExhibit(exhibit: Exhibit, forms: readonly string[]): Exhibit {
  const { body, isCut } = exhibit;
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
  const found = bytes.toString('latin1');
  const wanted = forms.map((form) => Buffer.from(form).toString('latin1'));
  const clean = redact(found, wanted);
  const whole = isCut ? withoutHalves(clean, wanted) : clean;
  return whole === found ? exhibit : { ...exhibit, body: Buffer.from(whole, 'latin1') };
}

/** Where a text was cut it may end with the first half of a secret, or begin with its last one. */
function withoutHalves(text: string, forms: readonly string[]): string {
  let end = 0;
  let start = 0;
  for (const form of forms) {
    for (let size = form.length - 1; size >= SECRET_CHARS_MIN; size--) {
      if (size > end && text.endsWith(form.slice(0, size))) end = size;
      if (size > start && text.startsWith(form.slice(-size))) start = size;
    }
  }
  const kept = end === 0 ? text : `${text.slice(0, -end)}${HIDDEN}`;
  return start === 0 ? kept : `${HIDDEN}${kept.slice(start)}`;
}
