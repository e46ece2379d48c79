// Channels by name that write down who was told what, when; a test says how each answers.
import type { Message, Outcome } from '../../src/core/delivery.ts';
import type { Channel } from '../../src/engine/lanes.ts';
import { T0 } from './build.ts';
import { DELIVERED } from './engine.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type Told = {
  /** Since T0. */
  readonly atMs: number;
  readonly channel: string;
  readonly message: Message;
};

export class Phones<Name extends string> {
  readonly told: Told[] = [];
  readonly channels: Readonly<Record<string, Channel>>;
  answer: (channel: Name, message: Message) => Promise<Outcome> = async () => DELIVERED;

  constructor(clock: VirtualClock, names: readonly Name[]) {
    const channelOf = (channel: Name): Channel => ({
      spacingMs: 0,
      send: (message) => {
        this.told.push({ atMs: clock.now() - T0, channel, message });
        return this.answer(channel, message);
      },
    });
    this.channels = Object.fromEntries(names.map((name) => [name, channelOf(name)]));
  }

  /** What a channel was told of a kind. */
  of(channel: Name, kind?: string): readonly Told[] {
    return this.told.filter(
      (one) => one.channel === channel && (kind === undefined || one.message.kind === kind),
    );
  }
}
