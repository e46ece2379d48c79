import { describe, expect, it } from 'vitest';
import { recordJson } from '../../src/core/gate-record-json.ts';
import { SCOPES, tokenMatcher } from '../../src/http/auth.ts';
import { gateRecordBody as bodySchema, recordOf } from '../../src/http/gate-bodies.ts';
import { SCHEMAS } from '../../src/http/schemas.ts';
import { T0 } from '../support/build.ts';
import { aGateRecord, EVIDENCE_HASH, gateDesk, gateRecordBody } from '../support/gate-desk.ts';
import { api } from '../support/http-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type Options = Omit<NonNullable<Parameters<typeof api>[0]>, 'gates'>;

function desk(options: Options = {}) {
  const { app } = api({
    ...options,
    gates: gateDesk({ clock: new VirtualClock(T0), publicUrl: 'https://canaryd.example' }).desk,
  });
  const send = async (url: string, body: unknown, headers: Record<string, string> = {}) => {
    const head = { 'content-type': 'application/json', host: 'localhost', ...headers };
    const payload = JSON.stringify(body);
    const answer = await app.inject({ method: 'POST', url, payload, headers: head });
    return { status: answer.statusCode, json: answer.json(), headers: answer.headers };
  };
  const get = async (url: string) => {
    const answer = await app.inject({ url, headers: { host: 'localhost' } });
    return { status: answer.statusCode, json: answer.json() };
  };
  return {
    app,
    get,
    sign: (body: unknown, headers = {}) => send('/v1/sign-offs', body, headers),
    report: (body: unknown, headers = {}) => send('/v1/gate-records', body, headers),
  };
}

const SIGNATURE = {
  ...{ gate: 'release', criterion: 'review_done', role: 'engineering_lead', name: 'Ada' },
  ...{ service: 'aurora', environment: 'testnet', version: '2.1.0' },
};

describe('a record', () => {
  it('comes back from its JSON as it was, whatever it holds', () => {
    const record = aGateRecord();
    const body = JSON.parse(JSON.stringify(gateRecordBody()));
    expect(recordOf(bodySchema.parse(body))).toEqual({ ...record, evidenceHash: EVIDENCE_HASH });
  });
});
