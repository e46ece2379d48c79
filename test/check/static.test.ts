import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../src/check/catalogue.ts';
import { staticFindings } from '../../src/check/static.ts';
import { withWaivers } from '../../src/check/waivers.ts';
import { STATIC_FINDINGS } from '../../src/config/finding-names.ts';
import { subjectWith } from './sample.ts';
import { SPOILT } from './spoilt.ts';

describe('check without a network', () => {
  it('finds nothing in a policy that is right', () => {
    expect(staticFindings(subjectWith())).toEqual([]);
  });

  it.each(SPOILT)('$name: $title', ({ name, shows, at, says }) => {
    const found = staticFindings(subjectWith(...shows)).filter((one) => one.name === name);
    expect(
      found.map(({ condition, indicator, subject }) => condition ?? indicator ?? subject),
    ).toContain(at);
    const [first] = found;
    expect(first?.level).toBe(CATALOGUE[name].level);
    expect(found.map(({ message }) => message).join('\n')).toContain(says);
  });

  it.each(SPOILT)('$name is not found near: $title', ({ name, near }) => {
    const found = staticFindings(subjectWith(...near)).map((one) => one.name);
    expect(found).not.toContain(name);
  });

  it.each(SPOILT)('says what was found and what is wanted, once: $name, $title', ({ shows }) => {
    const found = staticFindings(subjectWith(...shows));
    const messages = found.map(({ message }) => message);
    for (const message of messages) expect(message).toMatch(/^found .+; wanted /s);
    expect(new Set(found.map((one) => JSON.stringify(one))).size).toBe(found.length);
  });

  it('has a spoilt policy for each finding', () => {
    const shown = SPOILT.map(({ name }) => name);
    const missing = STATIC_FINDINGS.filter((name) => !shown.includes(name));
    // Which is about waivers, below.
    expect(missing).toEqual(['unused-waiver']);
  });
});

describe('a waiver', () => {
  const spoilt = [
    ['mode', 'observe'],
    ['coverage', '0%'],
  ] as const;
  const found = (waive: readonly object[], sawLive = false) => {
    const subject = subjectWith(...spoilt, ['waive', waive]);
    const all = withWaivers(subject, staticFindings(subject), sawLive);
    return all.map(({ name, waived }) => [name, waived]);
  };

  it('marks its finding with the reason', () => {
    expect(found([{ finding: 'low-coverage', reason: 'a trial' }])).toEqual([
      ['low-coverage', 'a trial'],
      ['observes-only', null],
    ]);
  });

  it('of a source that cannot be asked is refused', () => {
    const waive = [{ finding: 'source-unreachable', reason: 'it is always down' }];
    expect(() => found(waive)).toThrow(/a source that cannot be asked cannot be waived/);
  });

  it('of a place holds there', () => {
    expect(found([{ finding: 'low-coverage', of: 'coverage', reason: 'a trial' }])).toContainEqual([
      'low-coverage',
      'a trial',
    ]);
  });

  it('of another place holds not here', () => {
    expect(found([{ finding: 'low-coverage', of: 'windows[0]', reason: 'a trial' }])).toEqual([
      ['low-coverage', null],
      ['observes-only', null],
      ['unused-waiver', null],
    ]);
  });

  it('that nobody needs is a note', () => {
    expect(found([{ finding: 'no-verify', of: 'rollback', reason: 'x' }])).toContainEqual([
      'unused-waiver',
      null,
    ]);
  });

  it('of what only the source can show is judged only there', () => {
    const waive = [{ finding: 'blind-now', reason: 'no orders at night' }];
    expect(found(waive).map(([name]) => name)).not.toContain('unused-waiver');
    expect(found(waive, true).map(([name]) => name)).toContain('unused-waiver');
  });

  it.each([
    ['a condition', 'verify.verify.fill_rate'],
    ['an indicator', 'fill_rate'],
  ])('may name %s', (_, of) => {
    const waive = [{ finding: 'verify-without-traffic', of, reason: 'the rollback arms again' }];
    const subject = subjectWith(
      ['on_stop.2.verify.pass.fill_rate', { above: '90%' }],
      ['waive', waive],
    );
    const all = withWaivers(subject, staticFindings(subject), false);
    expect(all.map(({ waived }) => waived)).toEqual(['the rollback arms again']);
  });
});
