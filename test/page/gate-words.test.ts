// A decision of a gate in the words of its page.
import { describe, expect, it } from 'vitest';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { camel } from '../../src/http/page/browser/api.js';
import type {
  CriterionView,
  RecordView,
  Signature,
} from '../../src/http/page/browser/gate-types.d.ts';
import {
  againCommand,
  approvalsOf,
  isMissing,
  newestOf,
  openOf,
  placesOf,
  quoted,
  reasonsOf,
  sectionText,
  sinceText,
  sorted,
  statusOf,
  validText,
  verifyCommand,
} from '../../src/http/page/browser/gate-words.js';
import { T0 } from '../support/build.ts';
import { notReady, type SampleOf, sampleRecord } from './gate-sample.ts';

const MINUTE = 60_000;
const iso = (ms: number) => new Date(ms).toISOString();

function view(sample: SampleOf = notReady(T0), more: Partial<RecordView> = {}): RecordView {
  const told = {
    ...{ evidence_sha256: 'c0ffee', reported_by: 'ci', received_at: iso(T0), is_newest: true },
    signed_since: [],
  };
  // As the API sends it and the page reads it.
  const wire: unknown = JSON.parse(
    JSON.stringify({ ...recordJson(sampleRecord(sample)), ...told }),
  );
  return { ...(camel(wire) as RecordView), ...more };
}

function signature(criterion: string, role: string, name: string, more: Partial<Signature> = {}) {
  const place = { gate: 'aurora-testnet', environment: 'testnet', version: 'v2.1.0' };
  const at = iso(T0 + MINUTE);
  return { ...place, criterion, role, name, at, note: null, ...more } satisfies Signature;
}

function criterion(over: Partial<CriterionView>): CriterionView {
  const base = { id: 'c', title: 'C', section: null, level: 'green', outcome: 'pass' } as const;
  return { ...base, exemption: null, checks: [], signOffs: [], ...over };
}

describe('the approval of a review', () => {
  it('is for the green lines that are open now', () => {
    const exemption: CriterionView['exemption'] = {
      ...{ criterion: 'd', by: 'Ada', reason: 'none', until: iso(T0) },
      kind: 'waiver',
    };
    const criteria = [
      criterion({ id: 'a', outcome: 'fail' }),
      criterion({ id: 'b', outcome: 'unknown' }),
      criterion({ id: 'c' }),
      criterion({ id: 'd', outcome: 'fail', exemption }),
      criterion({ id: 'e', level: 'yellow', outcome: 'fail' }),
    ];
    expect(openOf(view(notReady(T0), { criteria }))).toEqual(['a', 'b']);
  });
});

describe('a record on the page', () => {
  it('has lists of checks as lists, and names of tools as they are', () => {
    const record = view();
    expect(record.criteria.every(({ checks }) => Array.isArray(checks))).toBe(true);
    expect(camel({ tools: { pg_dump: '18' } })).toEqual({ tools: { pg_dump: '18' } });
  });
});

