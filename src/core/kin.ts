// Which counters live and die together: those of one process. Several processes may hide behind
// one target (a Pushgateway, workers with a label each), and the restart of one of them must not
// restart the counts of the others: that would count all they ever counted as new.
// Where it is not certain, counters are kept apart: then at most the old value goes missing.
import type { Matcher } from './policy.ts';
import type { Series } from './series.ts';

/**
 * Labels on which the selectors of one indicator differ, such as `status` in "bad of all": they
 * divide the counters of one process. What all selectors say alike, such as a pod, does not.
 */
export function dividingLabels(
  selectors: readonly { readonly matchers: readonly Matcher[] }[],
): readonly string[] {
  const said = selectors.map(({ matchers }) => new Set(matchers.map((one) => JSON.stringify(one))));
  return selectors.flatMap(({ matchers }) =>
    matchers
      .filter((one) => !said.every((texts) => texts.has(JSON.stringify(one))))
      .map(({ label }) => label),
  );
}

/** Counters with the same names of labels. */
type Shape = {
  readonly names: readonly string[];
  readonly members: Series[];
};

type Table = {
  readonly names: readonly string[];
  readonly rows: ReadonlyMap<string, ReadonlySet<number>>;
};

/**
 * Two counters are of one process when they are of one target and agree on every label that both
 * have, other than `le` and the dividing labels. Without `instance` all labels must be the same.
 */
export class Kin {
  readonly #apart: ReadonlySet<string>;
  readonly #shapes = new Map<string, Shape>();
  readonly #shapeOf = new Map<Series, Shape>();

  constructor(series: readonly Series[], dividing: readonly string[]) {
    this.#apart = new Set(['le', ...dividing]);
    for (const one of series) {
      const names = this.#namesOf(one);
      const id = JSON.stringify(names);
      const shape = this.#shapes.get(id) ?? { names, members: [] };
      this.#shapes.set(id, shape);
      shape.members.push(one);
      this.#shapeOf.set(one, shape);
    }
  }

  /** What any counter of its process has, for each counter. */
  share(values: ReadonlyMap<Series, readonly number[]>): (series: Series) => ReadonlySet<number> {
    // Tables by pair of shapes: comparing all with all is too much for thousands of counters.
    const tables = new Map<Shape, readonly Table[]>();
    return (series) => {
      const shape = this.#shapeOf.get(series);
      if (shape === undefined) return new Set();
      const own = tables.get(shape) ?? this.#tablesFor(shape, values);
      tables.set(shape, own);
      return new Set(own.flatMap(({ names, rows }) => [...(rows.get(keyBy(names, series)) ?? [])]));
    };
  }

  #tablesFor(own: Shape, values: ReadonlyMap<Series, readonly number[]>): readonly Table[] {
    return [...this.#shapes.values()].flatMap((shape) => {
      const names = own.names.filter((name) => shape.names.includes(name));
      if (own !== shape && !names.includes('instance')) return [];
      const rows = rowsBy(names, shape, values);
      return rows.size === 0 ? [] : [{ names, rows }];
    });
  }

  #namesOf({ labels }: Series): readonly string[] {
    const hasTarget = labels['instance'] !== undefined;
    const names = Object.keys(labels).filter((name) =>
      hasTarget ? name === 'instance' || !this.#apart.has(name) : name !== 'le',
    );
    return names.sort();
  }
}

function rowsBy(
  names: readonly string[],
  shape: Shape,
  values: ReadonlyMap<Series, readonly number[]>,
): ReadonlyMap<string, ReadonlySet<number>> {
  const rows = new Map<string, Set<number>>();
  for (const series of shape.members) {
    const own = values.get(series);
    if (own === undefined) continue;
    const key = keyBy(names, series);
    const all = rows.get(key) ?? new Set();
    for (const value of own) all.add(value);
    rows.set(key, all);
  }
  return rows;
}

function keyBy(names: readonly string[], { labels }: Series): string {
  return JSON.stringify(names.map((name) => labels[name]));
}
