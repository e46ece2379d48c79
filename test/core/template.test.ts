import { describe, expect, it } from 'vitest';
import { resolveIndicator } from '../../src/core/read.ts';
import { fill, templateValues } from '../../src/core/template.ts';
import { aDeploy, aHealthCheck, aPolicy } from '../support/build.ts';

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

describe('the URL of a health check', () => {
  const url = `http://shop/v/\${version}/health?v=\${version}`;
  const filled = (version: string) =>
    resolveIndicator(aHealthCheck({ url }), aPolicy(), { version });

  it('is filled segment by segment', () => {
    expect(filled('a/..')).toMatchObject({ url: 'http://shop/v/a%2F../health?v=a%2F..' });
  });

  it.each(['', '.', '..'])('is none when a segment is %j: it would ask elsewhere', (version) => {
    expect(filled(version)).toMatchObject({ url: '' });
  });
});
