import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { digestOf, gatherMs, isMerged, mergeMessages } from '../../src/core/merge.ts';
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

  test('names for each watch its own reason when they differ', () => {
    const lines = ['Order fill rate (x): stale, 90 s old'];
    const other = aMessage({ watchId: 'w_9', lines, cause: { reason: 'stale', detail: 'x' } });
    const message = mergeMessages([aMessage(), other]);
    expect(message.lines).toEqual([
      'BLIND w_1 2.0 (prod): cannot judge fill_rate; a line',
      'BLIND w_9 2.0 (prod): cannot judge fill_rate; Order fill rate (x): stale, 90 s old',
    ]);
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
    ['watch.held', 'warning', true],
    ['watch.released', 'info', true],
  ] as const)('is never made of what must be read alone: %s', (kind, severity, wanted) => {
    expect(isMerged({ kind, severity })).toBe(wanted);
  });
});

describe('the time to gather', () => {
  const blinded = { kind: 'conditions.blinded', severity: 'warning' } as const;

  test.each([
    [1_000, 3_000],
    [5_000, 6_000],
    [15_000, 18_000],
    [60_000, 60_000],
  ])('of watches that are judged each %i ms is %i ms', (intervalMs, wanted) => {
    expect(gatherMs(blinded, intervalMs)).toBe(wanted);
  });

  test('is short for what one command does to all watches, and none for what comes alone', () => {
    expect(gatherMs({ kind: 'watch.held', severity: 'warning' }, 60_000)).toBe(3_000);
    expect(gatherMs({ kind: 'watch.passed', severity: 'info' }, 60_000)).toBe(0);
    expect(gatherMs({ ...blinded, severity: 'critical' }, 60_000)).toBe(0);
  });
});

describe('a digest', () => {
  const noneOpen = () => false;
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
      (watchId) => watchId === 'w_2',
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
    expect(digestOf([aMessage(), closed], at(60), noneOpen)).toMatchObject({
      severity: 'info',
      next: null,
    });
  });

  test('of one message is that message, with a word about the delay', () => {
    const digest = digestOf([aMessage()], at(60), () => true);
    expect(digest.headline).toBe(aMessage().headline);
    expect(digest.lines.at(-1)).toBe('Held in the quiet hours; it happened at 00:00 UTC.');
  });

  test('says by the journal what is open, whatever the held messages say', () => {
    const both = [aMessage(), aMessage({ watchId: 'w_2' })] as const;
    const digest = digestOf(both, at(60), noneOpen);
    expect(digest.headline).toContain('0 open, 2 resolved meanwhile');
    expect(digest).toMatchObject({ severity: 'info', next: null });
    const closed = { severity: 'info', incident: 'closes' } as const;
    const closing = [aMessage(closed), aMessage({ ...closed, watchId: 'w_2' })] as const;
    expect(digestOf(closing, at(60), () => true).headline).toContain('2 open');
  });

  test('is no step of an incident', () => {
    const two = [aMessage(), aMessage({ watchId: 'w_2' })] as const;
    expect(digestOf(two, at(60), () => true).incident).toBeUndefined();
  });

  test('of one message says when it is over, and opens nothing then', () => {
    const digest = digestOf([aMessage()], at(60), noneOpen);
    expect(digest).toMatchObject({ severity: 'info', next: null });
    expect(digest.incident).toBeUndefined();
    expect(digest.lines.at(-1)).toContain('It is over by now.');
  });

  test('stays short, however long the night was', () => {
    const [first, ...others] = storm(900);
    const digest = digestOf([first, ...others], at(60), () => true);
    expect(digest.lines).toHaveLength(11);
    expect(digest.lines.at(-1)).toBe('… and 890 more');
  });
});