describe('criteria', () => {
  it('that are not met come first, what decides before what warns; the rest is by section', () => {
    const record = view({
      ...notReady(T0),
      found: {
        order_latency: ['fail', 'slow'],
        xai_corruption: ['unknown', 'no log'],
        unit_tests: ['unknown', 'no report'],
        test_coverage: ['fail', '88 %'],
      },
    });
    const { unmet, sections } = sorted(record.criteria);
    expect(unmet.map(({ id }) => id)).toEqual([
      ...['xai_corruption', 'test_coverage', 'unit_tests', 'order_latency'],
    ]);
    const signed = sections.find(({ name }) => name === 'Pre-deployment sign-off');
    expect(signed && sectionText(signed)).toBe('3 of 4 met, 1 not signed');
    const all = sections.flatMap(({ criteria }) => criteria);
    expect(all.length + unmet.length).toBe(record.criteria.length);
  });

  it.each<[Partial<CriterionView>, string, string]>([
    [{}, 'good', 'met'],
    [{ outcome: 'fail' }, 'bad', 'NOT MET'],
    [{ outcome: 'unknown' }, 'blind', 'UNKNOWN'],
    [{ level: 'yellow', outcome: 'fail' }, 'warn', 'WARNING'],
    [{ level: 'red', outcome: 'pass' }, 'good', 'does not hold'],
    [{ level: 'red', outcome: 'fail' }, 'bad', 'HOLDS'],
    [
      { outcome: 'unknown', signOffs: [{ role: 'cto', statement: '', signed: null, text: '' }] },
      'warn',
      'NOT SIGNED',
    ],
    [
      {
        outcome: 'fail',
        exemption: { kind: 'waiver', criterion: 'c', by: 'x', reason: 'y', until: iso(T0) },
      },
      'warn',
      'waived',
    ],
  ])('%j are %s: %s', (over, tone, word) => {
    expect(statusOf(criterion(over))).toEqual({ tone, word });
  });

  it('of red say that none holds', () => {
    const red = criterion({ level: 'red' });
    expect(sectionText({ name: 's', criteria: [red, red], met: 2 })).toBe('none of 2 holds');
    expect(sectionText({ name: 's', criteria: [red], met: 1 })).toBe('does not hold');
  });
});

describe('reasons', () => {
  it('name the criterion by its title; what names none stays as it is', () => {
    const [count, coverage] = reasonsOf(view());
    expect(count).toMatchObject({ criterion: null, title: null });
    expect(coverage).toMatchObject({
      ...{ level: 'green', criterion: 'test_coverage' },
      text: expect.stringMatching(/^is not met: lines 93\.4 %/),
    });
  });
});

describe('signatures', () => {
  const missing = (record: RecordView) =>
    placesOf(record)
      .filter(isMissing)
      .map(({ key }) => key);
  const first = 'devops_lead/devops_lead';

  it('that are missing come first', () => {
    const places = placesOf(view()).map(isMissing);
    expect(places.slice(0, 3)).toEqual([true, true, false]);
  });

  it('given since are no longer missing, and are told apart from the decision', () => {
    const signedSince = [signature('devops_lead', 'devops_lead', 'Jo')];
    const record = view(notReady(T0), { signedSince });
    expect(missing(record)).not.toContain(first);
    expect(sinceText(record)).toBe('Since this decision: 1 signature given');
    expect(sinceText(view())).toBeNull();
  });

  it('taken back since are missing again, until the same person signs again', () => {
    const given = signature('devops_lead', 'devops_lead', 'Jo');
    const back = {
      ...given,
      name: ' J\u3164O',
      at: iso(T0 + 2 * MINUTE),
      withdrawn: true,
    } as const;
    const again = { ...given, at: iso(T0 + 3 * MINUTE) };
    expect(missing(view(notReady(T0), { signedSince: [given, back] }))).toContain(first);
    expect(missing(view(notReady(T0), { signedSince: [given, back, again] }))).not.toContain(first);
  });

  it('that the decision counted and that were taken back since are missing', () => {
    const counted = placesOf(view()).find(({ signed }) => signed !== null);
    const { criterion: id = '', role = '', signed = null } = counted ?? {};
    const back = signature(id, role, signed?.name ?? '', { withdrawn: true });
    const record = view(notReady(T0), { signedSince: [back] });
    expect(missing(record)).toContain(`${id}/${role}`);
    expect(sinceText(record)).toBe('Since this decision: 1 signature taken back');
  });

  it('say until when they count, and when that is over', () => {
    const text = `signed by Jo as cto, valid until ${iso(T0)}`;
    expect(validText(text, T0 - MINUTE)).toMatch(/^counts until /);
    expect(validText(text, T0 + MINUTE)).toMatch(/^has expired since: /);
    expect(validText('anything else', T0)).toBe('');
  });
});

