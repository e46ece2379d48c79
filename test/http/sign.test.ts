// Signatures over the API, and starts that a gate holds up.
import { describe, expect, it } from 'vitest';
import { tokenMatcher } from '../../src/http/auth.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { api } from '../support/http-server.ts';

const NEED = { role: 'qa_lead', statement: 'Audit trail validated' };
const token = (name: string, scopes: readonly ('read' | 'start' | 'act')[]) => {
  return { name, scopes, matches: tokenMatcher(`${name}-secret`) };
};
const TOKENS = [token('oncall', ['read', 'act']), token('ci', ['read', 'start'])];

async function signing(options: Parameters<typeof api>[0] = {}) {
  const server = api(options);
  server.control.signOffs = [NEED];
  const command = { service: 'aurora', version: '2.1.0', parameters: {} };
  const { watch } = await server.control.start(command);
  server.control.commands.length = 0;
  const sign = (payload: object, authorization?: string) =>
    server.app.inject({
      method: 'POST',
      url: `/v1/watches/${watch.id}/sign`,
      payload,
      headers: authorization === undefined ? {} : { authorization: `Bearer ${authorization}` },
    });
  return { ...server, sign };
}

describe('POST /v1/watches/{id}/sign', () => {
  it('signs, and shows who has signed what', async () => {
    const { sign, control } = await signing();
    const answer = await sign({ role: 'qa_lead', name: 'Ada', note: 'all events' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().sign_offs).toEqual([
      {
        ...NEED,
        due_at: '2026-03-01T12:15:00.000Z',
        signed: {
          ...{ name: 'Ada', by: 'Ada', note: 'all events' },
          at: expect.stringMatching(/^2026-03-01T12:/),
        },
      },
    ]);
    const argument = { role: 'qa_lead', name: 'Ada', by: 'Ada', note: 'all events' };
    expect(control.commands).toEqual([{ name: 'sign', argument }]);
  });

  it('records the token that vouches for it, whoever signs', async () => {
    const { sign, control } = await signing({ tokens: TOKENS });
    await sign({ role: 'qa_lead', name: 'Ada' }, 'oncall-secret');
    await sign({ role: 'qa_lead', name: 'Ada', by: 'bob' }, 'oncall-secret');
    expect(control.commands.map(({ argument }) => argument)).toEqual([
      { role: 'qa_lead', name: 'Ada', by: 'oncall', note: null },
      { role: 'qa_lead', name: 'Ada', by: 'bob (oncall)', note: null },
    ]);
  });

  it('keeps what can be seen of a name and a note', async () => {
    const { sign, control } = await signing();
    await sign({ role: 'qa_lead', name: ' Ada\u202e  Lovelace', note: '  ' });
    const argument = { role: 'qa_lead', name: 'Ada Lovelace', by: 'Ada Lovelace', note: null };
    expect(control.commands).toEqual([{ name: 'sign', argument }]);
  });

  it('needs a token that may act', async () => {
    const { sign, control } = await signing({ tokens: TOKENS });
    expect((await sign({ role: 'qa_lead', name: 'Ada' }, 'ci-secret')).statusCode).toBe(403);
    expect((await sign({ role: 'qa_lead', name: 'Ada' })).statusCode).toBe(401);
    expect(control.commands).toEqual([]);
  });

  it.each([
    [{ name: 'Ada' }, 'role'],
    [{ role: 'qa_lead' }, 'name'],
    [{ role: 'qa_lead', name: '' }, 'name'],
    [{ role: 'qa_lead', name: '   ' }, 'name'],
    [{ role: 'qa_lead', name: '\u200b\u202e' }, 'name'],
    [{ role: 'qa_lead', name: '\u3164' }, 'name'],
    [{ role: 'qa_lead', name: 'Ada\nBob' }, 'name'],
    [{ role: 'qa_lead', name: 'Ada', note: 'x'.repeat(501) }, 'note'],
    [{ role: 'qa_lead', name: 'Ada', reason: 'x' }, 'reason'],
  ])('refuses %j: %s', async (payload, field) => {
    const { sign, control } = await signing();
    const answer = await sign(payload);
    expect(answer.statusCode).toBe(400);
    expect(JSON.stringify(answer.json().errors)).toContain(field);
    expect(control.commands).toEqual([]);
  });

  it('passes on why a signature is not taken', async () => {
    const { sign, control } = await signing();
    const problems = [{ path: 'role', message: 'found cto; wanted one of qa_lead' }];
    control.failure = new CanarydError('usage', 'Cannot sign', { problems });
    const answer = await sign({ role: 'cto', name: 'Ada' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ type: 'urn:canaryd:problem:usage', errors: problems });
  });
});

describe('a start that a gate holds up', () => {
  it('is 409 gate_missing, with what was found and what to do', async () => {
    const { app, control } = api();
    const problems = [{ path: 'requires', message: 'found NO-GO; carry it out' }];
    control.failure = new CanarydError('gate_missing', 'Cannot watch aurora', { problems });
    const payload = { service: 'aurora', version: '2.1.0' };
    const answer = await app.inject({ method: 'POST', url: '/v1/watches', payload });
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({
      type: 'urn:canaryd:problem:gate_missing',
      detail: 'Cannot watch aurora',
      errors: problems,
    });
  });
});
