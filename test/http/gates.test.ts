// Signatures and decisions of gates over the API, on a real journal. What arrives may come from
// anybody with a token: it is refused, or bounded and printable.
import { describe, expect, it } from 'vitest';
import { SCOPES, type Scope, tokenMatcher } from '../../src/http/auth.ts';
import { GATE_BODY_BYTES_MAX, gateRecordBody, recordOf } from '../../src/http/gate-bodies.ts';
import { SCHEMAS, type SchemaName } from '../../src/http/schemas.ts';
import { VirtualClock } from '../../src/kit/virtual-clock.ts';
import { T0 } from '../support/build.ts';
import { aGateRecord, aRecordBody, EVIDENCE_HASH, gateDesk } from '../support/gate-desk.ts';
import { api } from '../support/http-server.ts';

const PUBLIC_URL = 'https://canaryd.example';

function desk(options: Pick<NonNullable<Parameters<typeof api>[0]>, 'tokens'> = {}) {
  const clock = new VirtualClock(T0);
  const gates = gateDesk({ clock, publicUrl: PUBLIC_URL }).desk;
  const { app, log } = api({ ...options, gates });
  const ask = async (method: 'GET' | 'POST', url: string, body?: unknown, token?: string) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        host: 'localhost',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { payload: asText(body) }),
    });
    return { status: answer.statusCode, json: answer.json(), headers: answer.headers };
  };
  return {
    ...{ app, log, clock, ask },
    get: (url: string) => ask('GET', url),
    sign: (body: unknown, token?: string) => ask('POST', '/v1/sign-offs', body, token),
    report: (body: unknown, token?: string) => ask('POST', '/v1/gate-records', body, token),
  };
}

const asText = (body: unknown) => (typeof body === 'string' ? body : JSON.stringify(body));

const tokens = SCOPES.map((scope) => ({
  name: `may-${scope}`,
  scopes: [scope] as const,
  matches: tokenMatcher(`token-that-may-${scope}`),
}));

const ENTRY = {
  ...{ gate: 'release', criterion: 'review_done', role: 'engineering_lead', name: 'Ada' },
  ...{ service: 'aurora', environment: 'testnet', version: '2.1.0' },
};

const fits = (name: SchemaName, value: unknown) => SCHEMAS[name].safeParse(value).error;

describe('a signature over the API', () => {
  it('keeps the words that were signed, and what an approval covers', async () => {
    const { sign, get } = desk();
    const words = { statement: 'Code review\tcomplete ', covers: ['tests', 'docs'] };
    const kept = { statement: 'Code review complete', covers: ['tests', 'docs'] };
    expect(await sign({ ...ENTRY, ...words })).toMatchObject({ status: 201, json: kept });
    const { json } = await get('/v1/sign-offs?gate=release');
    expect(json).toMatchObject({ sign_offs: [{ ...kept, name: 'Ada' }] });
  });

  it.each(['\u0410da King', '..', 'Ada K\u03b9ng'])('is of nobody called %j', async (name) => {
    const { sign } = desk();
    expect(await sign({ ...ENTRY, name })).toMatchObject({ status: 400 });
  });
});

describe('a record', () => {
  it('comes back from its JSON as it was, whatever it holds', () => {
    const body = gateRecordBody.parse(JSON.parse(JSON.stringify(aRecordBody())));
    expect(recordOf(body)).toEqual({ ...aGateRecord(), evidenceHash: EVIDENCE_HASH });
  });

  it.each(['no_go', 'review'] as const)('that is %s needs no evidence', (decision) => {
    const { evidence: _, ...rest } = aRecordBody({ decision });
    expect(recordOf(gateRecordBody.parse(rest)).evidenceHash).toBeNull();
    const failed = { folder: null, reason: 'the disk is full' };
    expect(recordOf(gateRecordBody.parse({ ...rest, evidence: failed })).evidenceHash).toBeNull();
  });
});

