import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../src/config/selector.ts';

describe('a selector', () => {
  test.each([
    ['up', 'up', []],
    ['job:up:sum', 'job:up:sum', []],
    [' up { } ', 'up', []],
    ['up{a="b"}', 'up', [{ label: 'a', op: '=', value: 'b' }]],
    ['up{a="b",}', 'up', [{ label: 'a', op: '=', value: 'b' }]],
    [
      'up{ a = "b" , c!="d",e=~"f|g", h!~"i.*" }',
      'up',
      [
        { label: 'a', op: '=', value: 'b' },
        { label: 'c', op: '!=', value: 'd' },
        { label: 'e', op: '=~', value: 'f|g' },
        { label: 'h', op: '!~', value: 'i.*' },
      ],
    ],
    ['up{a="say \\"hi\\", {ok}"}', 'up', [{ label: 'a', op: '=', value: 'say "hi", {ok}' }]],
    ['up{a=~"\\\\d+"}', 'up', [{ label: 'a', op: '=~', value: '\\d+' }]],
    ['up{v=~"${version}-.*"}', 'up', [{ label: 'v', op: '=~', value: '${version}-.*' }]],
  ])('is read: %s', (text, metric, matchers) => {
    expect(parseSelector(text)).toEqual({ kind: 'selector', selector: { metric, matchers } });
  });

  test.each([
    ['', 'no metric name'],
    ['{a="b"}', 'no metric name'],
    ['80%', 'no metric name'],
    ['up{a="b"', 'no closing }'],
    ['up{a="b" c="d"}', 'no comma'],
    ['up{a=b}', 'cannot be read'],
    ["up{a='b'}", 'cannot be read'],
    ['up{a>"b"}', 'cannot be read'],
    ['up{a="b"} > 1', 'text after the closing }'],
    ['up[5m]', 'set "over"'],
    ['up + up', 'kind promql'],
    ['sum(up)', 'kind promql'],
    ['up{le="1"}', 'canaryd sets le itself'],
    ['up{__name__="x"}', 'canaryd sets __name__ itself'],
    ['up{a="b",a="c"}', 'the label a twice'],
    ['up{a=~"["}', 'broken regular expression'],
  ])('is refused: %s', (text, fragment) => {
    expect(parseSelector(text)).toEqual({
      kind: 'problem',
      message: expect.stringContaining(fragment),
    });
  });
});
