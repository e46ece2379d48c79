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
  return loadConfig(path, { env: {} }).config.routing;
}

function refused(routing: unknown): readonly string[] {
  try {
    load(routing);
  } catch (error) {
    expect(error).toBeInstanceOf(CanarydError);
    return (error as CanarydError).problems.map(
      ({ path, message }) => `${path.split(': ')[1]}: ${message}`,
    );
  }
  return [];
}

const night = { from: '22:00', until: '06:30', zone: 'Europe/Berlin' };

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

  test('may name the log when there is no channel', () => {
    expect(load({ routes: [{ channels: ['log'] }] }, {}).routes).toHaveLength(1);
  });

  test.each([
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
