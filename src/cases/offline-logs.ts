// What a case says of audit logs: their values, as they are. A log has no interval, so a value counts
// from its very time on.
import { rangeOf } from '../core/measure.ts';
import type { AuditLogs } from '../core/read.ts';
import { blind } from '../core/visible.ts';
import type { OfflineOptions } from './offline-source.ts';

export function createOfflineLogs({
  one,
  deployedAtMs: caseAtMs,
}: Pick<OfflineOptions, 'one' | 'deployedAtMs'>): AuditLogs {
  return {
    read: async ({ indicators, atMs, deployedAtMs, staleAfterMs }) =>
      Object.fromEntries(
        indicators.map((indicator) => {
          const view = { atMs, deployedAtMs, staleAfterMs, previous: null };
          const range = rangeOf(indicator, view);
          const value = one.values.get(indicator.id)?.at(atMs - caseAtMs) ?? null;
          if (range.kind === 'blind') return [indicator.id, range] as const;
          if (value === null) {
            const detail = `${indicator.report} holds no event in this case`;
            return [indicator.id, blind('no_series', detail)] as const;
          }
          const { rangeMs, shortened } = range;
          return [indicator.id, { kind: 'value', value, rangeMs, shortened }] as const;
        }),
      ),
    forget: () => {},
  };
}
