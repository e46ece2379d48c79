// A decision of a gate, reported to a daemon as its operator runs it, to what people read; and what
// becomes of it when the daemon is killed while it tells.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { UNDER_WAY_MS } from '../../src/engine/gate-teller.ts';
import { type Canaryd, startCanaryd } from '../support/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { aDecision } from '../support/gate-decision.ts';
import { until } from '../support/until.ts';

const POLICY = `
service: aurora
source: direct
interval: 1s
indicators:
  queue: { title: Queue, gauge: { metric: queue_length, aggregate: sum } }
windows:
  - { name: immediate, until: 1h, stop: { queue: { above: 100 } } }
`;

let slack: FakeSlack;
let canaryd: Canaryd;
beforeEach(async () => {
  slack = await startFakeSlack();
  canaryd = await startCanaryd({
    policies: { aurora: POLICY },
    config: {
      public_url: 'https://canaryd.example.com',
      sources: { direct: { scrape: { targets: ['http://127.0.0.1:9/metrics'] } } },
      channels: { chat: { slack: { webhook: '$SLACK_WEBHOOK_URL' } } },
      routing: { routes: [{ kind: ['gate.decided'], channels: ['chat'] }] },
    },
    env: { SLACK_WEBHOOK_URL: slack.url },
  });
});
afterEach(async () => {
  await canaryd.dispose();
  await slack.close();
});

function reported(id: string) {
  const coverage = ['fail', 'lines 88 %, at least 90 % wanted'] as const;
  const { evidenceHash, ...record } = aDecision({ found: { test_coverage: coverage } }, { id });
  return { ...recordJson(record), evidence: { folder: '/ci/evidence', sha256: evidenceHash } };
}

/** As the journal has it. */
function stored(): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(join(canaryd.folder, 'canaryd.db'), { readOnly: true });
  try {
    return database.prepare('SELECT state, attempts FROM gate_messages').all();
  } finally {
    database.close();
  }
}

/** The killed daemon has been away for as long as an attempt may be under way. */
function waitedLong(): void {
  const database = new DatabaseSync(join(canaryd.folder, 'canaryd.db'));
  try {
    database
      .prepare(
        `UPDATE gate_messages SET attempted_at_ms = attempted_at_ms - ?,
           not_before_ms = not_before_ms - ?`,
      )
      .run(UNDER_WAY_MS, UNDER_WAY_MS);
  } finally {
    database.close();
  }
}

describe('a decision that is reported to the daemon', () => {
  it('is in Slack as people read it: what, why, what to do, and where to look', async () => {
    expect(await canaryd.post('/v1/gate-records', reported('g_1'))).toMatchObject({ status: 201 });
    await until(() => expect(slack.messages).toHaveLength(1));
    const [message] = slack.messages;
    expect(message).toMatchObject({
      notification: 'NO-GO aurora 2.1.0 (testnet): 1 of 47 criteria not met',
      color: '#e8a317',
      pings: [],
    });
    const lines = (message?.text ?? '').split('\n');
    expect(lines).toEqual([
      'NO-GO aurora 2.1.0 (testnet): 1 of 47 criteria not met',
      // It was written by nobody who has signed at this daemon.
      expect.stringMatching(/^Not signed here: /),
      '22 of 23 green met, no red holds, 0 yellows unmitigated (at most 2 wanted)',
      'green test_coverage is not met: lines 88 %, at least 90 % wanted',
      '*Next:* Do not deploy. Mend or sign what is named above, then carry aurora-testnet out again.',
      '*Gate*',
      'aurora-testnet',
      '*Version*',
      '2.1.0',
      '*Environment*',
      'testnet',
      '*Decided*',
      '2026-01-01 00:00:00 UTC',
      '*Evidence*',
      'sha256 c0ffee000000…',
      'Gate (https://canaryd.example.com/gates/g_1)',
      expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC {2}· {2}canaryd$/),
    ]);
    await until(() => expect(stored()).toMatchObject([{ state: 'delivered', attempts: 1 }]));
  });

  it('is told once, however often it is reported', async () => {
    const [first, second] = [
      await canaryd.post('/v1/gate-records', reported('g_1')),
      await canaryd.post('/v1/gate-records', reported('g_1')),
    ];
    expect([first.status, second.status]).toEqual([201, 200]);
    await canaryd.post('/v1/gate-records', reported('g_2'));
    await until(() => expect(slack.messages).toHaveLength(2));
    expect(stored()).toHaveLength(2);
  });

  it('is told by the next life when the daemon was killed before it could', async () => {
    slack.down();
    await canaryd.post('/v1/gate-records', reported('g_1'));
    await until(() => expect(slack.answers.length).toBeGreaterThan(0));
    await until(() => expect(stored()).toMatchObject([{ state: 'pending' }]));
    await canaryd.kill9();
    slack.up();
    waitedLong();
    await canaryd.start();
    await until(() => expect(stored()).toMatchObject([{ state: 'delivered' }]));
    expect(slack.messages).toHaveLength(1);
  });

  it('is told once more, and says so, when the daemon was killed between attempt and outcome', async () => {
    slack.hang({ accept: true });
    await canaryd.post('/v1/gate-records', reported('g_1'));
    await until(() => expect(slack.messages).toHaveLength(1));
    await canaryd.kill9();
    expect(stored()).toMatchObject([{ state: 'pending', attempts: 1 }]);
    slack.up();
    waitedLong();
    await canaryd.start();
    await until(() => expect(stored()).toMatchObject([{ state: 'delivered', attempts: 2 }]));
    expect(slack.messages).toHaveLength(2);
    expect(slack.messages[1]?.text).toContain(
      'canaryd was restarted while sending this: you may have seen it before.',
    );
  });

  it('is in the log in full when its channel refuses it', async () => {
    slack.respond(404, 'no_service');
    await canaryd.post('/v1/gate-records', reported('g_1'));
    await until(() => expect(stored()).toMatchObject([{ state: 'gave_up' }]));
    const given = canaryd
      .log()
      .split('\n')
      .find((line) => line.includes('delivery given up'));
    expect(JSON.parse(given ?? '{}')).toMatchObject({
      record: 'g_1',
      headline: 'NO-GO aurora 2.1.0 (testnet): 1 of 47 criteria not met',
      lines: expect.arrayContaining([expect.stringContaining('lines 88 %')]),
    });
  });
});
