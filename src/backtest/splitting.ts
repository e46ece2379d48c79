// Whether a question that was refused may be answered in smaller parts.
import type { QueryAnswer } from '../source/prometheus-api.ts';

export type Failed = Extract<QueryAnswer, { kind: 'failed' }>;

/** A limit of the server, or of ours; or the evaluation met something odd at one of many times. */
export function maySplit({ fault, detail }: Failed): boolean {
  return fault === 'size' || fault === 'slow' || detail.startsWith('HTTP 422');
}
