// What the page works on: the API's own types, as they are inside canaryd.
import type { WatchEvent } from '../../../core/event.ts';
import type { ConditionView, WatchView } from '../../../engine/control.ts';
import type { Hold } from '../../../journal/journal.ts';
import type { Series } from '../series.ts';

export type { ConditionView, Hold, Series, WatchEvent, WatchView };

export type Me = { readonly token: string | null; readonly scopes: readonly string[] };

/** Why a request failed, in words. */
export type Failure = {
  readonly kind: 'network' | 'problem';
  readonly status: number;
  /** The word behind `urn:canaryd:problem:`, or `network`. */
  readonly problem: string;
  readonly title: string;
  readonly detail: string;
};

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

/**
 * - `live`: the stream is open
 * - `polling`: the stream is not there, and asking again and again works
 * - `lost`: neither works
 * - `refused`: asking again changes nothing, a token or another address does
 * - `over`: nothing will change by itself any more
 */
export type Link = 'connecting' | 'live' | 'polling' | 'lost' | 'refused' | 'over';

export type Drawn = {
  readonly points: readonly (readonly [atMs: number, value: number])[];
  readonly blind: readonly {
    readonly fromAtMs: number;
    readonly toAtMs: number;
    readonly reason: string;
  }[];
  /** Between two points: no line may join them. */
  readonly gaps: readonly (readonly [fromAtMs: number, toAtMs: number])[];
};

export type State = {
  readonly view: WatchView | null;
  readonly events: readonly WatchEvent[];
  /** undefined: not known yet. */
  readonly hold: Hold | null | undefined;
  readonly me: Me | null;
  readonly series: ReadonlyMap<string, Drawn>;
  readonly link: Link;
  /** Server's time of the last word from it. */
  readonly heardAtMs: number | null;
  readonly failure: Failure | null;
};

export type Action =
  | { readonly type: 'view'; readonly view: WatchView }
  | { readonly type: 'events'; readonly events: readonly WatchEvent[] }
  | { readonly type: 'hold'; readonly hold: Hold | null }
  | { readonly type: 'me'; readonly me: Me }
  | { readonly type: 'series'; readonly series: Series }
  | { readonly type: 'heard'; readonly atMs: number }
  | { readonly type: 'link'; readonly link: Link }
  | { readonly type: 'failed'; readonly failure: Failure | null };

export type Tone = 'good' | 'bad' | 'warn' | 'blind' | 'calm';

export type Verb = 'ack' | 'stop' | 'cancel' | 'extend' | 'resolve' | 'hold' | 'release' | 'sign';

export type Command = {
  readonly verb: Verb;
  readonly label: string;
  /** null: possible; else why not. */
  readonly refused: string | null;
  readonly tone: 'danger' | 'plain' | 'main';
  /** What will happen. */
  readonly happens: readonly string[];
  readonly confirm: string;
  readonly reasons: readonly string[];
  /** Only for `sign`: as whom. A note is optional there, and a name is not. */
  readonly role?: string;
};
