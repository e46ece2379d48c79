import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/core/delivery.ts';
import { plainSlackMessage, slackMessage } from '../../src/notify/slack-message.ts';
import { aStopMessage } from './sample.ts';

const none = { mention: null };

function sectionTexts(message: Message): readonly string[] {
  const blocks = slackMessage(message, none).attachments?.[0]?.blocks ?? [];
  return blocks.flatMap((block) => ('text' in block ? [block.text.text] : []));
}

describe('slackMessage', () => {
  it('shows the headline as text and everything else beside the colour bar', () => {
    expect(slackMessage(aStopMessage(), none)).toMatchInlineSnapshot(`
      {
        "attachments": [
          {
            "blocks": [
              {
                "text": {
                  "text": "Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)
      Was 97 % before the deploy.",
                  "type": "mrkdwn",
                  "verbatim": true,
                },
                "type": "section",
              },
              {
                "text": {
                  "text": "*Next:* canaryd verifies the rollback for 10m and tells you.",
                  "type": "mrkdwn",
                  "verbatim": true,
                },
                "type": "section",
              },
              {
                "fields": [
                  {
                    "text": "*Deploy*
      2.4.0 → 2.4.1 by ci, 3m ago",
                    "type": "mrkdwn",
                    "verbatim": true,
                  },
                  {
                    "text": "*Disarm*
      accepted, HTTP 202 in 35 ms",
                    "type": "mrkdwn",
                    "verbatim": true,
                  },
                ],
                "type": "section",
              },
              {
                "text": {
                  "text": "<https://canaryd.test/w_1|watch>  ·  <https://runbooks.test/aurora|runbook>",
                  "type": "mrkdwn",
                  "verbatim": true,
                },
                "type": "section",
              },
              {
                "elements": [
                  {
                    "text": "watch w_1  ·  <!date^1795298710^{date_short_pretty} {time_secs}|2026-11-21 22:05:10 UTC>  ·  canaryd",
                    "type": "mrkdwn",
                    "verbatim": true,
                  },
                ],
                "type": "context",
              },
            ],
            "color": "#c4162a",
            "fallback": "CRITICAL aurora 2.4.1 (production): order fill rate 12 % &lt; 80 %; rolling back",
          },
        ],
        "link_names": false,
        "text": "CRITICAL aurora 2.4.1 (production): order fill rate 12 % &lt; 80 %; rolling back",
        "unfurl_links": false,
        "unfurl_media": false,
      }
    `);
  });

  it.each([
    ['critical', '#c4162a'],
    ['warning', '#e8a317'],
    ['info', '#2e9e5b'],
  ] as const)('marks %s by its colour', (severity, color) => {
    const payload = slackMessage(aStopMessage({ severity }), none);
    expect(payload.attachments?.[0]?.color).toBe(color);
  });

  it.each([
    ['here', '<!here>'],
    ['@channel', '<!channel>'],
    ['U012AB3CD', '<@U012AB3CD>'],
    ['S0123ABCD', '<!subteam^S0123ABCD>'],
    ['<!subteam^S0123ABCD>', '<!subteam^S0123ABCD>'],
    ['on-call <team>', 'on-call &lt;team&gt;'],
  ])('mentions %s as Slack wants it', (mention, written) => {
    const { text } = slackMessage(aStopMessage({ headline: 'CRITICAL x' }), { mention });
    expect(text).toBe(`${written} CRITICAL x`);
  });

  it.each(['warning', 'info'] as const)('mentions nobody in a %s message', (severity) => {
    const { text } = slackMessage(aStopMessage({ severity }), { mention: 'here' });
    expect(text).not.toContain('<');
  });

  it('keeps the lock screen line, mention included, to 150 characters', () => {
    const headline = '🚀'.repeat(300);
    const { text } = slackMessage(aStopMessage({ headline }), { mention: 'here' });
    expect([...text]).toHaveLength(150);
    expect(text).toMatch(/^<!here> 🚀+…$/u);
  });

  it('cuts between lines and links to the full text', () => {
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i} is a & b and some more text`);
    const [text = ''] = sectionTexts(aStopMessage({ lines }));
    expect(text.length).toBeLessThanOrEqual(3_000);
    const shown = text.split('\n');
    expect(shown.at(-1)).toBe('… cut; full text: <https://canaryd.test/w_1|watch>');
    expect(shown.at(-2)).toMatch(/^line \d+ is a &amp; b and some more text$/);
  });

  it('cuts a single endless line by character, never inside an entity', () => {
    const [text = ''] = sectionTexts(aStopMessage({ lines: ['<'.repeat(9_000)], links: [] }));
    expect(text).toMatch(/^(?:&lt;)+…\n… cut$/);
    expect(text.length).toBeLessThanOrEqual(3_000);
  });

  it('leaves out links that a browser does not open', () => {
    const links = [
      { label: 'run', url: 'javascript:alert(1)' },
      { label: 'none', url: 'no url' },
      { label: 'a|b>', url: 'https://ops.test/x?a=1|2&b=<3>' },
    ];
    const texts = sectionTexts(aStopMessage({ links }));
    expect(texts.at(-1)).toBe('<https://ops.test/x?a=1%7C2&amp;b=%3C3%3E|a/b&gt;>');
  });

  it('shows the headline only when there is nothing else', () => {
    const bare = aStopMessage({ lines: [], fields: [], next: null, links: [], watchId: '' });
    const blocks = slackMessage({ ...bare, atMs: Number.NaN }, none).attachments?.[0]?.blocks;
    expect(blocks).toEqual([
      { type: 'context', elements: [{ type: 'mrkdwn', text: 'canaryd', verbatim: true }] },
    ]);
  });
});

describe('plainSlackMessage', () => {
  it('says the same in plain text', () => {
    expect(plainSlackMessage(aStopMessage(), { mention: 'here' })).toMatchInlineSnapshot(`
      {
        "link_names": false,
        "text": "<!here> CRITICAL aurora 2.4.1 (production): order fill rate 12 % &lt; 80 %; rolling back
      Order fill rate 12 % of 1,204 in 1m, must not be below 80 % (3 samples since 22:04:50)
      Was 97 % before the deploy.
      Deploy: 2.4.0 → 2.4.1 by ci, 3m ago
      Disarm: accepted, HTTP 202 in 35 ms
      *Next:* canaryd verifies the rollback for 10m and tells you.
      <https://canaryd.test/w_1|watch>
      <https://runbooks.test/aurora|runbook>
      watch w_1  ·  <!date^1795298710^{date_short_pretty} {time_secs}|2026-11-21 22:05:10 UTC>  ·  canaryd",
        "unfurl_links": false,
        "unfurl_media": false,
      }
    `);
  });

  it('stays within a few thousand characters', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom('a', '&', '🚀'), (n, c) => {
        const text = c.repeat(n);
        const message = aStopMessage({
          headline: text,
          lines: [text, text],
          next: text,
          fields: Array.from({ length: 20 }, () => [text, text] as const),
        });
        const payload = plainSlackMessage(message, { mention: 'here' });
        expect(payload.text.length).toBeLessThanOrEqual(5_010);
      }),
      { numRuns: 30 },
    );
  });
});
