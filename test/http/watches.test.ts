import { describe, expect, it } from 'vitest';
import { T0 } from '../support/fake-control.ts';
import { api } from '../support/http-server.ts';

const START = { service: 'aurora', version: '1.4.0' };

async function withWatch() {
  const server = api();
  const { watch } = await server.control.start({ ...START, parameters: {} });
  server.control.commands.length = 0;
  return { ...server, id: watch.id, base: `/v1/watches/${watch.id}` };
}

describe('POST /v1/watches', () => {
  it('starts a watch: 201, where it is, and the watch', async () => {
    const { app, control } = api();
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/watches',
      headers: { 'idempotency-key': '"run-42"' },
      payload: {
        ...START,
        environment: 'staging',
        previous_version: '1.3.9',
        deployed_at: '2026-03-01T13:00:00+01:00',
        parameters: { deploy_capital: 5, desk: 'fx' },
        policy: 'aurora',
        mode: 'observe',
        by: 'alice',
        url: 'https://ci.example/1',
      },
    });
    expect(answer.statusCode).toBe(201);
    const { id } = answer.json();
    expect(answer.headers.location).toBe(`/v1/watches/${id}`);
    expect(answer.json()).toMatchObject({ previous_version: '1.3.9', phase: 'watching' });
    expect(control.commands).toEqual([
      {
        name: 'start',
        argument: {
          service: 'aurora',
          version: '1.4.0',
          environment: 'staging',
          previousVersion: '1.3.9',
          deployedAtMs: T0,
          parameters: { deploy_capital: 5, desk: 'fx' },
          policy: 'aurora',
          mode: 'observe',
          by: 'alice',
          url: 'https://ci.example/1',
          idempotencyKey: 'run-42',
        },
      },
    ]);
  });

  it('answers 200 with the same watch for the same deploy', async () => {
    const { app, id } = await withWatch();
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', payload: START });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().id).toBe(id);
  });

  it.each([
    ['/version', { version: '1.0\ud800' }],
    ['/version', { version: '1.0\u0007' }],
    ['/parameters/track', { parameters: { track: 'a\udfff' } }],
    ['/parameters/track', { parameters: { track: 'a\nb' } }],
  ])('refuses what is no line of whole characters: %s', async (field, over) => {
    const { app, control } = api();
    const payload = JSON.stringify({ ...START, ...over });
    const headers = { 'content-type': 'application/json' };
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', headers, payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.payload).toContain(field.slice(1).replace('/', '.'));
    expect(control.commands).toEqual([]);
  });

  it.each([
    ['version', ' 1'],
    ['version', '1  2'],
    ['version', '1\u200b'],
    ['previous_version', '1 '],
    ['environment', 'live\u2028'],
    ['environment', 'test  net'],
  ])('refuses a %s that no decision of a gate can hold: %j', async (field, value) => {
    const { app, control } = api();
    const payload = { ...START, [field]: value };
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors).toEqual([expect.objectContaining({ path: field })]);
    expect(control.commands).toEqual([]);
  });

  it('keeps characters beyond the first plane', async () => {
    const { app } = api();
    const payload = { ...START, version: '1.0-🚀' };
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', payload });
    expect(answer.json()).toMatchObject({ version: '1.0-🚀' });
  });

  it('passes on nothing that the caller left out', async () => {
    const { app, control } = api();
    await app.inject({ method: 'POST', url: '/v1/watches', payload: START });
    expect(control.commands[0]?.argument).toEqual({ ...START, parameters: {} });
  });
});

describe('GET /v1/watches', () => {
  it('pages from the newest to the oldest', async () => {
    const { app, control } = api();
    for (const version of ['1', '2', '3']) {
      await control.start({ service: 'aurora', version, parameters: {} });
    }
    const first = (await app.inject('/v1/watches?limit=2')).json();
    expect(first.watches.map((watch: { version: string }) => watch.version)).toEqual(['3', '2']);
    const rest = (await app.inject(`/v1/watches?limit=2&before=${first.next_before}`)).json();
    expect(rest.watches.map((watch: { version: string }) => watch.version)).toEqual(['1']);
    expect(rest.next_before).toBeNull();
  });

  it('filters by service, phase and activity', async () => {
    const { app, control, id } = await withWatch();
    await control.cancel(id, { by: 'a', reason: 'b' });
    await control.start({ service: 'borealis', version: '1', parameters: {} });
    const services = async (query: string) =>
      (await app.inject(`/v1/watches?${query}`))
        .json()
        .watches.map((watch: { service: string }) => watch.service);
    expect(await services('service=aurora')).toEqual(['aurora']);
    expect(await services('phase=cancelled')).toEqual(['aurora']);
    expect(await services('active=true')).toEqual(['borealis']);
    expect(await services('active=false')).toEqual(['aurora']);
  });
});

