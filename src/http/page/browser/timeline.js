// The windows of a watch on a line from the deploy to the end. Each window is as wide as the next,
// since one lasts minutes and another a day; how far it is done is shown inside.
/** @import { WatchView } from './types.d.ts' */
import { fill, h, setText } from './dom.js';
import { momentOf, span, timeOf } from './format.js';

/**
 * @param {HTMLElement} place
 * @param {HTMLElement} moments
 * @param {WatchView} view
 * @param {number} nowMs
 */
export function showTimeline(place, moments, view, nowMs) {
  const deployedMs = Date.parse(view.deployedAt);
  const atMs = view.closedAt === null ? nowMs : Date.parse(view.closedAt);
  const since = view.phase === 'watching' ? 'now' : 'ended';
  const deploy = `Deploy ${timeOf(deployedMs)}`;
  setText(
    moments,
    `${deploy}, ${since} ${span(atMs - deployedMs)} after it. Windows are not to scale.`,
  );
  fill(place, [view.windows, view.phase], () =>
    view.windows.map(({ name, fromAt, untilAt }) => {
      const from = span(Date.parse(fromAt) - deployedMs);
      const until = span(Date.parse(untilAt) - deployedMs);
      return h(
        'li',
        {},
        h('span', { class: 'track', 'aria-hidden': 'true' }, h('span', { class: 'done' })),
        h('strong', {}, name),
        h('span', { class: 'bounds' }, `${from} to ${until}`),
        h('span', { class: 'mark' }),
      );
    }),
  );
  for (const [index, { fromAt, untilAt }] of view.windows.entries()) {
    const item = place.children[index];
    if (!(item instanceof HTMLElement)) continue;
    const [from, until] = [Date.parse(fromAt), Date.parse(untilAt)];
    const share = Math.min(1, Math.max(0, (atMs - from) / (until - from)));
    const isNow = atMs >= from && atMs < until;
    item.style.setProperty('--done', `${(share * 100).toFixed(2)}%`);
    item.dataset['phase'] = isNow ? view.phase : share >= 1 ? 'done' : 'ahead';
    if (isNow) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
    const mark = item.querySelector('.mark');
    if (mark !== null) setText(mark, markOf(view, { isNow, share, until }, nowMs));
  }
}

/**
 * @param {WatchView} view
 * @param {{ isNow: boolean, share: number, until: number }} window
 * @param {number} nowMs
 */
function markOf(view, { isNow, share, until }, nowMs) {
  if (isNow && view.phase === 'watching') return `now, until ${momentOf(until, nowMs)}`;
  if (isNow && view.closedAt !== null) {
    const at = Date.parse(view.closedAt);
    return `${view.phase} after ${span(at - Date.parse(view.deployedAt))}`;
  }
  if (share >= 1) return 'over';
  return view.phase === 'watching' ? '' : 'not reached';
}