describe('approvals', () => {
  const spark = { gate: 'spark', endedAtMs: T0, version: 'v1', parameters: {} } as const;
  const one = { artifacts_date: ['fail', 'old'] } as const;

  it('of a review name the roles that the decision names', () => {
    const [review, override] = approvalsOf(view({ ...spark, found: one }));
    expect(review).toEqual({
      ...{ id: 'review', roles: ['cto'], refused: null },
      wanted: 'approval wanted of 1 cto',
    });
    expect(override).toMatchObject({ id: 'override', roles: [], wanted: null, refused: null });
  });

  it('of an override that has begun name the roles that are open', () => {
    const signed = [{ criterion: 'override', role: 'cto', name: 'Vera', note: 'a risk' }];
    const override = approvalsOf(view({ ...spark, found: one, signed })).at(-1);
    expect(override?.roles).toEqual(['cto', 'senior_engineer']);
  });

  it('are none for GO, and not possible while a stop condition is not clear', () => {
    const aurora = { gate: 'aurora-testnet', endedAtMs: T0 } as const;
    expect(approvalsOf(view(aurora))).toEqual([]);
    const found = { xai_corruption: ['unknown', 'no log'] } as const;
    expect(approvalsOf(view({ ...aurora, found }))).toMatchObject([
      { id: 'override', refused: expect.stringContaining('a stop condition holds or is unknown') },
    ]);
  });
});

describe('commands to copy', () => {
  it.each([
    ['v2.1.0', 'v2.1.0'],
    ['a b', "'a b'"],
    ["it's; rm -rf $HOME", "'it'\\''s; rm -rf $HOME'"],
    ['', "''"],
    ['<x>', "'<x>'"],
    ['-v', '-v'],
  ])('have %j as %s', (text, word) => {
    expect(quoted(text)).toBe(word);
  });

  it('run the gate again for the same deploy, and verify its evidence', () => {
    const record = view();
    expect(againCommand(record)).toBe(
      'canaryd gate aurora-testnet --version v2.1.0 --service aurora --environment testnet --param deploy_capital=100000 --param expected_positions=10 --daemon',
    );
    const hostile = { ...record, deploy: { ...record.deploy, version: '$(reboot)' } };
    expect(againCommand(hostile)).toContain("--version '$(reboot)'");
    expect(verifyCommand(record)).toMatch(
      /^canaryd gate verify evidence\/aurora-testnet-\d{8}T\d{6}Z --hash c0ffee$/,
    );
  });
});

describe('the list of gates', () => {
  it('has the newest of each gate, service, environment and version, the newest version apart', () => {
    const rows = [
      ['g4', 'v2', 'testnet'],
      ['g3', 'v2', 'testnet'],
      ['g2', 'v1', 'testnet'],
      ['g1', 'v1', 'production'],
    ] as const;
    const records = rows.map(([id, version, environment]) => {
      const isNewest = id !== 'g3';
      const record = view({ ...notReady(T0), version, id }, { isNewest });
      return { ...record, deploy: { ...record.deploy, environment } };
    });
    const { now, before } = newestOf(records);
    expect([now.map(({ id }) => id), before.map(({ id }) => id)]).toEqual([['g4', 'g1'], ['g2']]);
  });

  it('goes by what the daemon calls the newest: an older GO that arrives late is not', () => {
    const row = (id: string, version: string, isNewest: boolean) => {
      const record = view(notReady(T0), { id, isNewest });
      return { ...record, deploy: { ...record.deploy, version } };
    };
    const rows = [
      ...[row('late1', 'v1', false), row('late2', 'v2', false)],
      ...[row('no_go', 'v2', true), row('other', 'v1', true)],
    ];
    const { now, before } = newestOf(rows);
    expect([now.map(({ id }) => id), before.map(({ id }) => id)]).toEqual([['no_go'], ['other']]);
  });
});
