// Everything around canaryd in a case: its sources, health endpoints, receivers and people, on the
// clock of the replay. Nothing here judges.
import type { Policy } from '../core/policy.ts';
import type { ReadHealth, Source } from '../core/read.ts';
import type { Reading } from '../core/sample.ts';
import type { SendAction } from '../engine/action-sender.ts';
import { healthKey } from '../engine/stand-by.ts';
import type { Clock } from '../kit/clock.ts';
import { CanarydError } from '../kit/errors.ts';
import { Replay } from '../replay/replay.ts';
import { judgedHealth } from '../source/health.ts';
import { healthAt, outcomeOf } from './answers.ts';
import type { Case, CaseFile } from './case.ts';
import type { Deed, Happening } from './happening.ts';
import { createOfflineLogs } from './offline-logs.ts';
import { createOfflinePrometheus, createOfflineScrape, type Trouble } from './offline-source.ts';

/** How often a scraped service is looked at before a deploy, and for how long. */
const STAND_BY_MS = 15_000;
const STAND_BY_FROM_MS = 15 * 60_000;
const ANSWER_MS = 12;

export class Stage {
  readonly replay: Replay;
  readonly #file: CaseFile;
  readonly #case: Case;
  readonly #source: Source;
  readonly #attempts = { disarm: 0, rollback: 0 };
  #running: string;
  #ids: { readonly version: string; readonly id: string }[] = [];

