// Placeholders: which texts of a policy are filled in, and with what.
import { placeholdersOf } from '../core/template.ts';
import type { Problem } from '../kit/errors.ts';
import { entriesOf, fieldOf, itemsOf } from './policy-draft.ts';
import { didYouMean, found, type Path, problem } from './problems.ts';

/** `${range}`: only in PromQL, filled in by the source. */
const RANGE = 'range';

type Text = { readonly path: Path; readonly text: string; readonly filled: boolean };

function walk(value: unknown, path: Path, filled: boolean): Text[] {
  if (typeof value === 'string') return [{ path, text: value, filled }];
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => walk(item, [...path, index], filled));
  }
  return entriesOf(value).flatMap(([key, item]) => walk(item, [...path, key], filled));
}

/** Of these kinds only some fields are filled in. */
const FILLED_OF: Readonly<Record<string, readonly string[]>> = {
  http: ['url', 'json', 'recorded'],
  audit_log: ['report', 'schema'],
};

/** Texts of indicators that are filled in: all but words of the language and headers. */
function indicatorTexts(raw: unknown): Text[] {
  return entriesOf(fieldOf(raw, 'indicators')).flatMap(([id, indicator]) =>
    entriesOf(indicator).flatMap(([field, value]) => {
      const path = ['indicators', id, field];
      // A field may be called `constructor`.
      const ofKind = Object.hasOwn(FILLED_OF, field) ? FILLED_OF[field] : undefined;
      if (ofKind === undefined) {
        return walk(value, path, !['title', 'unit', 'over', 'early'].includes(field));
      }
      return entriesOf(value).flatMap(([key, item]) =>
        walk(item, [...path, key], ofKind.includes(key)),
      );
    }),
  );
}

function actionTexts(raw: unknown): Text[] {
  return itemsOf(fieldOf(raw, 'on_stop')).flatMap((step, index) =>
    entriesOf(step).flatMap(([name, action]) =>
      entriesOf(action).flatMap(([field, value]) => {
        const path = ['on_stop', index, name, field];
        if (field !== 'webhook') return walk(value, path, field === 'command' || field === 'env');
        return entriesOf(value).flatMap(([key, item]) => walk(item, [...path, key], true));
      }),
    ),
  );
}

export function placeholderProblems(raw: unknown, known: readonly string[]): Problem[] {
  const texts = [
    ...walk(fieldOf(raw, 'match'), ['match'], true),
    ...walk(fieldOf(raw, 'runbook'), ['runbook'], false),
    ...walk(fieldOf(raw, 'dashboard'), ['dashboard'], false),
    ...indicatorTexts(raw),
    ...actionTexts(raw),
  ];
  return texts.flatMap(({ path, text, filled }) => {
    const names = /\$\{([^}]{0,100})\}?/g;
    return [...text.matchAll(names)].flatMap(([whole, name = '']) => {
      const shown = `the placeholder ${found(whole, path)}`;
      if (!filled) {
        return [problem(path, shown, 'a text without placeholders; this field is not filled in')];
      }
      if (name === RANGE && path.includes('promql')) return [];
      if (placeholdersOf(whole).length === 1 && known.includes(name)) return [];
      const wanted = `one of ${known.join(', ')}${didYouMean(name, known)}`;
      return [problem(path, shown, wanted)];
    });
  });
}