describe('POST /v1/sign-offs', () => {
  it('keeps a signature with the time of the daemon, and shows it', async () => {
    const { sign, get } = desk();
    const { status, json } = await sign({ ...ENTRY, note: 'all\n passed' });
    const kept = { ...ENTRY, note: 'all passed', at: new Date(T0).toISOString() };
    expect([status, json]).toEqual([201, kept]);
    const listed = await get('/v1/sign-offs?gate=release');
    expect(listed.json).toEqual({ sign_offs: [kept] });
    expect([fits('SignOff', json), fits('SignOffs', listed.json)]).toEqual([undefined, undefined]);
  });

  it('names the token by which it came', async () => {
    const { sign } = desk({ tokens });
    const { json } = await sign(ENTRY, 'token-that-may-act');
    expect(json).toMatchObject({ name: 'Ada', via: 'may-act' });
  });

  it('takes a signature back', async () => {
    const { sign, get, clock } = desk();
    await sign(ENTRY);
    await clock.advance(1_000);
    const { status, json } = await sign({ ...ENTRY, withdrawn: true, note: 'a bug' });
    expect([status, json]).toEqual([201, expect.objectContaining({ withdrawn: true })]);
    const { json: all } = await get('/v1/sign-offs?gate=release&environment=testnet&version=2.1.0');
    expect(all.sign_offs).toMatchObject([{ note: null }, { withdrawn: true, note: 'a bug' }]);
  });

  it('says when there is nothing to take back', async () => {
    const { status, json } = await desk().sign({ ...ENTRY, withdrawn: true });
    expect([status, json.type]).toEqual([409, 'urn:canaryd:problem:conflict']);
    expect(json.detail).toContain('Ada has no signature as engineering_lead for review_done');
  });

  it('makes the name printable: what nobody sees makes nobody another person', async () => {
    const { json } = await desk().sign({
      ...ENTRY,
      name: ' A\u200bda\u202e \u001b[31mL.\u001b[0m ',
    });
    expect(json.name).toBe('Ada L.');
  });

  it.each([
    ['gate', 'rel\u0000ease'],
    ['criterion', 'review\u202edone'],
    ['role', 'lead\u001b[2J'],
    ['environment', 'test\nnet'],
    ['version', '2.1.0\ud800'],
    ['service', ' aurora'],
    ['gate', 'x'.repeat(101)],
    ['version', 'x'.repeat(201)],
    ['name', 'x'.repeat(101)],
    ['name', '\u200b\u0007 '],
    ['name', '\u3164'],
    ['name', '-.'],
    ['note', 'x'.repeat(2_001)],
    ['name', ['Ada']],
    ['withdrawn', 'yes'],
    ['surprise', 1],
  ])('refuses %s %j, by name', async (field, value) => {
    const { sign, get } = desk();
    const { status, json } = await sign({ ...ENTRY, [field]: value });
    expect([status, json.errors]).toEqual([400, [expect.objectContaining({ path: field })]]);
    expect((await get('/v1/sign-offs?gate=release')).json.sign_offs).toEqual([]);
  });
});

