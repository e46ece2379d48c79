// What happens in a case beside its series: outages, commands of people, newer deploys.
import { parseDuration } from '../core/quantity.ts';
import { parseSpan, type Span } from './time.ts';

export type HumanVerb = 'stops' | 'cancels' | 'acknowledges' | 'extends' | 'holds' | 'releases';

export type Deed =
  | { readonly kind: 'source_down' | 'source_rejects' | 'canaryd_down' | 'canaryd_restarts' }
  | { readonly kind: 'deploy'; readonly version: string }
  | {
      readonly kind: 'human';
      readonly by: string;
      readonly verb: HumanVerb;
      readonly byMs: number;
      readonly reason: string;
      /** The command must be refused. */
      readonly isRefused: boolean;
    };

export type Happening = Span & { readonly deed: Deed; readonly text: string };

export const WANTED_DEED =
  'source down, source rejects or canaryd down (from-to); canaryd restarts, deploy 2.0.1, ' +
  '"ann stops (reason)", cancels, acknowledges, holds fire, releases fire, "extends by 2h" (at a time)';

const LASTING: Readonly<Record<string, Deed>> = {
  'source down': { kind: 'source_down' },
  'prometheus down': { kind: 'source_down' },
  'source rejects': { kind: 'source_rejects' },
  'canaryd down': { kind: 'canaryd_down' },
};

const VERBS = String.raw`stops|cancels|acknowledges|holds fire|releases fire|extends by (\S+?)`;
const HUMAN = new RegExp(
  String.raw`^(\S+) (${VERBS})(?: it)?(?:\s*\((.*)\))?\s*(, refused)?$`,
  's',
);

/** null: this happens nowhere. */
export function deedOf(written: string): Deed | null {
  const text = written.trim();
  const lasting = Object.hasOwn(LASTING, text) ? LASTING[text] : undefined;
  if (lasting !== undefined) return lasting;
  if (text === 'canaryd restarts') return { kind: 'canaryd_restarts' };
  const version = /^deploy (\S+)$/.exec(text)?.[1];
  if (version !== undefined) return { kind: 'deploy', version };
  const human = HUMAN.exec(text);
  if (human === null) return null;
  const [, by = '', words = '', extension, reason, refused] = human;
  const byMs = extension === undefined ? 0 : parseDuration(extension);
  if (byMs === null) return null;
  const verb = words.split(' ')[0] as HumanVerb;
  const why = reason ?? 'no reason given';
  return { kind: 'human', by, verb, byMs, reason: why, isRefused: refused !== undefined };
}

export function isLasting({ kind }: Deed): boolean {
  return kind === 'source_down' || kind === 'source_rejects' || kind === 'canaryd_down';
}

/** null: the time cannot be read, or does not fit what happens. */
export function happeningOf(when: string, text: string, deed: Deed): Happening | null {
  const span = parseSpan(when);
  if (span === null || isLasting(deed) !== span.untilMs > span.fromMs) return null;
  return { ...span, deed, text };
}
