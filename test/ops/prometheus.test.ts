import { describe, expect, it } from 'vitest';
import { filesLike, hasPromtool, promtool, read, rules } from './files.ts';

const alerts = rules().filter(({ alert }) => alert !== undefined);

/** The anchor that a Markdown page gives a heading. */
function anchors(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replace(/ /g, '-'),
  );
}

describe('alerts', () => {
  it.each(alerts)('$alert says how bad it is, what it is, and where to read what to do', (rule) => {
    expect(['critical', 'warning']).toContain(rule.labels?.['severity']);
    expect(rule.annotations?.['summary']).toMatch(/\S/);
    expect(rule.annotations?.['description']).toMatch(/\.$/);
    const [page, anchor] = rule.annotations?.['runbook_url']?.split('#') ?? [];
    expect(page).toBe('docs/runbook.md');
    expect(anchors(read('docs/runbook.md'))).toContain(anchor);
    expect(anchor).toBe(rule.alert?.toLowerCase());
  });

  it('and sections of the runbook are the same', () => {
    const names = alerts.map(({ alert }) => alert?.toLowerCase());
    expect(anchors(read('docs/runbook.md')).toSorted()).toEqual(names.toSorted());
  });

  it('each have a unit test', () => {
    const tests = filesLike('prometheus/tests/*.yml').map(read).join('\n');
    const untested = alerts.filter(({ alert = '' }) => !tests.includes(alert));
    expect(untested).toEqual([]);
  });
});

describe('the runbook', () => {
  it('names only panels and dashboards that exist', () => {
    const names = [...read('docs/runbook.md').matchAll(/(?<!\w)_([A-Z][^_]+)_(?!\w)/g)];
    const shown = filesLike('grafana/dashboards/*.json').map(read).join('\n');
    expect(names.length).toBeGreaterThan(3);
    expect(names.map(([, name = '']) => name).filter((name) => !shown.includes(name))).toEqual([]);
  });
});

describe.skipIf(!hasPromtool)('promtool (needs Debian package prometheus)', () => {
  it('accepts the configuration and its rule files', () => {
    const { status, output } = promtool('check', 'config', 'prometheus/prometheus.yml');
    expect({ status, output }).toMatchObject({ status: 0 });
    expect(output).toContain('1 rule files found');
  });

  it('finds nothing to complain about in the rules', () => {
    const files = filesLike('prometheus/rules/*.yml');
    const result = promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files);
    expect(result).toMatchObject({ status: 0 });
  });

  it('passes the unit tests of the alerts', () => {
    const result = promtool('test', 'rules', ...filesLike('prometheus/tests/*.yml'));
    expect(result).toMatchObject({ status: 0 });
  });
});
