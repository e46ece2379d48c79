// A dashboard's JSON as far as its panels and what they ask for go. Foreign data of many versions:
// what is not understood is said, never guessed.
import { isRecord } from '../request.ts';

type Json = Readonly<Record<string, unknown>>;

export type Datasource =
  | { readonly kind: 'uid'; readonly uid: string }
  /** Old dashboards name it. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'default' }
  /** Of Grafana itself, or another panel's data. */
  | { readonly kind: 'none' };

export type Panel = {
  readonly title: string;
  readonly targets: readonly Json[];
  readonly datasource: unknown;
  /** Uid of the library element that it is taken from, when its own JSON has nothing. */
  readonly library: string | null;
};

const PANELS_MAX = 1_000;
const DEPTH_MAX = 20;
/** Sources that no query goes to. */
const INTERNAL = /^(-- Grafana --|-- Dashboard --|grafana)$/;

/** null when the dashboard has no list of panels (another schema). */
export function panelsOf(dashboard: Json): readonly Panel[] | null {
  const { panels, rows } = dashboard;
  // Before Grafana 5 panels stood in rows.
  const listed = Array.isArray(panels)
    ? panels
    : Array.isArray(rows)
      ? rows.flatMap((row) => (isRecord(row) && Array.isArray(row['panels']) ? row['panels'] : []))
      : null;
  if (listed === null) return null;
  const all: Panel[] = [];
  for (const panel of listed) {
    if (!isRecord(panel)) continue;
    const inner = panel['panels'];
    if (panel['type'] !== 'row') all.push(panelOf(panel));
    // A folded row holds its panels itself.
    else if (Array.isArray(inner)) all.push(...inner.filter(isRecord).map(panelOf));
    if (all.length > PANELS_MAX) break;
  }
  return all.slice(0, PANELS_MAX);
}

export function panelOf(panel: Json): Panel {
  const { title, targets, datasource, libraryPanel, id } = panel;
  const own = Array.isArray(targets) ? targets.filter(isRecord) : [];
  const library = isRecord(libraryPanel) ? libraryPanel['uid'] : null;
  return {
    title: typeof title === 'string' && title.trim() !== '' ? title : `panel ${String(id)}`,
    targets: own,
    datasource,
    library: own.length === 0 && typeof library === 'string' ? library : null,
  };
}

/** Texts, lists of dashboards and panels of Grafana itself show nothing that was measured. */
export function asks({ targets, datasource, library }: Panel, variables: Variables): boolean {
  const isQuery = (target: Json) =>
    target['hide'] !== true &&
    datasourceOf(target['datasource'] ?? datasource, variables).kind !== 'none';
  return library !== null || targets.some(isQuery);
}

export type Variables = ReadonlyMap<string, string>;

/** The values that the dashboard was saved with, and those that are given. */
export function variablesOf(dashboard: Json, given: Readonly<Record<string, string>>): Variables {
  const values = new Map<string, string>();
  const { templating } = dashboard;
  const list = isRecord(templating) && Array.isArray(templating['list']) ? templating['list'] : [];
  for (const variable of list.filter(isRecord)) {
    const { name, current, query, type, allValue } = variable;
    if (typeof name !== 'string') continue;
    const saved = isRecord(current) ? current['value'] : undefined;
    const all = typeof allValue === 'string' && allValue !== '' ? allValue : '.*';
    const value = savedText(saved, all) ?? (type === 'constant' ? savedText(query, all) : null);
    if (value !== null) values.set(name, value);
  }
  for (const [name, value] of Object.entries(given)) values.set(name, value);
  return values;
}

function savedText(saved: unknown, all: string): string | null {
  if (Array.isArray(saved)) {
    if (saved.includes('$__all')) return all;
    const texts = saved.filter((one) => typeof one === 'string');
    return texts.length > 1 ? `(${texts.join('|')})` : (texts[0] ?? null);
  }
  if (typeof saved !== 'string' || saved === '') return null;
  if (saved === '$__all') return all;
  // An interval that Grafana's page works out from the width of the screen.
  return saved.startsWith('$__auto_interval') ? '1m' : saved;
}

/** `$name`, `${name}`, `${name:format}` and `[[name]]`; Grafana's own (`$__…`) stay for it. */
export function filledText(text: string, variables: Variables): string {
  return text.replace(
    /\$(\w+)|\$\{(\w+)(?:[.:][^}]*)?\}|\[\[(\w+)(?::[^\]]*)?\]\]/g,
    (whole, bare?: string, braced?: string, old?: string) => {
      const name = bare ?? braced ?? old ?? '';
      return variables.get(name) ?? whole;
    },
  );
}

/** Every text in a query, however deep. */
export function filledAll(value: unknown, variables: Variables, depth = 0): unknown {
  if (typeof value === 'string') return filledText(value, variables);
  if (depth > DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item) => filledAll(item, variables, depth + 1));
  if (!isRecord(value)) return value;
  const pairs = Object.entries(value).map(([key, item]) => [
    key,
    filledAll(item, variables, depth + 1),
  ]);
  return Object.fromEntries(pairs);
}

export function datasourceOf(written: unknown, variables: Variables): Datasource {
  const given = isRecord(written) ? (written['uid'] ?? written['type']) : written;
  if (typeof given !== 'string' || given === '') return { kind: 'default' };
  const name = filledText(given, variables);
  if (INTERNAL.test(name)) return { kind: 'none' };
  if (name === 'default' || name === '-- Mixed --') return { kind: 'default' };
  return isRecord(written) ? { kind: 'uid', uid: name } : { kind: 'name', name };
}

export type PanelData =
  | { readonly kind: 'data' | 'empty' }
  | { readonly kind: 'error'; readonly text: string };

/** Whether an answer of /api/ds/query has a figure for any of these queries; null: no such answer. */
export function dataIn(body: unknown, refIds: readonly string[]): PanelData | null {
  const results = isRecord(body) ? body['results'] : null;
  if (!isRecord(results)) return null;
  const meant = refIds.map((refId) => results[refId]).filter(isRecord);
  const error = meant.map((result) => result['error']).find((one) => typeof one === 'string');
  if (typeof error === 'string') return { kind: 'error', text: error };
  const frames = meant.flatMap(({ frames: own }) =>
    Array.isArray(own) ? own.filter(isRecord) : [],
  );
  return { kind: frames.some(hasFigure) ? 'data' : 'empty' };
}

function hasFigure({ schema, data }: Json): boolean {
  const values = isRecord(data) ? data['values'] : null;
  const fields = isRecord(schema) && Array.isArray(schema['fields']) ? schema['fields'] : [];
  if (!Array.isArray(values)) return false;
  return values.some((column, index) => {
    const field: unknown = fields[index];
    const isTime = isRecord(field) ? field['type'] === 'time' : index === 0;
    if (isTime || !Array.isArray(column)) return false;
    // Without gaps a column of NaN is told as null, with the places beside it.
    return column.some((value) => value !== null);
  });
}
