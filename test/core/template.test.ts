import { describe, expect, it } from 'vitest';
import { fill, templateValues } from '../../src/core/template.ts';
import { aDeploy } from '../support/build.ts';

describe('values for placeholders', () => {
  it('are whole characters, whatever the deploy brought', () => {
    const deploy = aDeploy({ version: '1.0\ud800', parameters: { track: 'a\udfff', tier: 5 } });
    const values = templateValues(deploy, 'w_1');
    expect(values).toMatchObject({ version: '1.0\ufffd', track: 'a\ufffd', tier: '5' });
    const url = `/v/\${version}`;
    expect(fill(url, values, encodeURIComponent)).toBe('/v/1.0%EF%BF%BD');
  });

  it('keep the own fields of the deploy where a parameter has the same name', () => {
    const values = templateValues(aDeploy({ parameters: { version: 'x' } }), 'w_1');
    expect(values['version']).toBe(aDeploy().version);
  });
});

describe('filling a text', () => {
  it('mends half a surrogate pair before it is encoded', () => {
    const url = `/v/\${version}`;
    expect(fill(url, { version: '\ud800' }, encodeURIComponent)).toBe('/v/%EF%BF%BD');
  });
});
