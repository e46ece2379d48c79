// Pipelines and people: they start watches, stop, cancel, hold, and repeat what got no answer, with
// the same key and perhaps on another replica.
import type { Control } from '../../src/engine/control.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import type { Dice } from './dice.ts';
import type { Fault, Step } from './plan.ts';
import type { Life } from './replica.ts';
import type { Service } from './services.ts';
import { T0, type Time } from './time.ts';

/** A client waits this long for an answer. */
const PATIENCE_MS = 10_000;
const TRIES_MAX = 60;

export type PeopleOptions = {
  readonly time: Time;
  readonly dice: Dice;
  readonly services: readonly Service[];
  readonly lives: () => readonly Life[];
  readonly happened: (kind: Fault, where: string) => void;
  readonly onAcknowledged: (command: string, watchId: string) => void;
  readonly onBug: (error: unknown) => void;
};

type Answer<T> = { readonly kind: 'answered'; readonly value: T } | { readonly kind: 'refused' };

export class People {
  readonly #options: PeopleOptions;
  /** Last watch of each service that a client knows of. */
  readonly #watchOf = new Map<string, string>();
  readonly #keys = new Map<string, () => Promise<void>>();
  #commands = 0;

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** Asks a living replica, again and again until somebody answers. */
  async #ask<T>(what: string, ask: (control: Control) => Promise<T>): Promise<Answer<T>> {
    const { time, dice, lives, happened } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const there = lives();
      if (tries > 0) happened('command repeated', what);
      if (there.length > 0) {
        const life = dice.pick(there);
        const asked = this.#once(life, ask);
        const answer = await Promise.race([asked, time.wait(PATIENCE_MS).then(() => null)]);
        if (answer !== null) return answer;
      }
      await time.wait(dice.between(500, 3_000));
    }
    return { kind: 'refused' };
  }

  /** null: no answer that helps; it may have been done all the same. */
  async #once<T>(life: Life, ask: (c: Control) => Promise<T>): Promise<Answer<T> | null> {
    try {
      return { kind: 'answered', value: await ask(life.engine.commands) };
    } catch (error) {
      if (!(error instanceof CanarydError)) this.#options.onBug(error);
      const isPassing = error instanceof CanarydError && error.code === 'journal_failed';
      return isPassing ? null : { kind: 'refused' };
    }
  }

  async deploy(service: Service, version: string): Promise<void> {
    const { time, dice, onAcknowledged } = this.#options;
    const { plan } = service;
    const previousVersion = service.version;
    service.deploy(version, plan.oldRemainsMs);
    const deployedAtMs = Math.round(T0 + time.now);
    this.#commands += 1;
    const key = `key-${this.#commands}`;
    await time.wait(dice.between(0, 2_000));
    const start = async () => {
      const answer = await this.#ask(`start ${version}`, (control) =>
        control.start({
          service: service.name,
          version,
          parameters: {},
          idempotencyKey: key,
          ...(plan.namesPrevious ? { previousVersion } : {}),
          ...(plan.saysWhen ? { deployedAtMs } : {}),
        }),
      );
      if (answer.kind !== 'answered') return;
      this.#watchOf.set(service.name, answer.value.watch.id);
      onAcknowledged('start', answer.value.watch.id);
    };
    this.#keys.set(service.name, start);
    await start();
  }

  async do({ what, service: index, ms, role = '' }: Step): Promise<void> {
    const { services, happened, dice } = this.#options;
    const service = services[index];
    if (service === undefined) return;
    happened(what, service.name);
    switch (what) {
      case 'second deploy':
        return this.deploy(service, `3.${dice.whole(0, 999)}.0`);
      case 'rollback deploy':
        return this.deploy(service, '1.0.0');
      case 'start repeated':
        return this.#keys.get(service.name)?.();
      case 'counter reset':
        return service.reset();
      case 'hold fire':
      case 'hold released':
        return this.#switch(what);
      default:
        return this.#onWatch(what, service.name, ms, role);
    }
  }

  async #switch(what: 'hold fire' | 'hold released'): Promise<void> {
    const by = { by: 'eve', reason: 'a drill' };
    await this.#ask(what, (control) =>
      what === 'hold fire' ? control.setHold(by).then(() => {}) : control.release(by),
    );
  }

  async #onWatch(what: Step['what'], service: string, ms: number, role: string): Promise<void> {
    const id = this.#watchOf.get(service);
    if (id === undefined) return;
    const by = { by: 'ada', reason: what };
    const answer = await this.#ask(`${what} ${id}`, (control) => {
      if (what === 'human stop') return control.stop(id, by);
      if (what === 'human cancel') return control.cancel(id, by);
      if (what === 'human extend') return control.extend(id, { ...by, byMs: Math.round(ms) + 1 });
      if (what === 'human sign') {
        return control.sign(id, { role, name: 'ada', by: 'ada', note: null });
      }
      return control.acknowledge(id, by);
    });
    if (answer.kind === 'answered') this.#options.onAcknowledged(what, id);
  }

  async acknowledge(id: string, by: string): Promise<void> {
    const command = { by, reason: 'was called' };
    await this.#ask(`ack ${id}`, (control) => control.acknowledge(id, command));
  }

  /** Nothing may stay switched off for ever. */
  async release(): Promise<void> {
    await this.#switch('hold released');
  }
}
