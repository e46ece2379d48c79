import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { CanarydError } from '../../src/kit/errors.ts';
import { changed } from './sample-policy.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'canaryd-config-routing-'));
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies/shop.yaml'), JSON.stringify(changed()));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const hook = { webhook: { url: 'http://127.0.0.1:9/hook' } };

function load(routing: unknown, told: object = { channels: { chat: hook, phone: hook } }) {
  const path = join(dir, 'canaryd.yaml');
  const config = {
    journal: { sqlite: { path: 'canaryd.db' } },
    policies: ['policies/*.yaml'],
    sources: { prometheus: { prometheus: { url: 'http://127.0.0.1:9090' } } },
    ...told,
    routing,
  };
  writeFileSync(path, JSON.stringify(config));
  return loadConfig(path, { env: { TOKEN: 'a-token-of-grafana' } }).config.routing;
}

function refused(routing: unknown, told?: object): readonly string[] {
  try {
    load(routing, told);
  } catch (error) {
    expect(error).toBeInstanceOf(CanarydError);
    return (error as CanarydError).problems.map(
      ({ path, message }) => `${path.split(': ')[1]}: ${message}`,
    );
  }
  return [];
}

const night = { from: '22:00', until: '06:30', zone: 'Europe/Berlin' };

const grafana = { grafana: { url: 'http://127.0.0.1:9', token: '$TOKEN' } };

describe('a channel that nobody reads', () => {
  const told = { channels: { chat: hook, marks: grafana } };

  test.each([
    [
      'a route of everything',
      { routes: [{ channels: ['marks'] }] },
      'routing.routes[0].channels: found marks; wanted a channel that people read as well',
    ],
    [
      'a route of stops',
      { routes: [{ kind: ['watch.started', 'watch.stopped'], channels: ['marks'] }] },
      'routing.routes[0].channels: found marks',
    ],
    [
      'a route of what is critical here',
      {
        routes: [{ kind: ['watch.inconclusive'], channels: ['marks'] }],
        severity: { 'watch.inconclusive': 'critical' },
      },
      'routing.routes[0].channels: found marks',
    ],
    [
      'a call',
      { escalation: { steps: [{ after: '5m', channels: ['marks'] }] } },
      'routing.escalation.steps[0].channels: found marks; wanted a channel that people read',
    ],
  ])('is no place for %s', (_name, routing, wanted) => {
    expect(refused(routing, told)).toEqual([expect.stringContaining(wanted)]);
  });

  test('may be all there is for what is not critical', () => {
    const routes = [
      { kind: ['watch.started', 'watch.passed'], channels: ['marks'] },
      { severity: ['critical'], channels: ['chat'] },
      { channels: ['marks'] },
    ];
    expect(load({ routes }, told).routes).toHaveLength(3);
  });

  test('can not be the only one', () => {
    const wanted = 'channels: found only marks; wanted one more that people read';
    expect(refused(undefined, { channels: { marks: grafana } })).toEqual([
      expect.stringContaining(wanted),
    ]);
  });
});

describe('the routing', () => {
  test('is none by default: every channel is told everything at once', () => {
    expect(load(undefined)).toEqual({ routes: [], quietHours: null, escalation: null });
  });

  test('is completed with defaults', () => {
    const routing = load({
      routes: [{ severity: ['critical'], channels: ['phone', 'phone'] }],
      quiet_hours: night,
      escalation: { steps: [{ after: '5m', channels: ['phone'] }] },
    });
    expect(routing).toEqual({
      routes: [
        {
          severities: ['critical'],
          kinds: null,
          services: null,
          environments: null,
          channels: ['phone'],
          quietHours: 'hold',
        },
      ],
      quietHours: { fromMinute: 1_320, untilMinute: 390, zone: 'Europe/Berlin' },
      escalation: {
        steps: [{ afterMs: 300_000, channels: ['phone'] }],
        rounds: 1,
        acknowledgedForMs: 1_800_000,
      },
    });
  });

  test('may make kinds louder or less loud', () => {
    const severity = { 'condition.warned': 'info', 'watch.inconclusive': 'critical' };
    expect(load({ severity }).severities).toEqual(severity);
  });

  test('may name the log when there is no channel', () => {
    expect(load({ routes: [{ channels: ['log'] }] }, {}).routes).toHaveLength(1);
  });

  test.each<readonly [object, string]>([
    [
      { routes: [{ channels: ['phne'] }] },
      'routing.routes[0].channels[0]: found "phne"; wanted one of the channels: chat, phone; perhaps "phone"',
    ],
    [
      { routes: [{ kind: ['watch.passd'], channels: ['chat'] }] },
      'routing.routes[0].kind[0]: found "watch.passd"; wanted a kind of message:',
    ],
    [{ routes: [{ channels: [] }] }, 'at least one of the names of channels'],
    [{ quiet_hours: { ...night, until: '22:00' } }, 'routing.quiet_hours.until: found "22:00"'],
    [
      { quiet_hours: { ...night, except: ['mail'] } },
      'routing.quiet_hours.except[0]: found "mail"',
    ],
    [{ quiet_hours: { ...night, from: '24:00' } }, 'routing.quiet_hours.from: found "24:00"'],
    [{ quiet_hours: { ...night, zone: 'Berlin' } }, 'routing.quiet_hours.zone: found "Berlin"'],
    ...['+02:00', 'GMT+2', 'Etc/GMT+2', 'EST', 'CET'].map(
      (zone) =>
        [
          { quiet_hours: { ...night, zone } },
          `routing.quiet_hours.zone: found "${zone}"; wanted an IANA name with rules`,
        ] as const,
    ),
    [
      { routes: [{ channels: ['chat'] }, { severity: ['critical'], channels: ['phone'] }] },
      'routing.routes[1]: found a route that nothing reaches; wanted one that something reaches: routes[0] takes all that it fits',
    ],
    [
      {
        routes: [
          { severity: ['critical', 'warning'], environment: ['a', 'b'], channels: ['chat'] },
          { severity: ['warning'], environment: ['b'], service: ['shop'], channels: ['phone'] },
        ],
      },
      'routing.routes[1]: found a route that nothing reaches',
    ],
    [
      { routes: [{ service: ['shp'], channels: ['chat'] }] },
      'routing.routes[0].service[0]: found "shp"; wanted a service of a policy (shop); did you mean shop?',
    ],
    [
      { severity: { 'condition.warnd': 'info' } },
      'routing.severity["condition.warnd"]: found the kind "condition.warnd"; wanted a kind of message',
    ],
    ...['watch.stopped', 'action.gave_up', 'rollback.not_confirmed'].map(
      (kind) =>
        [
          { severity: { [kind]: 'info' } },
          'found "info"; wanted critical, always: remove this line',
        ] as const,
    ),
    [
      { escalation: { steps: [{ after: '5m', channels: ['mail'] }] } },
      'routing.escalation.steps[0].channels[0]: found "mail"; wanted one of the channels',
    ],
    [
      {
        escalation: {
          steps: [
            { after: '15m', channels: ['chat'] },
            { after: '15m', channels: ['phone'] },
          ],
        },
      },
      'routing.escalation.steps[1].after: found "15m"; wanted more than the step before it',
    ],
    [
      { escalation: { steps: [{ after: '5m', channels: ['chat'] }], rounds: 6 } },
      'routing.escalation.rounds: found 6; wanted a whole number from 1 to 5',
    ],
  ])('is refused: %j', (routing, wanted) => {
    expect(refused(routing)).toEqual([expect.stringContaining(wanted)]);
  });
});
