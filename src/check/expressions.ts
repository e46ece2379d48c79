// What can be said of a PromQL text without a parser: which part divides, compares, or reads a
// counter as it is. Only hints: what is concluded from them is never more than a warning.

/** Text of labels and comments says nothing about the expression. */
export function withoutTexts(promql: string): string {
  return promql.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|#.*/g, '""');
}

/** What is divided by, each as text; plain numbers are none. */
export function divisorsIn(promql: string): readonly string[] {
  const bare = withoutTexts(promql);
  return [...bare.matchAll(/\//g)]
    .map(({ index }) => operandAt(bare, index + 1))
    .filter((divisor) => !/^\s*[\d.]+\s*$/.test(divisor));
}

/** Up to the next operator of the same depth, or to the end of the brackets around it. */
function operandAt(text: string, from: number): string {
  let depth = 0;
  let at = from;
  for (; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if ('([{'.includes(character)) depth += 1;
    if (')]}'.includes(character)) depth -= 1;
    if (depth < 0 || (depth === 0 && '+-*/%^,<>=!'.includes(character))) break;
  }
  return text.slice(from, at);
}

/** The expression up to what only guards it, with everything in brackets taken out. */
function outermost(promql: string): string {
  const left = beforeGuard(withoutTexts(promql));
  let text = left;
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/\([^()[\]{}]*\)|\[[^()[\]{}]*\]|\{[^()[\]{}]*\}/g, ' ');
  }
  return text;
}

function beforeGuard(bare: string): string {
  let depth = 0;
  for (const { 0: token, index } of bare.matchAll(/[([{]|[)\]}]|\b(?:and|unless)\b/gi)) {
    if (depth === 0 && token.length > 1) return bare.slice(0, index);
    if ('([{'.includes(token)) depth += 1;
    else if (token.length === 1) depth -= 1;
  }
  return bare;
}

/** An alert rule: `errors > 0.05` has no series while there are few errors. */
export function isComparison(promql: string): boolean {
  const text = outermost(promql).trim();
  return /(?:[<>]=?|[!=]=)\s*(?!\s*bool\b)-?[\d.]+(?:e[+-]?\d+)?$/i.test(text);
}

/** `100 * errors / requests`. */
export function isInPercent(promql: string): boolean {
  const left = beforeGuard(withoutTexts(promql));
  const isTimesHundred = /(?:^|[^\w.])100\s*\*|\*\s*100(?![\w.])/.test(left);
  return isTimesHundred && divisorsIn(left).length > 0;
}

export function isCounterName(metric: string): boolean {
  return /_(total|bucket)$/.test(metric);
}

/** Counters whose value is looked at, and not how it grows. */
export function bareCounters(promql: string): readonly string[] {
  const left = beforeGuard(withoutTexts(promql));
  // Whether they are there, or by how much they differ from before, is a question of its own.
  if (/\b(?:count|group|absent|timestamp|offset)\b\s*[(\w-]/.test(left)) return [];
  const names = left.matchAll(
    /(?<![\w.:])([a-zA-Z_:][\w:]*_total)\b\s*(?:\{[^}]*\})?\s*(?!\s*[[{(\w])/g,
  );
  return [...new Set([...names].map(([, name = '']) => name))];
}
