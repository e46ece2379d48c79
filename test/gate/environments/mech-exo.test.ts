import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasOpenssl, loopbackCertificate } from '../../support/certificate.ts';
import { type FakeSmtp, startFakeSmtp } from '../../support/fake-smtp.ts';
import { type FakeTelegram, startFakeTelegram } from '../../support/fake-telegram.ts';
import { hasPostgres } from '../../support/postgres.ts';
import { hasPrometheus } from '../../support/prometheus.ts';
import { dayAgo } from '../../support/tool-reports.ts';
import type { Environment } from './environment.ts';
import { describeGate } from './gate-suite.ts';
import {
  fillDatabase,
  LOAD,
  load,
  MECH_EXO,
  type MechExoOwn,
  notify,
  shipped,
} from './mech-exo.ts';
import { MECH_EXO_TURNS } from './mech-exo-turns.ts';
import type { Change } from './world.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

describe.skipIf(!hasPostgres() || !hasPrometheus())('the gate mech-exo', () => {
  describeGate<MechExoOwn>({
    setup: MECH_EXO,
    turns: MECH_EXO_TURNS,
    more: (environment) => {
      beforeAll(() => fillDatabase(environment().at.postgres));
      describeMitigation(environment);
      describe.skipIf(!hasOpenssl)('with canaryd itself', () => describeChannels(environment));
    },
  });
});

/** The load test was too small; in writing, until so many days ago. */
function mitigated(daysAgo: number): Change {
  const mitigation = {
    ...{ criterion: 'load_test', by: 'Ada King', until: dayAgo(daysAgo) },
    reason: 'the broker allows no more; 8 times is twice the peak, OPS-9',
  };
  return {
    files: { [LOAD]: load({ factor: 8 }) },
    gate: [['\ndecision: ', `\nmitigations: [${JSON.stringify(mitigation)}]\ndecision: `]],
  };
}

function describeMitigation(environment: () => Environment<MechExoOwn>): void {
  it.each([
    ['holds', -7, '; mitigated by Ada King until '],
    ['has expired', 1, '; the mitigation by Ada King has expired on '],
  ])('tells of a mitigation that %s, and is GO either way', async (_, daysAgo, text) => {
    const record = await environment().run(mitigated(daysAgo));
    expect(record.decision).toBe('go');
    expect(record.reasons[1]).toContain('yellow load_test is not met: volume 8');
    expect(record.reasons[1]).toContain(text);
  });
}

/** The lines of Telegram and e-mail are carried out by canaryd, with the config that is shipped. */
function describeChannels(environment: () => Environment<MechExoOwn>): void {
  let telegram: FakeTelegram;
  let smtp: FakeSmtp;
  let change: Change;
  beforeAll(async () => {
    const tls = loopbackCertificate();
    const login = { username: 'canaryd', password: 'smtp-secret' };
    telegram = await startFakeTelegram();
    smtp = await startFakeSmtp({ tls, isImplicit: true, login });
    const config = shipped('mech-exo.yaml')
      .replace('bot_token:', `url: "${telegram.url}", bot_token:`)
      .replace(
        'url: smtps://mail.example.com',
        `url: smtps://localhost:${smtp.port}\n      tls: { ca: ca.pem }`,
      );
    const exec = [process.execPath, MAIN];
    change = {
      files: { 'config/mech-exo.yaml': config, 'config/ca.pem': tls.cert },
      programs: { canaryd: ['phone', 'mail'].map((one) => ({ args: notify(one), exec })) },
    };
  });
  afterAll(() => Promise.all([telegram?.close(), smtp?.close()]));

  it('sends a message and a mail, and is GO', { timeout: 60_000 }, async () => {
    const { decision, reasons } = await environment().run(change);
    expect([decision, ...reasons.slice(1)]).toEqual(['go']);
    expect(telegram.messages).toHaveLength(1);
    expect(smtp.mails).toMatchObject([{ isEncrypted: true, user: 'canaryd' }]);
  });

  it('is NO-GO when Telegram does not know the bot', { timeout: 60_000 }, async () => {
    const env = { TELEGRAM_BOT_TOKEN: '654321:AAanotheranotheranotheranotherano' };
    const { decision, reasons } = await environment().run({ ...change, env });
    expect(decision).toBe('no_go');
    expect(reasons.slice(1)).toEqual([
      expect.stringMatching(/^green telegram_tested is not met: exit code 1, 0 wanted: .*phone/),
    ]);
  });
}