describe('reading one watch', () => {
  it('shows it with its conditions', async () => {
    const { app, base } = await withWatch();
    const answer = await app.inject(base);
    expect(answer.json().conditions[0]).toMatchObject({
      limit_text: 'below 80 %',
      pre_existing: false,
      query: 'sum(rate(orders_total[1m]))',
    });
  });

  it('pages through the journal by seq', async () => {
    const { app, control, id, base } = await withWatch();
    control.happen(id, { type: 'watch.armed', armed: 1, total: 1 });
    control.happen(id, { type: 'window.entered', window: 'immediate' });
    const first = (await app.inject(`${base}/journal?limit=2`)).json();
    expect(first.events).toHaveLength(2);
    expect(first.next_after).toBe(2);
    const rest = (await app.inject(`${base}/journal?after=2`)).json();
    expect(rest).toEqual({
      events: [{ type: 'window.entered', window: 'immediate', seq: 3, at_ms: T0 + 3_000 }],
      next_after: null,
    });
  });

  it.each([
    ['?format=jsonl', 'application/json'],
    ['', 'application/jsonl'],
  ])('exports the whole journal as JSON Lines (%s, accept: %s)', async (query, accept) => {
    const { app, control, id, base } = await withWatch();
    for (let index = 0; index < 1_200; index += 1) {
      control.happen(id, { type: 'watch.resumed', awayMs: index });
    }
    const answer = await app.inject({ url: `${base}/journal${query}`, headers: { accept } });
    expect(answer.headers['content-type']).toBe('application/jsonl; charset=utf-8');
    const lines = answer.body.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual(
      Array.from({ length: 1_201 }, (_, index) => index + 1),
    );
  });

  it('an export of a missing watch is a problem', async () => {
    const answer = await api().app.inject('/v1/watches/w_missing/journal?format=jsonl');
    expect(answer.statusCode).toBe(404);
  });

  it('gives the samples between two times, and where to go on', async () => {
    const { app, control, id, base } = await withWatch();
    for (const second of [1, 2, 3]) {
      control.tick(id, {
        atMs: T0 + second * 1_000,
        readings: { fillRate: { kind: 'value', value: 0.9, rangeMs: 60_000 } },
      });
    }
    const first = (await app.inject(`${base}/samples?from=2026-03-01T12:00:02Z&limit=1`)).json();
    expect(first).toEqual({
      samples: [
        {
          at_ms: T0 + 2_000,
          readings: { fillRate: { kind: 'value', value: 0.9, range_ms: 60_000 } },
        },
      ],
      next_from: '2026-03-01T12:00:03.000Z',
    });
    const none = (await app.inject(`${base}/samples?to=2026-03-01T12:00:00Z`)).json();
    expect(none).toEqual({ samples: [], next_from: null });
  });

  it('lists deliveries', async () => {
    const { app, base } = await withWatch();
    expect((await app.inject(`${base}/deliveries`)).json()).toEqual({ deliveries: [] });
  });

  it('never acts: no GET reaches a command', async () => {
    const { app, control, base } = await withWatch();
    for (const verb of ['stop', 'cancel', 'ack', 'resolve', 'extend', 'sign']) {
      const answer = await app.inject(`${base}/${verb}?reason=x`);
      expect(answer.statusCode).toBe(405);
      expect(answer.headers.allow).toBe('POST');
    }
    expect(control.commands).toEqual([]);
  });
});

describe('commands of people', () => {
  it.each([
    ['stop', 'stop', 'stopped'],
    ['cancel', 'cancel', 'cancelled'],
    ['ack', 'acknowledge', 'watching'],
    ['resolve', 'resolve', 'watching'],
  ])('%s is passed on with who and why', async (verb, name, phase) => {
    const { app, control, base } = await withWatch();
    const payload = { reason: 'wrong prices', by: 'alice' };
    const answer = await app.inject({ method: 'POST', url: `${base}/${verb}`, payload });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().phase).toBe(phase);
    expect(control.commands).toEqual([{ name, argument: payload }]);
  });

  it('extend adds a duration to the deadline', async () => {
    const { app, base } = await withWatch();
    const payload = { reason: 'little traffic', by_duration: '2h' };
    const answer = await app.inject({ method: 'POST', url: `${base}/extend`, payload });
    expect(answer.json().deadline_at).toBe('2026-03-02T14:00:00.000Z');
  });

  it('hold is set, shown and released', async () => {
    const { app, control, log } = api();
    const hold = async () => (await app.inject('/v1/hold')).json().hold;
    expect(await hold()).toBeNull();
    await app.inject({ method: 'POST', url: '/v1/hold', payload: { reason: 'maintenance' } });
    expect(await hold()).toEqual({ by: 'local', reason: 'maintenance', since_ms: T0 });
    const released = await app.inject({ method: 'DELETE', url: '/v1/hold?reason=over' });
    expect(released.json()).toEqual({ hold: null });
    expect(control.commands.at(-1)).toEqual({
      name: 'release',
      argument: { by: 'local', reason: 'over' },
    });
    expect(log.join('')).toContain('"reason":"over"');
  });
});

describe('the daemon itself', () => {
  it('is live and ready', async () => {
    const { app } = api();
    expect((await app.inject('/livez')).body).toBe('live\n');
    expect((await app.inject('/readyz')).body).toBe('ready\n');
  });

  it('is not ready while draining, and tells which check failed when asked', async () => {
    const { app, control } = api();
    control.health_ = {
      live: true,
      ready: false,
      checks: { journal: 'ok', evaluation: 'draining' },
    };
    expect((await app.inject('/livez')).statusCode).toBe(200);
    const answer = await app.inject('/readyz?verbose');
    expect(answer.statusCode).toBe(503);
    expect(answer.body).toBe('journal: ok\nevaluation: draining\nnot ready\n');
  });

  it('is not live when the check itself fails', async () => {
    const { app, control } = api();
    control.failure = new Error('no such table: watches');
    const answer = await app.inject('/livez?verbose');
    expect(answer.statusCode).toBe(503);
    expect(answer.body).not.toContain('no such table');
  });

  it('answers HEAD for probes', async () => {
    const answer = await api().app.inject({ method: 'HEAD', url: '/livez' });
    expect(answer.statusCode).toBe(200);
  });

  it('gives its metrics', async () => {
    const answer = await api().app.inject('/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4');
    expect(answer.body).toBe('up 1\n');
  });
});
