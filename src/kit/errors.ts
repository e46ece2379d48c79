// Errors that an operator can act on. Everything else that is thrown is a bug.

export type ErrorCode =
  | 'config_invalid'
  | 'policy_invalid'
  | 'policy_not_found'
  | 'watch_not_found'
  | 'gate_record_not_found'
  | 'watch_closed'
  | 'start_invalid'
  | 'hold_fire'
  | 'gate_missing'
  | 'conflict'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'journal_failed'
  | 'daemon_unreachable'
  | 'usage';

/** One mistake in a file or request: where, what was found, what is wanted, what to do. */
export type Problem = {
  /** `windows[0].stop.fill_rate.below` */
  readonly path: string;
  readonly message: string;
};

export class CanarydError extends Error {
  override readonly name = 'CanarydError';
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { problems?: readonly Problem[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
  }
}

/** The message of anything thrown, cut to a bounded length. Never prints objects: they may hold secrets. */
export function messageOf(error: unknown): string {
  const text =
    error instanceof Error ? error.message : typeof error === 'string' ? error : 'unknown error';
  return text.length > 300 ? `${text.slice(0, 297)}...` : text;
}
