// Approvals as people write them into documents, and what looks like one and is none.
import { describe, expect, it } from 'vitest';
import { approvalOf } from '../../../src/gate/report/document.ts';

const under = (line: string) => `## Sign-off\n\n${line}\n`;
const stateOf = (text: string, name?: string) => approvalOf(text, 'CTO', name);

describe('a document approves', () => {
  it.each([
    '- [x] CTO',
    '- [x] CTO (Ada)',
    '- [x] CTO, Ada King, 2026-11-20',
    '- [x] Approval of the CTO',
    '- [x] Approved by the CTO',
    '- [x] Reminded the CTO\n\nCTO: approved, Ada King',
    '- [x] Approval requested from CTO\n\nCTO: approved, Ada King',
    'Approval needed by: CTO, DevOps Lead\n\nCTO: approved, Ada King',
    'Approved by: DevOps Lead and CTO',
    'Approval by the CTO on 2026-11-20',
    'CTO (Ada King): approved',
    'CTO: ~~rejected~~ approved, Ada King',
    '<!-- CTO: rejected -->\nCTO: approved',
    'CTO: approved, @ada-king',
    'CTO: approved 2026-11-20 (CHG0031234)',
    'CTO: approved by Ada King, no objections',
    'CTO: approved, no blockers',
    'CTO: approved without any open issues',
    'CTO: Will Smith, approved',
    'CTO: No Jae-won, approved',
    'CTO: Hold Meyer, approved',
    'CTO: Tom Leave, approved',
    'CTO: Ada Askew, approved',
    under('| CTO | Ada King | 11/20/2026 |'),
    under('| CTO | Ada King | 20/11/2026 |'),
    under('| CTO | Ada King | [x] | 2026-11-20 |'),
    under('CTO: Ada King / 2026/11/20'),
    under('CTO: Ada King (ada@example.com), 2026-11-20'),
    under('CTO: No Jae-won, 2026-11-20'),
    under('CTO: Ada King, ok'),
  ])('%j', (text) => {
    expect(stateOf(text)).toBe('approved');
  });

  it.each([
    ['O\u2019Neill', "O'Neill"],
    ['Mu\u0308ller', 'M\u00fcller'],
    ['ada-king', 'Ada King'],
  ])('by the name, however it is written: %j is %j', (written, name) => {
    expect(stateOf(`CTO: approved, ${written}`, name)).toBe('approved');
    expect(stateOf(`CTO: approved, ${written}son`, name)).toBe('other_name');
  });

  it('by a name that reads like a refusal, if it is asked for', () => {
    expect(stateOf('CTO: approved, No Min', 'No Min')).toBe('approved');
    expect(stateOf('CTO: approved, No Min')).toBe('open');
  });
});

describe('a document does not approve', () => {
  it.each([
    '- [x] Reminded the CTO',
    '- [x] Reminded the CTO: Ada King',
    '- [x] CTO reminded',
    '- [x] CTO was told of it',
    '- [x] Approval requested from CTO',
    'approval process of the CTO has begun',
    'Plan approved by Grace, sent to the CTO',
    'Approval needed by: CTO, DevOps Lead',
    "CTO: hasn't approved yet",
    'CTO: approval process started',
    'CTO: approved if tests pass',
    'CTO: approved?',
    '~~CTO: approved~~',
    '<del>CTO: approved</del>',
    '<!-- CTO: approved -->',
    '<!--\nCTO: approved\n',
  ])('%j', (text) => {
    expect(stateOf(text)).not.toBe('approved');
  });

  it.each([
    ...["hasn't approved yet", 'hasn\u2019t approved', "didn't sign", "can't approve"],
    ...['cannot approve', 'in progress', 'in review', 'TBC', 'failed', 'stop', 'draft'],
    ...['changes wanted', 'X', '\u274c Ada King', '\u2610 Ada King', 'approved if tests pass'],
    ...['nein', 'No', 'NO', 'On Hold', 'Ada King, on leave', 'No Approval', 'No Sign-off'],
    ...['approved once it works', 'approval requested', 'asked Ada', '\ud83d\udc4e', 'will sign'],
    ...['reminded', 'due', 'to sign', 'disagreed', 'Still Open'],
  ])('under a heading, with a date or without: %j', (said) => {
    expect(stateOf(under(`CTO: ${said}`))).toBe('open');
    expect(stateOf(under(`CTO: ${said}, 2026-11-20`))).toBe('open');
    expect(stateOf(under(`| CTO | Ada King | ${said} | 2026-11-20 |`))).toBe('open');
  });

  it.each([
    'CTO: Ada King',
    '| CTO | Ada King |',
    'CTO: Ada King, CHG0031234',
    'CTO: no objections',
  ])('a name alone, without a date or a word that agrees: %j', (line) => {
    expect(stateOf(under(line))).toBe('open');
  });

  it.each([
    ["CTO: hasn't approved yet", 'CTO: approved'],
    ['| CTO | Ada King | failed |', 'CTO: approved'],
  ])('when one line refuses and another approves: %j', (...lines) => {
    expect(stateOf(lines.join('\n\n'))).toBe('open');
  });

  it('of hostile length, and in no time', () => {
    for (const part of ['<!--', '~~', '<del>', 'CTO A', '[x] CTO ', 'approved by ', 'No ']) {
      expect(stateOf(`${part.repeat(100_000)}\n${`${part}\n`.repeat(10_000)}`)).not.toBe(
        'other_name',
      );
    }
  });
});
