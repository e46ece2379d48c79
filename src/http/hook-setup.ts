// Which hooks are taken, as the daemon hands it over: settings of a kind, and its secret.
import type { HookKind, HookSettings } from '../hooks/hook.ts';

export type HookSetup = {
  readonly settings: HookSettings;
  /** Read on each use, so that a rotated secret counts at once. Null: none is configured. */
  readonly secret: (() => string) | null;
  /** For parameters that the event does not bring. */
  readonly parameters: Readonly<Record<string, number | string>>;
};

export type HookSetups = {
  readonly kinds: Readonly<Record<HookKind, HookSetup | null>>;
  /** Names of the parameters that any policy of the service asks for. */
  readonly parametersOf: (service: string) => ReadonlySet<string>;
};
