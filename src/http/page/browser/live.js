// Keeps one watch up to date: the stream of events, and when it breaks asking again and again until
// it is back. What is known is never taken away; the page says how old it is.
/** @import { Action, Hold, Link, Me, Series, WatchEvent, WatchView } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
import { camel, failureOf } from './api.js';
import { frameReader } from './sse.js';

/** The server sends something each 15 s; after this the line is dead. */
const SILENCE_MS = 20_000;
const POLL_MS = 3_000;
/** A watch that is over still can be acknowledged. */
const SLOW_POLL_MS = 15_000;
/** Events of one decision come together: the watch is read once for all of them. */
const SETTLE_MS = 100;
const RECONNECT_MAX_MS = 15_000;
/** A tab in the background holds one of few connections: it lets go after this. */
const HIDDEN_MS = 30_000;
const POINTS = 400;

/**
 * @param {string} id
 * @param {{ api: Api, clock: ServerClock, dispatch: (action: Action) => void }} deps
 */
export function follow(id, { api, clock, dispatch }) {
  const path = `/v1/watches/${encodeURIComponent(id)}`;
  let lastSeq = 0;
  let isOver = false;
  let failures = 0;
  let hasSeries = false;
  /** @type {AbortController | null} */
  let stream = null;
  /** @type {Timer} */
  let streamTimer;
  /** @type {Timer} */
  let pollTimer;
  /** @type {Timer} */
  let hiddenTimer;
  /** @type {Timer} */
  let settleTimer;

  const heard = () => dispatch({ type: 'heard', atMs: clock.now() });
  /** @param {Link} link */
  const linked = (link) => dispatch({ type: 'link', link });

  /** @param {WatchView} view */
  function show(view) {
    isOver = !view.active;
    dispatch({ type: 'view', view });
  }

  /** @param {readonly WatchEvent[]} events */
  function tell(events) {
    lastSeq = Math.max(lastSeq, ...events.map(({ seq }) => seq));
    dispatch({ type: 'events', events });
  }

  /** All there is to know, once; also the way on while there is no stream. */
  async function poll() {
    clearTimeout(pollTimer);
    const [view, journal, hold] = await Promise.all([
      /** @type {ReturnType<typeof api.get<WatchView>>} */ (api.get(path)),
      /** @type {ReturnType<typeof api.get<{ events: WatchEvent[] }>>} */ (
        api.get(`${path}/journal?after=${lastSeq}`)
      ),
      /** @type {ReturnType<typeof api.get<{ hold: Hold | null }>>} */ (api.get('/v1/hold')),
    ]);
    if (!view.ok) {
      dispatch({ type: 'failed', failure: view.failure });
      linked('lost');
      // Without a token, or without such a watch, asking again changes nothing.
      if (view.failure.status >= 400 && view.failure.status < 500) return;
    } else {
      heard();
      if (journal.ok) tell(journal.value.events);
      show(view.value);
      if (hold.ok) dispatch({ type: 'hold', hold: hold.value.hold });
      if (!hasSeries) await readSeries();
      if (isOver) linked('over');
      else if (stream === null || failures > 0) linked('polling');
    }
    if (document.hidden) return;
    if (isOver) pollTimer = setTimeout(poll, SLOW_POLL_MS);
    else if (failures > 0 || !view.ok) pollTimer = setTimeout(poll, POLL_MS);
  }

  async function readView() {
    /** @type {Awaited<ReturnType<typeof api.get<WatchView>>>} */
    const view = await api.get(path);
    if (view.ok) show(view.value);
  }

  async function readSeries() {
    /** @type {Awaited<ReturnType<typeof api.get<Series>>>} */
    const series = await api.get(`${path}/series?points=${POINTS}`);
    if (!series.ok) return;
    hasSeries = true;
    dispatch({ type: 'series', series: series.value });
  }

  async function listen() {
    clearTimeout(streamTimer);
    stream?.abort();
    const controller = new AbortController();
    stream = controller;
    try {
      await readStream(controller);
    } catch {
      // Said by the link's state; the reason is the network's.
    }
    if (controller !== stream) return;
    stream = null;
    if (isOver) {
      linked('over');
      pollTimer = setTimeout(poll, SLOW_POLL_MS);
      return;
    }
    if (document.hidden) return;
    failures += 1;
    hasSeries = false;
    linked('lost');
    const wait = Math.min(RECONNECT_MAX_MS, 1_000 * 2 ** Math.min(failures - 1, 5));
    streamTimer = setTimeout(listen, wait);
    if (failures === 1) await poll();
  }

  /** @param {AbortController} controller */
  async function readStream(controller) {
    const headers = { 'last-event-id': String(lastSeq) };
    const answer = await api.stream(`${path}/events`, headers, controller.signal);
    if (!answer.ok || answer.body === null) {
      const failure = failureOf(answer.status, await answer.json().catch(() => null));
      throw new Error(failure.title);
    }
    const onFrame = frameReader(({ event, data }) => {
      const value = camel(JSON.parse(data));
      if (event === 'tick' || event === 'end') show(/** @type {WatchView} */ (value));
      else {
        tell([/** @type {WatchEvent} */ (value)]);
        // The stream sends the watch with each tick; what happens in between is read now.
        clearTimeout(settleTimer);
        settleTimer = setTimeout(readView, SETTLE_MS);
      }
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let silence = setTimeout(() => controller.abort(), SILENCE_MS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => controller.abort(), SILENCE_MS);
        if (failures > 0 && !hasSeries) void readSeries();
        failures = 0;
        clearTimeout(pollTimer);
        heard();
        onFrame(value);
        linked(isOver ? 'over' : 'live');
      }
    } finally {
      clearTimeout(silence);
    }
  }

  function onVisible() {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(() => stream?.abort(), HIDDEN_MS);
      return;
    }
    if (stream !== null) return;
    hasSeries = false;
    failures = 0;
    void start();
  }

  async function start() {
    clearTimeout(pollTimer);
    clearTimeout(streamTimer);
    /** @type {Awaited<ReturnType<typeof api.get<Me>>>} */
    const me = await api.get('/v1/me');
    if (me.ok) dispatch({ type: 'me', me: me.value });
    await poll();
    if (!isOver && lastSeq > 0) await listen();
  }

  document.addEventListener('visibilitychange', onVisible);
  void start();
  return { refresh: () => void poll(), restart: () => void start() };
}

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */
