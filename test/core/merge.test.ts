import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { digestOf, isMerged, mergeMessages } from '../../src/core/merge.ts';
import { T0 } from '../support/build.ts';

function aMessage(over: Partial<Message> = {}): Message {
  const watchId = over.watchId ?? 'w_1';
  const deploy = { service: watchId, environment: 'prod', version: '2.0', previousVersion: null };
  return {
    kind: 'conditions.blinded',
    severity: 'warning',
    headline: `BLIND ${watchId} 2.0 (prod): cannot judge fill_rate`,
    lines: ['a line'],
    fields: [],
    next: 'Blind is no verdict.',
    links: [{ label: 'Dashboard', url: 'http://d' }],
    watchId,
    atMs: T0,
    deploy,
    incident: 'opens',
    cause: { reason: 'unreachable', detail: 'no answer from prometheus' },
    ...over,
  };
}

function storm(count: number, over: Partial<Message> = {}): readonly [Message, ...Message[]] {
  const others = Array.from({ length: count - 1 }, (_, index) =>
    aMessage({ watchId: `w_${index + 2}`, ...over }),
  );
  return [aMessage(over), ...others];
}

describe('a storm', () => {
  test('of fifty blind watches is one message that names the cause, the first few and the rest', () => {
    const message = mergeMessages(storm(50));
    expect(message.headline).toBe('BLIND: 50 watches: unreachable, no answer from prometheus');
    expect(message.lines).toHaveLength(12);
    expect(message.lines[0]).toBe('One cause for all: unreachable, no answer from prometheus');
    expect(message.lines[1]).toBe('BLIND w_1 2.0 (prod): cannot judge fill_rate');
    expect(message.lines.at(-1)).toBe('… and 40 more');
    expect(message.merged).toHaveLength(50);
    expect(message).toMatchObject({ incident: 'opens', severity: 'warning' });
    expect(message.deploy).toBeUndefined();
  });

  test('names no cause that only some share', () => {
    const [first, ...others] = storm(3);
    const other = aMessage({ watchId: 'w_9', cause: { reason: 'stale', detail: 'x' } });
    expect(mergeMessages([first, ...others, other]).headline).toBe('BLIND: 4 watches');
  });

  test('names the reason when only the details differ', () => {
    const other = aMessage({ watchId: 'w_9', cause: { reason: 'unreachable', detail: 'x' } });
    expect(mergeMessages([aMessage(), other]).headline).toBe('BLIND: 2 watches: unreachable');
  });

  test('of one watch keeps its deploy', () => {
    const message = mergeMessages([
      aMessage({ kind: 'condition.warned' }),
      aMessage({ kind: 'condition.warned' }),
    ]);
    expect(message.headline).toContain('2 warnings of w_1 2.0 (prod)');
    expect(message.deploy?.service).toBe('w_1');
  });

  test('of one message is that message', () => {
    expect(mergeMessages([aMessage()])).toEqual(aMessage());
  });

  test('closes no incident of several watches', () => {
    const message = mergeMessages(storm(2, { kind: 'conditions.sighted', incident: 'closes' }));
    expect(message.incident).toBeUndefined();
  });

  test('keeps its headline short, however long the cause is', () => {
    const cause = { reason: 'rejected', detail: '🔥'.repeat(500) };
    const { headline } = mergeMessages(storm(5, { cause }));
    expect([...headline].length).toBeLessThanOrEqual(150);
  });

  test.each([
    ['watch.stopped', 'critical', false],
    ['watch.passed', 'info', false],
    ['rollback.not_confirmed', 'critical', false],
    ['watch.resumed', 'warning', true],
    ['condition.recovered', 'info', true],
  ] as const)('is never made of what must be read alone: %s', (kind, severity, wanted) => {
    expect(isMerged({ kind, severity })).toBe(wanted);
  });
});

describe('a digest', () => {
  const at = (minutes: number) => T0 + minutes * 60_000;

  test('says what is open, and lists what was resolved meanwhile', () => {
    const digest = digestOf(
      [
        aMessage({ headline: 'Warning of w_1', atMs: at(0) }),
        aMessage({ watchId: 'w_2', headline: 'BLIND w_2', atMs: at(1) }),
        aMessage({ headline: 'Recovered w_1', severity: 'info', incident: 'closes', atMs: at(5) }),
        aMessage({
          watchId: 'w_3',
          headline: 'Watching w_3',
          severity: 'info',
          incident: 'acknowledges',
        }),
      ],
      at(60),
    );
    expect(digest).toMatchObject({
      kind: 'quiet.digest',
      severity: 'warning',
      headline: 'Held in the quiet hours: 4 messages of 3 watches, 1 open, 1 resolved meanwhile',
      lines: [
        'OPEN: 00:01 UTC BLIND w_2',
        'Resolved: 00:00 UTC Warning of w_1; 00:05 UTC Recovered w_1',
        'Also: 00:00 UTC Watching w_3',
      ],
      atMs: at(60),
    });
  });

  test('is quiet itself when nothing is open', () => {
    const closed = aMessage({ severity: 'info', incident: 'closes' });
    expect(digestOf([aMessage(), closed], at(60))).toMatchObject({ severity: 'info', next: null });
  });

  test('of one message is that message, with a word about the delay', () => {
    const digest = digestOf([aMessage()], at(60));
    expect(digest.headline).toBe(aMessage().headline);
    expect(digest.lines.at(-1)).toBe('Held in the quiet hours; it happened at 00:00 UTC.');
  });

  test('stays short, however long the night was', () => {
    const [first, ...others] = storm(900);
    const digest = digestOf([first, ...others], at(60));
    expect(digest.lines).toHaveLength(11);
    expect(digest.lines.at(-1)).toBe('… and 890 more');
  });
});