  constructor(file: CaseFile, one: Case) {
    this.#file = file;
    this.#case = one;
    this.#running = one.deploy.previousVersion;
    const clock: Clock = {
      now: () => this.replay.clock.now(),
      monotonic: () => this.replay.clock.monotonic(),
      sleep: (ms, signal) => this.replay.clock.sleep(ms, signal),
    };
    const deployedAtMs = one.deploy.atMs;
    const trouble = () => this.#trouble();
    const options = { one, everyMs: file.everyMs, deployedAtMs, clock, trouble };
    this.#source =
      file.source === 'scrape' ? createOfflineScrape(options) : createOfflinePrometheus(options);
    const { policy } = file;
    this.replay = new Replay({
      fromMs: deployedAtMs - (file.source === 'scrape' ? STAND_BY_FROM_MS : 0),
      policies: [{ policy, hash: 'test' }],
      sources: { [policy.source]: this.#source },
      readHealth: this.#readHealth,
      auditLogs: createOfflineLogs(options),
      healthBefore: (key) => healthBefore(policy, one, key),
      sendAction: this.#sendAction,
      isOffline: true,
    });
  }

  /** Watches in the order of their starts. */
  get watches(): readonly { readonly version: string; readonly id: string }[] {
    return this.#ids;
  }

  get sinceMs(): number {
    return this.replay.clock.now() - this.#case.deploy.atMs;
  }

  async until(sinceMs: number): Promise<void> {
    await this.replay.until(this.#case.deploy.atMs + sinceMs);
  }

  /** canaryd comes up, knows the time before, and hears of the deploy. */
  async begin(): Promise<void> {
    const { deploy } = this.#case;
    const { signal } = new AbortController();
    for (let at = this.sinceMs; at < 0; at += STAND_BY_MS) {
      await this.until(at);
      await this.#source.standBy?.(signal);
    }
    await this.until(deploy.startedMs);
    this.replay.begin();
    await this.deploy(deploy.version, deploy.atMs);
  }

  async deploy(version: string, deployedAtMs: number): Promise<void> {
    const { policy } = this.#file;
    const { parameters, mode } = this.#case.deploy;
    const id = await this.replay.start({
      service: policy.service,
      policy: policy.name,
      version,
      previousVersion: this.#running,
      deployedAtMs,
      parameters,
      ...(mode === null ? {} : { mode }),
    });
    this.#running = version;
    if (this.#ids.every((known) => known.id !== id)) this.#ids = [...this.#ids, { version, id }];
    await this.until(this.sinceMs);
  }

  /** @returns why canaryd refused it; null: done */
  async happen(happening: Happening, edge: 'begin' | 'end'): Promise<string | null> {
    const { deed } = happening;
    try {
      await this.#do(deed, edge);
    } catch (error) {
      if (error instanceof CanarydError) return error.message;
      throw error;
    }
    await this.until(this.sinceMs);
    return null;
  }

  async #do(deed: Deed, edge: 'begin' | 'end'): Promise<void> {
    switch (deed.kind) {
      case 'source_down':
      case 'source_rejects':
        return;
      case 'canaryd_down':
        if (edge === 'begin' && this.replay.isRunning) await this.replay.end();
        if (edge === 'end') this.replay.begin();
        return;
      case 'canaryd_restarts':
        if (this.replay.isRunning) await this.replay.end();
        this.replay.begin();
        return;
      case 'deploy':
        return this.deploy(deed.version, this.replay.clock.now());
      case 'human':
        return this.#command(deed);
      default:
        return deed satisfies never;
    }
  }

  async #command({ by, verb, byMs, reason }: Extract<Deed, { kind: 'human' }>): Promise<void> {
    const { control } = this.replay;
    const id = this.#ids.at(-1)?.id ?? '';
    const command = { by, reason };
    switch (verb) {
      case 'stops':
        return void (await control.stop(id, command));
      case 'cancels':
        return void (await control.cancel(id, command));
      case 'acknowledges':
        return void (await control.acknowledge(id, command));
      case 'extends':
        return void (await control.extend(id, { ...command, byMs }));
      case 'holds':
        return void (await control.setHold(command));
      case 'releases':
        return control.release(command);
      default:
        return verb satisfies never;
    }
  }

  #trouble(): Trouble {
    const now = this.sinceMs;
    const lasting = this.#case.happens.find(
      ({ deed, fromMs, untilMs }) =>
        (deed.kind === 'source_down' || deed.kind === 'source_rejects') &&
        fromMs <= now &&
        now < untilMs,
    );
    if (lasting === undefined) return null;
    return lasting.deed.kind === 'source_down' ? 'down' : 'rejects';
  }

  readonly #readHealth: ReadHealth = async (indicator, signal): Promise<Reading> => {
    const answer = healthAt(this.#case.health.get(indicator.id), this.sinceMs);
    const { timeoutMs } = indicator;
    const failing = (detail: string): Reading => ({ kind: 'value', value: 0, detail });
    if (answer.kind === 'slow') {
      await this.#sleep(Math.min(answer.ms, timeoutMs), signal);
      if (answer.ms >= timeoutMs) return failing(`no answer within ${timeoutMs} ms`);
      return { kind: 'value', value: 1, detail: `HTTP 200 in ${answer.ms} ms` };
    }
    if (answer.kind === 'no_answer') return failing('connection refused');
    if (answer.kind === 'ok') return { kind: 'value', value: 1, detail: 'HTTP 200' };
    const { status, body } = answer;
    const http = { kind: 'answered', status, headers: {}, body, tookMs: ANSWER_MS } as const;
    return judgedHealth(http, ANSWER_MS, indicator);
  };

  readonly #sendAction: SendAction = async ({ content }, { timeoutMs }, _values, signal) => {
    const name = content.kind === 'action' ? content.action : 'rollback';
    const words = this.#case.receivers[name] ?? ['accepted'];
    const word = words[Math.min(this.#attempts[name], words.length - 1)] ?? 'accepted';
    this.#attempts[name] += 1;
    if (word === 'times out') await this.#sleep(timeoutMs, signal);
    return outcomeOf(word, timeoutMs);
  };

  /** Ends early with canaryd. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.replay.clock.sleep(ms, signal).catch(() => {});
  }
}

/** Good before the deploy, unless the case says otherwise: then nobody knows. */
function healthBefore(policy: Policy, one: Case, key: string): Reading | undefined {
  const indicator = Object.values(policy.indicators).find(
    (candidate) => candidate.kind === 'http' && healthKey(candidate) === key,
  );
  const first = one.health.get(indicator?.id ?? '')?.[0];
  if (first === undefined || first.fromMs >= 0) return { kind: 'value', value: 1 };
  return first.answer.kind === 'ok' ? { kind: 'value', value: 1 } : { kind: 'value', value: 0 };
}
