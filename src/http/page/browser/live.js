// Keeps one watch up to date: the stream of events, and when it breaks asking again and again until
// it is back. What is known is never taken away; the page says how old it is.
/** @import { Action, Answer, Hold, Link, Me, Series, WatchEvent, WatchView } from './types.d.ts' */
/** @import { Api } from './api.js' */
/** @import { ServerClock } from './server-clock.js' */
/** @import { Frame } from './sse.js' */
import { camel } from './api.js';
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
/** Charts that grew this long are read again: the server keeps their extremes. */
const TICKS_MAX = 1_500;

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

export class Follower {
  #api;
  #clock;
  #dispatch;
  #path;
  #lastSeq = 0;
  #isOver = false;
  /** Streams that broke in a row. */
  #failures = 0;
  #hasMe = false;
  #hasSeries = false;
  /** Since the series was read. */
  #ticks = 0;
  /** @type {AbortController | null} */
  #stream = null;
  /** @type {Timer} */
  #streamTimer;
  /** @type {Timer} */
  #pollTimer;
  /** @type {Timer} */
  #hiddenTimer;
  /** @type {Timer} */
  #settleTimer;

  /**
   * @param {string} id
   * @param {{ api: Api, clock: ServerClock, dispatch: (action: Action) => void }} deps
   */
  constructor(id, { api, clock, dispatch }) {
    this.#api = api;
    this.#clock = clock;
    this.#dispatch = dispatch;
    this.#path = `/v1/watches/${encodeURIComponent(id)}`;
    document.addEventListener('visibilitychange', () => this.#onVisible());
  }

  /** Begins, or begins again with another token. */
  async start() {
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#streamTimer);
    this.#hasMe = false;
    await this.refresh();
  }

  /** All there is to know, once; also the way on while there is no stream. */
  async refresh() {
    clearTimeout(this.#pollTimer);
    const view = await this.#readAll();
    if (view.ok) {
      // Not waited for: the stream must not begin late because of them.
      if (!this.#hasMe) void this.#readMe();
      if (!this.#hasSeries) void this.#readSeries();
      if (this.#isOver) this.#linked('over');
      else if (this.#failures > 0) this.#linked('polling');
    } else {
      this.#dispatch({ type: 'failed', failure: view.failure });
      // Without a token, or without such a watch, asking again changes nothing.
      const isRefused = view.failure.status >= 400 && view.failure.status < 500;
      this.#linked(isRefused ? 'refused' : 'lost');
      if (isRefused) return;
    }
    if (document.hidden) return;
    if (this.#isOver) this.#pollIn(SLOW_POLL_MS);
    else if (this.#failures > 0 || !view.ok) this.#pollIn(POLL_MS);
    else if (this.#stream === null) void this.#listen();
  }

  /** @returns {Promise<Answer<WatchView>>} */
  async #readAll() {
    const [view, journal, hold] = await Promise.all([
      /** @type {Promise<Answer<WatchView>>} */ (this.#api.get(this.#path)),
      /** @type {Promise<Answer<{ events: WatchEvent[] }>>} */ (
        this.#api.get(`${this.#path}/journal?after=${this.#lastSeq}`)
      ),
      /** @type {Promise<Answer<{ hold: Hold | null }>>} */ (this.#api.get('/v1/hold')),
    ]);
    if (journal.ok) this.#tell(journal.value.events);
    if (hold.ok) this.#dispatch({ type: 'hold', hold: hold.value.hold });
    if (view.ok) {
      this.#heard();
      this.#show(view.value);
    }
    return view;
  }

  async #readView() {
    /** @type {Answer<WatchView>} */
    const view = await this.#api.get(this.#path);
    if (view.ok) this.#show(view.value);
  }

  async #readMe() {
    this.#hasMe = true;
    /** @type {Answer<Me>} */
    const me = await this.#api.get('/v1/me');
    if (!me.ok) {
      this.#hasMe = false;
      return;
    }
    this.#dispatch({ type: 'me', me: me.value });
  }

  async #readSeries() {
    this.#hasSeries = true;
    this.#ticks = 0;
    /** @type {Answer<Series>} */
    const series = await this.#api.get(`${this.#path}/series?points=${POINTS}`);
    if (!series.ok) {
      this.#hasSeries = false;
      return;
    }
    this.#dispatch({ type: 'series', series: series.value });
  }

  /** @param {number} ms */
  #pollIn(ms) {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = setTimeout(() => void this.refresh(), ms);
  }

  async #listen() {
    clearTimeout(this.#streamTimer);
    this.#stream?.abort();
    const controller = new AbortController();
    this.#stream = controller;
    try {
      await this.#readStream(controller);
    } catch {
      // Said by the link's state; the reason is the network's.
    }
    if (controller !== this.#stream) return;
    this.#stream = null;
    if (this.#isOver) {
      this.#linked('over');
      this.#pollIn(SLOW_POLL_MS);
      return;
    }
    if (document.hidden) return;
    this.#failures += 1;
    this.#hasSeries = false;
    this.#linked('lost');
    const wait = Math.min(RECONNECT_MAX_MS, 1_000 * 2 ** Math.min(this.#failures - 1, 5));
    this.#streamTimer = setTimeout(() => void this.#listen(), wait);
    if (this.#failures === 1) await this.refresh();
  }

  /** @param {AbortController} controller */
  async #readStream(controller) {
    const headers = { 'last-event-id': String(this.#lastSeq) };
    const answer = await this.#api.stream(`${this.#path}/events`, headers, controller.signal);
    if (!answer.ok || answer.body === null) throw new Error(`HTTP ${answer.status}`);
    const onFrame = frameReader((frame) => this.#onFrame(frame));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const giveUp = () => controller.abort();
    let silence = setTimeout(giveUp, SILENCE_MS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(giveUp, SILENCE_MS);
        this.#onLife();
        onFrame(value);
        this.#linked(this.#isOver ? 'over' : 'live');
      }
    } finally {
      clearTimeout(silence);
    }
  }

  /** The stream said something: it is there. */
  #onLife() {
    // What was missed in between is in no frame: charts are read again.
    if (this.#failures > 0 && !this.#hasSeries) void this.#readSeries();
    this.#failures = 0;
    clearTimeout(this.#pollTimer);
    this.#heard();
  }

  /** @param {Frame} frame */
  #onFrame({ event, data }) {
    const value = camel(JSON.parse(data));
    if (event === 'tick' || event === 'end') {
      this.#ticks += 1;
      if (this.#ticks > TICKS_MAX) void this.#readSeries();
      this.#show(/** @type {WatchView} */ (value));
      return;
    }
    this.#tell([/** @type {WatchEvent} */ (value)]);
    // The stream sends the watch with each tick; what happens in between is read now.
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => void this.#readView(), SETTLE_MS);
  }

  #onVisible() {
    clearTimeout(this.#hiddenTimer);
    if (document.hidden) {
      this.#hiddenTimer = setTimeout(() => this.#stream?.abort(), HIDDEN_MS);
      return;
    }
    // A stream that slept with the device may be dead without having said so.
    const slept = this.#stream;
    this.#stream = null;
    slept?.abort();
    this.#hasSeries = false;
    this.#failures = 0;
    void this.start();
  }

  /** @param {WatchView} view */
  #show(view) {
    this.#isOver = !view.active;
    this.#dispatch({ type: 'view', view });
  }

  /** @param {readonly WatchEvent[]} events */
  #tell(events) {
    this.#lastSeq = Math.max(this.#lastSeq, ...events.map(({ seq }) => seq));
    this.#dispatch({ type: 'events', events });
  }

  #heard() {
    this.#dispatch({ type: 'heard', atMs: this.#clock.now() });
  }

  /** @param {Link} link */
  #linked(link) {
    this.#dispatch({ type: 'link', link });
  }
}
