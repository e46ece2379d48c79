import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeDashboards, startFakeDashboards } from '../../support/fake-dashboards.ts';
import { type CheckSetup, carriedOut, made, problemsOf } from '../../support/gate-check.ts';

const prometheus = { type: 'prometheus', uid: 'prom' };
const panel = (title: string, expr: string, more: object = {}) => ({
  ...{ id: 1, type: 'timeseries', title, datasource: prometheus },
  ...{ targets: [{ refId: 'A', expr }], ...more },
});

let grafana: FakeDashboards;
beforeAll(async () => {
  grafana = await startFakeDashboards();
});
afterAll(() => grafana?.close());
beforeEach(() => {
  grafana.reset();
  grafana.values.clear();
  grafana.values.set('up', [1, 1]);
  grafana.setDashboard({ panels: [panel('Up', 'up'), panel('Also up', 'up')] });
});

const check = (more: object = {}, setup: CheckSetup = {}) =>
  carriedOut(
    {
      grafana: {
        url: grafana.url,
        ...{ token: '$GRAFANA_TOKEN', dashboard: grafana.uid },
        ...more,
      },
    },
    { env: { GRAFANA_TOKEN: grafana.token }, ...setup },
  );

const queries = () =>
  grafana.requests
    .filter(({ path }) => path === '/api/ds/query')
    .flatMap(({ body }) => (body as { queries: Record<string, unknown>[] }).queries);

describe('the check grafana', () => {
  it('passes when the dashboard has enough panels, and all have data', async () => {
    const result = await check({ panels: 2 });
    expect(result).toMatchObject({
      outcome: 'pass',
      details: ['2 panels, at least 2 wanted', 'panel "Up" has data', 'panel "Also up" has data'],
      tools: { grafana: '11.3.0' },
    });
    expect(queries()[0]).toMatchObject({ refId: 'A', expr: 'up', range: true, maxDataPoints: 100 });
    expect(String(result.exhibits[0]?.body)).toContain('"title": "Also up"');
  });

  it('fails when there is no such dashboard', async () => {
    const result = await check({ dashboard: 'nobody' });
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toContain('there is no dashboard nobody');
  });

  it('fails for too few panels; those in rows count, rows do not', async () => {
    const folded = { type: 'row', collapsed: true, panels: [panel('In a row', 'up')] };
    grafana.setDashboard({ panels: [panel('Up', 'up'), { type: 'row', title: 'R' }, folded] });
    expect(await check({ panels: 2 })).toMatchObject({ outcome: 'pass' });
    expect(await check({ panels: 3 })).toMatchObject({
      outcome: 'fail',
      text: '2 panels, at least 3 wanted',
    });
  });

  it.each([
    ['nothing', []],
    ['only gaps', [null, null]],
  ])('fails for a panel with %s', async (_, figures) => {
    grafana.values.set('errors', figures);
    grafana.setDashboard({ panels: [panel('Up', 'up'), panel('Errors', 'errors')] });
    expect(await check()).toMatchObject({
      outcome: 'fail',
      text: 'panel "Errors" has no data in the last 1h',
    });
    expect(await check({ except: ['Errors'] })).toMatchObject({ outcome: 'pass' });
    expect(await check({ with_data: false })).toMatchObject({ outcome: 'pass' });
  });

  it('fails for a panel whose query is refused', async () => {
    grafana.setDashboard({ panels: [panel('Broken', 'sum((up)')] });
    const result = await check();
    expect(result).toMatchObject({ outcome: 'fail' });
    expect(result.text).toContain('panel "Broken" fails: bad_data: 1:9: parse error');
  });

  it('fills in the variables of the dashboard, or given ones, and leaves those of Grafana', async () => {
    grafana.values.set('up{pod=~"(a|b)",env="prod"}[$__rate_interval]', [1]);
    grafana.setDashboard({
      templating: {
        list: [
          { name: 'pod', type: 'query', current: { value: ['a', 'b'] } },
          { name: 'env', type: 'custom', current: { value: 'dev' } },
          { name: 'ds', type: 'datasource', current: { value: 'prom' } },
        ],
      },
      panels: [
        panel('Up', 'up{pod=~"$pod",env="${env}"}[$__rate_interval]', {
          datasource: { type: 'prometheus', uid: '${ds}' },
        }),
      ],
    });
    expect(await check()).toMatchObject({ outcome: 'fail' });
    expect(await check({ variables: { env: 'prod' } })).toMatchObject({ outcome: 'pass' });
    expect(queries()[1]).toMatchObject({ datasource: { uid: 'prom' } });
  });

  it('finds the data source by its name, the default one, and one for each query', async () => {
    const mixed = { targets: [{ refId: 'A', expr: 'up', datasource: { uid: 'logs' } }] };
    grafana.setDashboard({
      panels: [
        panel('Named', 'up', { datasource: 'Loki' }),
        panel('Default', 'up', { datasource: null }),
        panel('Mixed', 'up', { datasource: { uid: '-- Mixed --' }, ...mixed }),
      ],
    });
    expect(await check()).toMatchObject({ outcome: 'pass' });
    const uids = queries().map(({ datasource }) => (datasource as { uid: string }).uid);
    expect(uids.toSorted()).toEqual(['logs', 'logs', 'prom']);
    expect(grafana.requests.filter(({ path }) => path === '/api/datasources')).toHaveLength(1);
  });

  it('reads a panel of the library, and asks nothing for texts', async () => {
    grafana.setLibrary('lib1', panel('Shared', 'up'));
    grafana.setDashboard({
      panels: [
        { title: 'Shared', type: 'library-panel', libraryPanel: { uid: 'lib1' } },
        { title: 'Words', type: 'text' },
        panel('Other', 'x', { datasource: { uid: '-- Dashboard --' } }),
      ],
    });
    expect((await check()).details).toEqual([
      '1 panel',
      'panel "Shared" has data',
      'panel "Words" asks nothing',
      'panel "Other" asks nothing',
    ]);
  });

  it('does not take the data of a hidden query for what the panel shows', async () => {
    const targets = [
      { refId: 'A', expr: 'up', hide: true },
      { refId: 'B', expr: 'nothing' },
    ];
    grafana.setDashboard({ panels: [panel('Shown', '', { targets })] });
    expect(await check()).toMatchObject({ outcome: 'fail' });
  });
});

