import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carriedOut, made, problemsOf } from '../../support/gate-check.ts';

const TEXT = `# TYPE core_pnl gauge
core_pnl 12.5
# TYPE risk_exposure gauge
risk_exposure{book="spot"} 0.4
risk_exposure{book="perp"} 0.6
# TYPE request_duration histogram
request_duration_bucket{le="0.1"} 9
request_duration_bucket{le="+Inf"} 10
request_duration_sum 1.5
request_duration_count 10
# TYPE announced_total counter
`;

async function exposing(
  body: string,
  options: { readonly status?: number; readonly type?: string } = {},
): Promise<string> {
  const server = createServer((request, response) => {
    const { status = 200, type = 'text/plain; version=0.0.4' } = options;
    response.writeHead(request.headers.authorization === 'no' ? 401 : status, {
      'content-type': type,
    });
    response.end(body);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

const names = ['core_pnl', 'risk_exposure', 'request_duration'];

describe('the check metrics', () => {
  it('passes when all names are there, of a histogram by its base name', async () => {
    const result = await carriedOut({ metrics: { url: await exposing(TEXT), names } });
    expect(result).toMatchObject({ outcome: 'pass', text: '3 of 3 as wanted', details: names });
    expect(String(result.exhibits[0]?.body)).toBe(TEXT);
  });

  it('fails for a name that is missing, and for one without a sample', async () => {
    const wanted = [...names, 'core_loss', 'announced'];
    const result = await carriedOut({ metrics: { url: await exposing(TEXT), names: wanted } });
    expect(result).toMatchObject({
      outcome: 'fail',
      text: 'core_loss is missing (and 1 more)',
      details: ['core_loss is missing', 'announced is announced, but has no sample'],
    });
  });

  it.each([
    [{ metric: 'core_pnl', above: 10 }, 'pass', 'core_pnl is 12.5, above 10 wanted'],
    [{ metric: 'core_pnl', above: 13 }, 'fail', 'core_pnl is 12.5, above 13 wanted'],
    [{ metric: 'risk_exposure{book="spot"}', below: '50%' }, 'pass', '40 %, below 50% wanted'],
    [{ metric: 'risk_exposure', below: '50%', aggregate: 'max' }, 'fail', '60 %, below 50%'],
    [{ metric: 'risk_exposure', equals: 1, aggregate: 'sum' }, 'pass', 'is 1, equals 1'],
    [{ metric: 'core_pnl', at_most: '2%', of: 'capital' }, 'pass', 'at most 2% of capital'],
    [{ metric: 'risk_exposure', below: '50%' }, 'unknown', 'has 2 series'],
    [{ metric: 'core_loss', below: 1 }, 'unknown', 'core_loss is missing'],
    [{ metric: 'core_pnl', below: '80%' }, 'unknown', '12.5 is no share; write the limit as 80'],
    [{ metric: 'core_pnl', below: '1%', of: 'nobody' }, 'unknown', 'give it with --param nobody='],
  ])('judges the value of %o: %s', async (figure, outcome, text) => {
    const check = { metrics: { url: await exposing(TEXT), values: [figure] } };
    const result = await carriedOut(check, { values: { capital: '1000' } });
    expect(result.outcome).toBe(outcome);
    expect(result.text).toContain(text);
  });

  it('reads OpenMetrics', async () => {
    const type = 'application/openmetrics-text; version=1.0.0';
    const url = await exposing('# TYPE a counter\na_total 1\n# EOF\n', { type });
    expect(await carriedOut({ metrics: { url, names: ['a'] } })).toMatchObject({ outcome: 'pass' });
    const cut = await exposing('# TYPE a counter\na_total 1\n', { type });
    const result = await carriedOut({ metrics: { url: cut, names: ['a'] } });
    expect(result).toMatchObject({ outcome: 'unknown' });
    expect(result.text).toContain('the text is cut');
  });
});

describe('the check metrics is unknown', () => {
  it.each([
    ['<html>sign in</html>', 200, 'no metrics: line 1'],
    ['', 200, 'no metrics at all'],
    ['down', 503, 'HTTP 503'],
  ])('for the answer %s with status %i', async (body, status, reason) => {
    const url = await exposing(body, { status });
    const result = await carriedOut({ metrics: { url, names } });
    expect(result.outcome).toBe('unknown');
    expect(result.text).toContain(reason);
  });

  it('for an endpoint that refuses, and for a secret without a value', async () => {
    const url = 'http://127.0.0.1:1/metrics';
    expect(await carriedOut({ metrics: { url, names } })).toMatchObject({
      outcome: 'unknown',
      text: '127.0.0.1:1: connection refused',
    });
    const headers = { authorization: '$METRICS_TOKEN' };
    const result = await carriedOut({ metrics: { url, names, headers } });
    expect(result.text).toContain('the secret $METRICS_TOKEN has no value');
  });
});

describe('the check metrics as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const metrics = {
      url: 'http://127.0.0.1:1/m',
      names: ['a'],
      values: [{ metric: 'b', at_least: '80%' }],
    };
    expect(made({ metrics }).wants).toBe('metrics of http://127.0.0.1:1/m: a, b at least 80%');
  });

  it.each([
    [{ url: 'http://a' }, 'names, values or both'],
    [{ url: 'http://a', names: ['a b'] }, 'metrics.names[0]: found "a b"; wanted the name of a'],
    [{ url: 'http://a', values: [{ metric: 'a' }] }, 'wanted exactly one of above, below'],
    [{ url: 'http://a', values: [{ metric: 'rate(a)', above: 1 }] }, 'found a function call'],
  ])('refuses %o', (metrics, problem) => {
    expect(problemsOf({ metrics }).join('\n')).toContain(problem);
  });
});
