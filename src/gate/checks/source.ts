// A source of canaryd's config that a check names, and the mistake when it is not there.
import { didYouMean, found } from '../../config/problems.ts';
import type { MakeTools } from '../kinds.ts';

export function sourceProblem(
  name: string,
  wantedKind: 'prometheus' | 'prometheus or scrape',
  { sources, report }: MakeTools,
): void {
  const names = sources.names();
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  const source = sources.find(name);
  const what =
    source === null
      ? `${found(name)}, which canaryd.yaml does not have`
      : `a ${source.kind} source`;
  const wanted = `a source of kind ${wantedKind} of canaryd.yaml (${known})`;
  report(['source'], what, `${wanted}${source === null ? didYouMean(name, names) : ''}`);
}