describe('the check grafana is unknown', () => {
  it.each([
    [403, { message: 'Access denied' }, 'HTTP 403: the token may not see this (Access denied)'],
    [404, { message: 'page not found' }, 'or the url is not right'],
    [500, { message: 'boom' }, 'HTTP 500 (boom)'],
    [302, 'to the login', 'HTTP 302: redirects are not followed'],
    [200, '<html>', 'a body that is no JSON'],
    [200, {}, 'no shape of the dashboard API'],
    [200, { dashboard: { elements: {} } }, 'its schema is not known'],
  ])('for the answer HTTP %i %o', async (status, body, reason) => {
    grafana.respondOnce(status, body);
    const result = await check();
    expect([result.outcome, result.text]).toEqual(['unknown', expect.stringContaining(reason)]);
  });

  it('for a token that is refused, which it does not show, or not there', async () => {
    const wrong = ['glsa', 'wrongwrong', 'ffff'].join('_');
    const result = await check({}, { env: { GRAFANA_TOKEN: wrong } });
    expect(result.text).toContain('HTTP 401: the token was refused (Invalid API key)');
    expect(JSON.stringify(result)).not.toContain(wrong);
    expect((await check({}, { env: {} })).text).toContain('$GRAFANA_TOKEN has no value');
    expect((await check({ token: undefined })).text).toContain('HTTP 401: give a token');
  });

  it('for a data source that is not there', async () => {
    grafana.setDashboard({
      panels: [
        panel('Gone', 'up', { datasource: { uid: 'gone' } }),
        panel('Unnamed', 'up', { datasource: 'Nobody' }),
      ],
    });
    expect(await check()).toMatchObject({
      outcome: 'unknown',
      details: [
        'panel "Gone" gives HTTP 404 without results',
        'panel "Unnamed" needs the data source Nobody, which is not there',
      ],
    });
  });

  it('when Grafana is silent, cuts the connection or is not reachable', async () => {
    grafana.hang();
    const silent = await check({ timeout: '150ms' });
    expect(silent).toMatchObject({ outcome: 'unknown' });
    expect(silent.text).toMatch(/no answer within \d+ ms/);
    grafana.down();
    expect(await check()).toMatchObject({ outcome: 'unknown' });
    const nobody = await check({ url: 'http://127.0.0.1:1' });
    expect(nobody.text).toContain('127.0.0.1:1: connection refused');
  });
});

describe('the check grafana as it is written', () => {
  it('says in a sentence what is wanted', () => {
    const written = { url: 'http://127.0.0.1:3001', dashboard: 'risk', panels: 10 };
    expect(made({ grafana: written }).wants).toBe(
      'dashboard risk of 127.0.0.1:3001: at least 10 panels, every panel with data',
    );
  });

  it.each([
    [{ url: 'http://a' }, 'grafana.dashboard: found nothing; wanted the uid of a dashboard'],
    [{ url: 'http://a', dashboard: '../x' }, 'wanted the uid of a dashboard'],
    [{ url: 'http://a', dashboard: 'x', token: 'abc' }, 'wanted the name of a secret as $NAME'],
    [{ url: 'http://a', dashboard: 'x', panels: 0 }, 'wanted a whole number from 1 to 500'],
  ])('refuses %o', (grafanaCheck, problem) => {
    expect(problemsOf({ grafana: grafanaCheck }).join('\n')).toContain(problem);
  });
});
