// Joins what the daemon does for gates: the desk that takes decisions and signatures, and the teller
// of decisions, over the channels and by the routing of the config.
import { planGateMessages } from '../core/gate-message.ts';
import type { Routing } from '../core/route.ts';
import { GateDesk } from '../engine/gate-desk.ts';
import { GateTeller, type GateTellerOptions } from '../engine/gate-teller.ts';
import type { Channel } from '../engine/lanes.ts';
import type { Observer } from '../engine/observe.ts';
import type { GateStore } from '../journal/gate-store.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { Random } from '../kit/random.ts';

type GateParts = {
  readonly clock: Clock;
  readonly random: Random;
  /** The guarded one: it never hangs for ever. */
  readonly store: GateStore;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly routing: Routing;
  readonly publicUrl: string | null;
  readonly observer: Pick<Observer, 'attempted'>;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
};

export function createGates(parts: GateParts) {
  const { clock, random, store, channels, publicUrl, observer, logger, onError } = parts;
  const names = Object.keys(channels);
  const incidentChannels = names.filter((name) => channels[name]?.keepsIncidents === true);
  const routing = { ...parts.routing, incidentChannels };
  const onAttempt: GateTellerOptions['onAttempt'] = (told, outcome, gaveUp) => {
    const { channel, message } = told;
    observer.attempted({ content: { kind: 'message', channel, message } }, outcome, gaveUp);
    logAttempt(logger, told, outcome, gaveUp);
  };
  const teller = new GateTeller({ clock, random, store, channels, onAttempt, onError });
  const desk = new GateDesk({
    ...{ clock, store, publicUrl },
    planMessages: (record) => planGateMessages(record, { publicUrl, channels: names, routing }),
    onAdded: () => teller.poke(),
    onDamaged: (error) => logger.error({ err: error }, 'a decision of a gate cannot be read'),
  });
  return { desk, teller };
}

/** The log is the last channel: what could not be told is written there in full. */
function logAttempt(
  logger: Logger,
  ...[told, { kind, detail }, gaveUp]: Parameters<GateTellerOptions['onAttempt']>
): void {
  const { id, recordId, attempts, message } = told;
  const fields = { record: recordId, delivery: id, attempts, detail };
  if (kind === 'delivered') {
    logger.debug(fields, 'delivered');
  } else if (gaveUp === null) {
    logger.warn(fields, 'attempt failed; it is repeated');
  } else {
    const { headline, lines } = message;
    logger.error({ ...fields, reason: gaveUp, headline, lines }, 'delivery given up');
  }
}