describe('POST /v1/gate-records', () => {
  it('takes what `canaryd gate --daemon --json` prints, also what it says of the report', async () => {
    const { report } = desk();
    const daemon = { reported: false, reason: 'not there' };
    const { status, json } = await report({ ...aRecordBody(), daemon });
    expect(status).toBe(201);
    expect(json).not.toHaveProperty('daemon');
    expect((await report(aRecordBody())).status).toBe(200);
    const wrong = await report({ ...aRecordBody({ id: 'g_wrong' }), daemon: 'here' });
    expect([wrong.status, wrong.json.errors]).toEqual([
      400,
      [expect.objectContaining({ path: 'daemon' })],
    ]);
  });

  it('is 201 for a new decision and 200 for the same one', async () => {
    const { report, log } = desk({ tokens });
    const first = await report(aRecordBody(), 'token-that-may-start');
    const { evidence: _, ...record } = JSON.parse(JSON.stringify(aRecordBody()));
    const { id } = record;
    expect(first.status).toBe(201);
    expect(first.headers.location).toBe(`/v1/gate-records/${id}`);
    expect(first.json).toEqual({
      ...record,
      evidence_sha256: EVIDENCE_HASH,
      received_at: new Date(T0).toISOString(),
      reported_by: 'may-start',
      url: `${PUBLIC_URL}/gates/${id}`,
      is_newest: true,
      signed_since: [],
      not_signed_here: [
        record.criteria[1].sign_offs[0].signed,
        ...record.approvals,
        ...record.override.approvals,
      ],
      criteria_met: 2,
      criteria_total: 2,
    });
    expect(fits('GateRecord', first.json)).toBeUndefined();
    const second = await report(aRecordBody(), 'token-that-may-start');
    expect([second.status, second.json]).toEqual([200, first.json]);
    expect(log.filter((line) => line.includes('gate decided'))).toHaveLength(1);
  });

  it('is 409 when the id is taken by another decision', async () => {
    const { report } = desk();
    await report(aRecordBody());
    const { status, json } = await report(aRecordBody({ reasons: ['another'] }));
    expect([status, json.type]).toEqual([409, 'urn:canaryd:problem:conflict']);
  });

  it('refuses a GO without evidence, and one of tomorrow', async () => {
    const { report, get } = desk();
    const { evidence: _, ...without } = aRecordBody();
    expect((await report(without)).json.detail).toContain('without evidence there is no GO');
    const failed = { ...without, evidence: { folder: null, reason: 'the disk is full' } };
    expect((await report(failed)).status).toBe(400);
    const endedAt = new Date(T0 + 86_400_000).toISOString();
    const { status, json } = await report(aRecordBody({ endedAt }));
    expect([status, json.errors]).toEqual([400, [expect.objectContaining({ path: 'ended_at' })]]);
    expect((await get('/v1/gate-records')).json.gate_records).toEqual([]);
  });

  it.each([null, aGateRecord().override])(
    'refuses a GO that says itself that it is none',
    async (override) => {
      const { report, get } = desk();
      const { status, json } = await report(aRecordBody({ override, criteria: [] }));
      const none = expect.objectContaining({ path: 'criteria' });
      expect([status, json.errors]).toEqual([400, [none]]);
      const [tests, reviewed] = aRecordBody().criteria;
      const red = (outcome: 'pass' | 'fail' | 'unknown', decision: 'go' | 'no_go' = 'go') => {
        const criteria = [tests, { ...reviewed, level: 'red', outcome }];
        return report({ ...aRecordBody({ override, id: `g_${outcome}`, decision }), criteria });
      };
      expect((await red('fail')).json.detail).toContain('found a GO whose red review_done is fail');
      expect((await red('unknown')).json.detail).toContain('nothing overrides a red');
      expect((await get('/v1/gate-records')).json.gate_records).toEqual([]);
      expect((await red('pass')).status).toBe(201);
      expect((await red('fail', 'no_go')).status).toBe(201);
    },
  );

  it('names the signatures that nobody has given here', async () => {
    const { report, sign, get } = desk();
    const { json: ada } = await sign(ENTRY);
    const { override, ...body } = aRecordBody();
    const risk = { risk: 'small', approvals: [{ ...ada, role: 'cto', criterion: 'override' }] };
    const [tests, reviewed] = body.criteria;
    const [signed] = reviewed?.sign_offs ?? [];
    const criteria = [tests, { ...reviewed, sign_offs: [{ ...signed, signed: ada }] }];
    const told = { ...body, criteria, approvals: [], override: risk };
    const { json } = await report(told);
    expect(override).not.toBeNull();
    expect(json.not_signed_here).toEqual([expect.objectContaining({ name: 'Ada', role: 'cto' })]);
    expect((await get(`/v1/gate-records/${json.id}`)).json).toEqual(json);
    expect(fits('GateRecord', json)).toBeUndefined();
  });

  it('makes texts printable and cuts them', async () => {
    const hostile = `\u001b]0;title\u0007\u001b[2J${'\u202e'}\ud800<b>a\u0000\r\n::error::b</b>`;
    const long = `${'y'.repeat(300_000)}`;
    const [tests, reviewed] = aRecordBody().criteria;
    const body = {
      ...aRecordBody(),
      title: hostile,
      reasons: [hostile, long],
      next: long,
      tools: { ['t\u0007ool']: hostile },
      criteria: [{ ...tests, title: hostile, section: long }, reviewed],
    };
    const { status, json } = await desk().report(body);
    expect(status).toBe(201);
    expect(json.title).toBe('<b>a ::error::b</b>');
    expect(json.reasons[1]).toHaveLength(1_000);
    expect(json.criteria[0]).toMatchObject({ title: '<b>a ::error::b</b>' });
    expect(json.criteria[0].section).toHaveLength(500);
    expect(json.tools).toEqual({ tool: '<b>a ::error::b</b>' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(JSON.stringify(json)).not.toMatch(/\\u00|\\ud8|[\u0000-\u001f\u202e]/);
  });

  it.each([
    ['id', '../x'],
    ['id', 'x'.repeat(61)],
    ['gate', 'a\u001b[2J'],
    ['decision', 'GO'],
    ['started_at', 'yesterday'],
    ['started_at', '0000-01-01T00:00:00+23:59'],
    ['started_at', '1969-12-31T23:59:59Z'],
    ['gate_sha256', 'no hash'],
    ['reasons', Array.from({ length: 1_001 }, () => 'x')],
    ['tools', Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`t${index}`, '1']))],
    ['criteria', [{ id: 'x' }]],
    ['override', { approvals: [], risk: 5 }],
    ['surprise', 1],
  ])('refuses %s %j', async (field, value) => {
    const { status, json } = await desk().report({ ...aRecordBody(), [field]: value });
    expect(status).toBe(400);
    expect(json.errors[0].path.startsWith(field)).toBe(true);
  });

  it('refuses a time that no answer could hold', async () => {
    const [tests, reviewed] = aRecordBody().criteria;
    const exemption = { ...tests?.exemption, until: '9999-12-31T23:59:59-23:59' };
    const criteria = [{ ...tests, exemption }, reviewed];
    const { status, json } = await desk().report({ ...aRecordBody(), criteria });
    expect([status, json.errors[0].path]).toEqual([400, 'criteria[0].exemption.until']);
  });

  it.each([
    ['service', 'a\u202eb'],
    ['environment', ''],
    ['version', 'x'.repeat(201)],
  ])('refuses a deploy whose %s is %j', async (field, value) => {
    const body = aRecordBody();
    const { status } = await desk().report({ ...body, deploy: { ...body.deploy, [field]: value } });
    expect(status).toBe(400);
  });

  it('takes up to 1 MB there, and 64 kB elsewhere', async () => {
    const { report, sign } = desk();
    const [tests, reviewed] = aRecordBody().criteria;
    const checks = (details: number) =>
      Array.from({ length: 90 }, (_, index) => ({
        ...tests?.checks[0],
        id: `env_${index}`,
        details: Array.from({ length: details }, () => 'd'.repeat(100)),
      }));
    const large = { ...aRecordBody(), criteria: [{ ...tests, checks: checks(90) }, reviewed] };
    expect(Buffer.byteLength(asText(large))).toBeGreaterThan(800_000);
    expect((await report(large)).status).toBe(201);
    const over = `${asText(aRecordBody())}${' '.repeat(GATE_BODY_BYTES_MAX)}`;
    const refused = await report(over);
    expect([refused.status, refused.json.detail]).toEqual([
      413,
      'the body may have at most 1,000,000 bytes',
    ]);
    const elsewhere = await sign(`${asText(ENTRY)}${' '.repeat(65_536)}`);
    expect([elsewhere.status, elsewhere.json.detail]).toEqual([
      413,
      'the body may have at most 65,536 bytes',
    ]);
  });
});

