// One HTTP request, once or several times in a row, and what the answer must be. An endpoint that
// does not answer makes the check unknown: nothing was seen of what is wanted.
import { ms } from '../../config/fields.ts';
import type { HttpInput } from '../../config/gate-checks/http.ts';
import { filledUrl } from '../../core/read.ts';
import { fill } from '../../core/template.ts';
import type { HttpAnswer } from '../../kit/http.ts';
import type { CheckResult, CheckTools, Exhibit } from '../check.ts';
import { comparisonOf, figureWords } from '../figure.ts';
import type { MadeCheck, MakeTools } from '../kinds.ts';
import { ask, BODY_BYTES_MAX, placeOf, revealed } from '../request.ts';
import { exhibit, fail, pass, unknown } from '../result.ts';
import { answerComplaints, nonceOf, statusWords } from './http-answer.ts';

/** Headers of an answer that may hold what opens a session. */
const HIDDEN_HEADERS = new Set(['set-cookie', 'authorization', 'x-csrf-token']);
const BEYOND_TRIES_MS = 1_000;

type Try =
  | { readonly kind: 'seen'; readonly complaints: readonly string[]; readonly answer: HttpAnswer }
  | { readonly kind: 'unseen'; readonly text: string };

type Request = Parameters<typeof ask>[0];

export function httpCheck(input: HttpInput, make: MakeTools): MadeCheck {
  const { passing, failing } = input;
  const tries = passing ?? failing ?? 1;
  const url = filledUrl(input.url, make.values);
  // A nonce is asked for twice.
  const requests = tries * (wantsNonce(input) ? 2 : 1);
  return {
    kind: 'http',
    wants: wantsText(input, url),
    timeoutMs: requests * ms(input.timeout) + (tries - 1) * ms(input.every) + BEYOND_TRIES_MS,
    run: async (tools) => {
      if (url === '') return unknown('the URL cannot be requested with the values of this deploy');
      const headers = revealed(input.headers ?? {}, make.secrets);
      if (headers.kind === 'missing') return unknown(headers.text);
      const request: Request = {
        method: input.method,
        url,
        headers: headers.headers,
        ...(input.body === undefined ? {} : { body: fill(input.body, make.values) }),
        timeoutMs: ms(input.timeout),
        responseBytesMax: BODY_BYTES_MAX,
        signal: tools.signal,
      };
      const all = await tryAll(() => tryOnce(input, request, make), tries, input, tools);
      return resultOf(all, input, headers.clean);
    },
  };
}

async function tryAll(
  once: () => Promise<Try>,
  times: number,
  { failing, every }: HttpInput,
  { clock, signal }: CheckTools,
): Promise<readonly Try[]> {
  const all: Try[] = [];
  for (let count = 0; count < times; count += 1) {
    if (count > 0) {
      const isOver = await clock.sleep(ms(every), signal).then(
        () => false,
        () => true,
      );
      if (isOver) return [...all, { kind: 'unseen', text: 'cut off between two tries' }];
    }
    const one = await once();
    all.push(one);
    const isGood = one.kind === 'seen' && one.complaints.length === 0;
    if (isGood === (failing !== undefined)) break;
  }
  return all;
}

async function tryOnce(input: HttpInput, request: Request, make: MakeTools): Promise<Try> {
  const asked = await ask(request);
  if (asked.kind === 'no_answer') return { kind: 'unseen', text: asked.text };
  const { answer } = asked;
  const complaints = answerComplaints(input, answer, make.values);
  if (!wantsNonce(input) || complaints.length > 0) return { kind: 'seen', complaints, answer };
  const again = await ask(request);
  if (again.kind === 'no_answer') return { kind: 'unseen', text: again.text };
  const reused = nonceHeaders(input).filter((name) => {
    const [first, second] = [answer, again.answer].map(({ headers }) => headers[name] ?? '');
    return nonceOf(first ?? '') === nonceOf(second ?? '');
  });
  const all = reused.map(
    (name) => `${name} has the same nonce in two answers: it protects nothing`,
  );
  return { kind: 'seen', complaints: all, answer };
}

function nonceHeaders({ response_headers: wanted = {} }: HttpInput): readonly string[] {
  return Object.entries(wanted)
    .filter(([, { csp }]) => csp === 'nonce')
    .map(([name]) => name.toLowerCase());
}

function wantsNonce(input: HttpInput): boolean {
  return nonceHeaders(input).length > 0;
}

function resultOf(
  all: readonly Try[],
  { passing, failing, url }: HttpInput,
  clean: (text: string) => string,
): CheckResult {
  const last = all.at(-1);
  const exhibits = all.flatMap((one, index) =>
    one.kind === 'seen' && index === all.length - 1 ? [exhibitOf(one.answer, clean)] : [],
  );
  if (last === undefined) return unknown('no try was made');
  const count = failing !== undefined && all.length > 1 ? `${all.length} tries in a row: ` : '';
  if (last.kind === 'unseen') return unknown(`${count}${last.text}`, { exhibits });
  const [first, ...more] = last.complaints.map(clean);
  if (first !== undefined) {
    const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
    const details = more.length === 0 ? [] : [first, ...more];
    return fail(`${count}${placeOf(url)}: ${first}${rest}`, { details, exhibits });
  }
  const { status, tookMs } = last.answer;
  const row = passing !== undefined && passing > 1 ? `, ${passing} times in a row` : '';
  return pass(`HTTP ${status} in ${Math.round(tookMs)} ms${row}`, { exhibits });
}

function exhibitOf(answer: HttpAnswer, clean: (text: string) => string): Exhibit {
  const lines = Object.entries(answer.headers).map(([name, value]) =>
    HIDDEN_HEADERS.has(name) ? `${name}: [not kept]` : `${name}: ${value}`,
  );
  const text = [`HTTP ${answer.status}`, ...lines.sort(), '', answer.body].join('\n');
  return exhibit('response.txt', clean(text));
}

function wantsText(input: HttpInput, url: string): string {
  const { within, response_headers: headers = {}, json = {}, passing, failing } = input;
  const fields = Object.entries(json).map(([path, wanted]) => {
    const limits = comparisonOf(wanted).map(figureWords);
    const equals = wanted.equals === undefined ? [] : [`= ${wanted.equals}`];
    return [path, ...equals, ...limits].join(' ');
  });
  const parts = [
    statusWords(input),
    ...(within === undefined ? [] : [`within ${within}`]),
    ...Object.entries(headers).map(([name, wanted]) => `${name} ${headerWords(wanted)}`.trim()),
    ...fields,
    ...(passing === undefined || passing === 1 ? [] : [`${passing} times in a row`]),
    ...(failing === undefined ? [] : [`not failing ${failing} times in a row`]),
  ];
  return `${input.method} ${url || input.url}: ${parts.join(', ')}`;
}

function headerWords({
  present,
  equals,
  contains,
  matches,
  max_age: maxAge,
  csp,
}: NonNullable<HttpInput['response_headers']>[string]): string {
  return [
    ...(present === false ? ['absent'] : []),
    ...(equals === undefined ? [] : [`= ${equals}`]),
    ...(contains === undefined ? [] : [`with ${contains}`]),
    ...(matches === undefined ? [] : [`matching ${matches}`]),
    ...(maxAge === undefined ? [] : [`max-age at least ${maxAge}`]),
    ...(csp === undefined ? [] : ['by nonce']),
  ].join(' ');
}
