// An indicator together with what was seen of it at its source.
import type { ReadRequest, SeriesIndicator } from '../../core/read.ts';
import type { Reading } from '../../core/sample.ts';
import type { About } from '../finding.ts';
import { aboutIndicator, type Subject } from '../subject.ts';
import type { Look, Sight } from './sight.ts';

export type Seen = {
  readonly subject: Subject;
  readonly sight: Sight;
  /** Placeholders are filled. */
  readonly indicator: SeriesIndicator;
  readonly look: Look;
  /** As a watch would read it. */
  readonly reading: Reading | undefined;
  readonly request: ReadRequest;
};

export function aboutMetric({ subject, indicator }: Seen): About {
  return aboutIndicator(subject, indicator.id, indicator.kind);
}