describe('GET /v1/gate-records', () => {
  const idOf = (index: number) => `g_${String(index).padStart(16, '0')}`;

  async function withDecisions(count: number) {
    const made = desk();
    for (let index = 1; index <= count; index++) {
      await made.report(aRecordBody({ id: idOf(index) }));
    }
    return made;
  }

  it('lists decisions, newest first, page by page, without their criteria', async () => {
    const { get } = await withDecisions(5);
    const first = (await get('/v1/gate-records?limit=2')).json;
    expect(fits('GateRecordList', first)).toBeUndefined();
    expect(first).toMatchObject({
      gate_records: [
        { id: idOf(5), is_newest: true, criteria: [], criteria_met: 2, criteria_total: 2 },
        { id: idOf(4), is_newest: false },
      ],
      next_before: idOf(4),
    });
    const last = (await get(`/v1/gate-records?limit=3&before=${first.next_before}`)).json;
    expect(last).toMatchObject({
      gate_records: [{ id: idOf(3), is_newest: false }, { id: idOf(2) }, { id: idOf(1) }],
      next_before: null,
    });
  });

  it.each([
    ['gate=release', 2],
    ['gate=other', 0],
    ['service=aurora&environment=testnet&version=2.1.0', 1],
    ['version=2.1.1', 1],
    ['environment=production', 0],
  ])('of ?%s are %i', async (query, count) => {
    const { report, get } = await withDecisions(1);
    const deploy = { ...aRecordBody().deploy, version: '2.1.1' };
    await report(aRecordBody({ id: idOf(2), deploy }));
    expect((await get(`/v1/gate-records?${query}`)).json.gate_records).toHaveLength(count);
  });

  it('shows one with the signatures that came later', async () => {
    const { get, sign, clock } = await withDecisions(1);
    await clock.advance(1_000);
    await sign(ENTRY);
    const { status, json } = await get(`/v1/gate-records/${idOf(1)}`);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      criteria: [{ id: 'tests' }, { id: 'review_done' }],
      signed_since: [{ name: 'Ada', criterion: 'review_done' }],
    });
  });

  it.each(['/v1/gate-records/g_none', '/v1/gate-records?before=g_none'])(
    'says at %s that there is no such decision',
    async (url) => {
      const { status, json } = await desk().get(url);
      expect([status, json.type]).toEqual([404, 'urn:canaryd:problem:gate_record_not_found']);
    },
  );

  it.each(['?limit=0', '?limit=101', '?before=..%2F', '?gate=', '?surprise=1', '/%00', '/a.b'])(
    'refuses %s',
    async (query) => {
      expect((await desk().get(`/v1/gate-records${query}`)).status).toBe(400);
    },
  );
});

describe('tokens', () => {
  const asks: readonly (readonly [Scope, 'GET' | 'POST', string, unknown])[] = [
    ['act', 'POST', '/v1/sign-offs', ENTRY],
    ['read', 'GET', '/v1/sign-offs?gate=release', undefined],
    ['start', 'POST', '/v1/gate-records', aRecordBody()],
    ['read', 'GET', '/v1/gate-records', undefined],
    ['read', 'GET', '/v1/gate-records/g_none', undefined],
  ];

  it.each(asks)('%s is needed, and enough, for %s %s', async (scope, method, url, body) => {
    const { ask } = desk({ tokens });
    expect((await ask(method, url, body)).status).toBe(401);
    for (const other of SCOPES.filter((one) => one !== scope)) {
      expect((await ask(method, url, body, `token-that-may-${other}`)).status).toBe(403);
    }
    const { status } = await ask(method, url, body, `token-that-may-${scope}`);
    expect([200, 201, 404]).toContain(status);
  });
});
