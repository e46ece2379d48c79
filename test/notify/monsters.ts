// Messages that no sane deploy would make, for every channel to survive.
import fc from 'fast-check';
import type { Message } from '../../src/core/delivery.ts';
import { aStopMessage } from './sample.ts';

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    ...['', ' ', '\n', '\u0000', '<!channel>', '@alice', '/stop', '<b>&amp;</b>', '```'],
    ...['\ud83d', 'a\r\nBcc: eve@evil.test', '\r\n.\r\nQUIT', '=?utf-8?B?eA==?=', '"; --'],
  ),
  fc
    .tuple(fc.constantFrom('x', '&', '<b>', '🚀', 'a\n', '\n', '@a '), fc.nat(5_000))
    .map(([text, times]) => text.repeat(times)),
);
const url = fc.oneof(nasty, fc.webUrl({ withQueryParameters: true }));

/** Fields are optional in a message: a record without a key has none. */
export const monsters: fc.Arbitrary<Message> = fc
  .record({
    kind: fc.oneof(nasty, fc.constantFrom('watch.started', 'watch.passed')),
    severity: fc.constantFrom('critical', 'warning', 'info'),
    headline: nasty,
    lines: fc.array(nasty, { maxLength: 40 }),
    fields: fc.array(fc.tuple(nasty, nasty), { maxLength: 15 }),
    next: fc.option(nasty),
    links: fc.array(fc.record({ label: nasty, url }), { maxLength: 20 }),
    watchId: nasty,
    // The journal keeps messages as JSON, which has no infinity.
    atMs: fc.oneof(
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(Date.UTC(2026, 10, 21)),
    ),
    deploy: fc.option(
      fc.record({
        service: nasty,
        environment: nasty,
        version: nasty,
        previousVersion: fc.option(nasty),
      }),
    ),
    incident: fc.option(fc.constantFrom('opens', 'acknowledges', 'closes')),
  })
  .map(
    ({ deploy, incident, severity, ...rest }): Message => ({
      ...rest,
      severity: severity as Message['severity'],
      ...(deploy === null ? {} : { deploy }),
      ...(incident === null ? {} : { incident: incident as 'opens' }),
    }),
  );

/** Everything is full of the text. */
export function fullOf(text: string): Message {
  const much = text.repeat(5_000);
  const long = `https://ops.test/${'a'.repeat(900)}`;
  return aStopMessage({
    headline: much,
    lines: Array.from({ length: 60 }, () => much),
    fields: Array.from({ length: 20 }, () => [much, much] as const),
    next: much,
    links: Array.from({ length: 20 }, () => ({ label: much, url: long })),
    watchId: much,
    incident: 'opens',
    deploy: { service: much, environment: much, version: much, previousVersion: much },
  });
}
