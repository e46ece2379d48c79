// `canaryd sign`, and what a person reads of signatures and of a gate that holds up a start.
import { describe, expect, it } from 'vitest';
import { CanarydError } from '../../src/kit/errors.ts';
import { cli } from '../support/cli.ts';
import { api, listening } from '../support/http-server.ts';

async function withWatch() {
  const server = api();
  const { control } = server;
  control.signOffs = [
    { role: 'engineering_lead', statement: 'System stable' },
    { role: 'qa_lead', statement: 'Audit trail validated' },
  ];
  const base = await listening(server);
  const { watch } = await control.start({ service: 'aurora', version: '1.4.0', parameters: {} });
  control.commands.length = 0;
  return { control, base, id: watch.id };
}

describe('canaryd sign', () => {
  it('passes on role, name, note and who gives it, and says who is still missing', async () => {
    const { control, base, id } = await withWatch();
    const run = cli({ server: base, env: { USER: 'eve' } });
    const argv = ['sign', id, '--role', 'qa_lead', '--name', 'Ada', '--note', 'all events'];
    expect(await run.run(...argv)).toBe(0);
    expect(run.out()).toBe(
      'signed: qa_lead of aurora 1.4.0 by Ada; still missing: engineering_lead\n',
    );
    const argument = { role: 'qa_lead', name: 'Ada', by: 'eve', note: 'all events' };
    expect(control.commands).toEqual([{ name: 'sign', argument }]);
    const last = cli({ server: base });
    expect(await last.run('sign', id, '--role', 'engineering_lead', '--name', 'Bob')).toBe(0);
    expect(last.out()).toContain('all have signed');
  });

  it('prints the watch as JSON', async () => {
    const { base, id } = await withWatch();
    const run = cli({ server: base });
    await run.run('sign', id, '--role', 'qa_lead', '--name', 'Ada', '--json');
    expect(run.json().sign_offs[1]).toMatchObject({ role: 'qa_lead', signed: { name: 'Ada' } });
  });

  it.each([
    ['--role', ['--name', 'Ada']],
    ['--name', ['--role', 'qa_lead']],
  ])('needs %s', async (option, argv) => {
    const { control, base, id } = await withWatch();
    const run = cli({ server: base });
    expect(await run.run('sign', id, ...argv)).toBe(2);
    expect(run.err()).toContain(option);
    expect(control.commands).toEqual([]);
  });

  it('shows why it was refused, and ends with 2', async () => {
    const { control, base, id } = await withWatch();
    const problems = [{ path: 'role', message: 'found cto; wanted one of qa_lead' }];
    control.failure = new CanarydError('usage', 'Cannot sign', { problems });
    const run = cli({ server: base });
    expect(await run.run('sign', id, '--role', 'cto', '--name', 'Ada')).toBe(2);
    expect(run.err()).toContain('role: found cto; wanted one of qa_lead');
  });
});

describe('what is read of signatures', () => {
  it('in show: who has signed what, and when the others are due', async () => {
    const { control, base, id } = await withWatch();
    await control.sign(id, { role: 'qa_lead', name: 'Ada', by: 'ada', note: 'all events' });
    const run = cli({ server: base });
    await run.run('show', id);
    expect(run.out()).toMatch(/^not signed, due 2026\S+ +engineering_lead +System stable$/m);
    expect(run.out()).toMatch(/^signed by Ada at 2026\S+ +qa_lead +Audit trail.* \(all events\)$/m);
  });

  it('in journal: that it was time, and who signed', async () => {
    const { control, base, id } = await withWatch();
    control.happen(id, { type: 'watch.sign_off_due', missing: control.signOffs });
    await control.sign(id, { role: 'qa_lead', name: 'Ada', by: 'ada', note: 'all events' });
    const run = cli({ server: base });
    await run.run('journal', id);
    expect(run.out()).toContain(
      'sign-off due: engineering_lead (System stable), qa_lead (Audit trail validated)',
    );
    expect(run.out()).toContain('signed by Ada as qa_lead: all events');
  });

  it('in journal --verify: a signature after the end breaks no rule, a question does', async () => {
    const { control, base, id } = await withWatch();
    control.happen(id, { type: 'watch.passed', conditions: [], coverage: {} });
    await control.sign(id, { role: 'qa_lead', name: 'Ada', by: 'ada', note: null });
    expect(await cli({ server: base }).run('journal', id, '--verify')).toBe(0);
    control.happen(id, { type: 'watch.sign_off_due', missing: control.signOffs });
    const run = cli({ server: base });
    expect(await run.run('journal', id, '--verify')).toBe(1);
    expect(run.err()).toContain('J4: watch.sign_off_due at seq 4');
  });
});

describe('a start that a gate holds up', () => {
  it('ends with 2, and says what was found and what to do', async () => {
    const { control, base } = await withWatch();
    const message = 'found NO-GO; carry it out (canaryd gate aurora-testnet), then start again';
    const problems = [{ path: 'requires', message }];
    control.failure = new CanarydError('gate_missing', 'Cannot watch', { problems });
    const run = cli({ server: base });
    expect(await run.run('start', 'aurora', '--version', '2.0.0')).toBe(2);
    expect(run.err()).toContain(message);
  });
});
