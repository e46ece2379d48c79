// Asks canaryd. The token is kept for this tab, or for this device when somebody asked for that, and
// travels in a header, never in a URL. Field names arrive in snake_case and are camelCase from here on.
/** @import { Answer, Failure } from './types.d.ts' */
/** @import { ServerClock } from './server-clock.js' */

const TOKEN_KEY = 'canaryd.token';
const ANSWER_MS = 15_000;
/** Records whose keys are data keep them. */
const DATA_KEYED = ['parameters', 'readings', 'values', 'coverage', 'checks', 'tools'];

/**
 * @param {unknown} value
 * @returns {unknown}
 */
export function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key.replace(/_([a-z])/g, (_, /** @type {string} */ letter) => letter.toUpperCase()),
    DATA_KEYED.includes(key) ? kept(inner) : camel(inner),
  ]);
  return Object.fromEntries(entries);
}

/** @param {unknown} record a list has no keys */
function kept(record) {
  if (Array.isArray(record)) return camel(record);
  if (typeof record !== 'object' || record === null) return record;
  return Object.fromEntries(Object.entries(record).map(([key, inner]) => [key, camel(inner)]));
}

/**
 * What the server said, or why it could not be asked, in words.
 * @param {number} status
 * @param {unknown} body
 * @returns {Failure}
 */
export function failureOf(status, body) {
  const fields = typeof body === 'object' && body !== null ? body : {};
  /** @param {string} name */
  const text = (name) => {
    const value = /** @type {Record<string, unknown>} */ (fields)[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    kind: 'problem',
    status,
    problem: text('type').replace('urn:canaryd:problem:', ''),
    title: text('title') || `The answer was HTTP ${status}`,
    detail: text('detail'),
  };
}

/** @type {Failure} */
export const UNREACHABLE = {
  kind: 'network',
  status: 0,
  problem: 'network',
  title: 'canaryd cannot be reached',
  detail: 'Check the network of this device, then whether canaryd is running.',
};

export class Api {
  #clock;
  #token = sessionStorage.getItem(TOKEN_KEY) ?? localStorage.getItem(TOKEN_KEY) ?? '';

  /** @param {ServerClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  get hasToken() {
    return this.#token !== '';
  }

  /**
   * @param {string} token empty: forget it, everywhere
   * @param {boolean} isKept on this device, for every tab
   */
  setToken(token, isKept = false) {
    this.#token = token;
    sessionStorage.removeItem(TOKEN_KEY);
    localStorage.removeItem(TOKEN_KEY);
    if (token !== '') (isKept ? localStorage : sessionStorage).setItem(TOKEN_KEY, token);
  }

  /**
   * @template T
   * @param {string} path
   * @returns {Promise<Answer<T>>}
   */
  get(path) {
    return this.#ask('GET', path, undefined);
  }

  /**
   * @template T
   * @param {'POST' | 'DELETE'} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Answer<T>>}
   */
  act(method, path, body) {
    return this.#ask(method, path, body);
  }

  /**
   * An answer that is read bit by bit.
   * @param {string} path
   * @param {Readonly<Record<string, string>>} headers
   * @param {AbortSignal} signal
   */
  async stream(path, headers, signal) {
    const sentAt = this.#clock.mark();
    const answer = await fetch(path, this.#init('GET', headers, signal));
    this.#clock.observe(answer.headers.get('date'), sentAt);
    return answer;
  }

  /**
   * @template T
   * @param {string} method
   * @param {string} path
   * @param {object | undefined} body
   * @returns {Promise<Answer<T>>}
   */
  async #ask(method, path, body) {
    const sentAt = this.#clock.mark();
    /** @type {Record<string, string>} */
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    try {
      const init = this.#init(method, headers, AbortSignal.timeout(ANSWER_MS));
      const text = body === undefined ? null : JSON.stringify(body);
      const answer = await fetch(path, { ...init, body: text });
      this.#clock.observe(answer.headers.get('date'), sentAt);
      const value = await answer.json().catch(() => null);
      if (!answer.ok) return { ok: false, failure: failureOf(answer.status, value) };
      return { ok: true, value: /** @type {T} */ (camel(value)) };
    } catch {
      return { ok: false, failure: UNREACHABLE };
    }
  }

  /**
   * @param {string} method
   * @param {Readonly<Record<string, string>>} headers
   * @param {AbortSignal} signal
   * @returns {RequestInit}
   */
  #init(method, headers, signal) {
    const proof = this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` };
    return {
      method,
      headers: { ...headers, ...proof },
      signal,
      cache: 'no-store',
      // Cookies of other programs on this host are none of our business.
      credentials: 'omit',
      redirect: 'error',
    };
  }
}
