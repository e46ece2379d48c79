// The JSON Schemas of the policy and of the config as tables: the reference in docs/.
import { read } from './markdown.ts';

export type Schema = {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly { readonly required?: readonly string[] }[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
};

export const schemaOf = (name: 'policy' | 'canaryd' | 'gate') =>
  JSON.parse(read(`config/${name}.schema.json`)) as Schema;

/** Every field: `windows[].stop.<name>.below`. */
export function fieldsOf(schema: Schema, path = ''): readonly (readonly [string, Schema])[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [[at, field] as const, ...fieldsOf(field, at)];
  });
  const { items, additionalProperties: more } = schema;
  return [
    ...own,
    ...(items === undefined ? [] : fieldsOf(items, `${path}[]`)),
    ...(typeof more === 'object' ? fieldsOf(more, `${path}.<name>`) : []),
  ];
}

/** The schema at a path that `fieldsOf` gave, or of what is inside of it. */
export function schemaAt(schema: Schema, path: string): Schema {
  let found: Schema | undefined = schema;
  for (const step of path.split(/\.|(?=\[\])/)) {
    if (step === '[]') found = found?.items;
    else if (step === '<name>') {
      const more: Schema | boolean | undefined = found?.additionalProperties;
      found = typeof more === 'object' ? more : undefined;
    } else if (step !== '') found = found?.properties?.[step];
  }
  if (found === undefined) throw new Error(`no ${path} in the schema`);
  return found;
}

/** A table of the fields inside a schema, without those whose inside has a table of its own. */
export function tableOf(schema: Schema, leaveOut: readonly string[] = []): string {
  const inLeftOut = (path: string) => leaveOut.some((left) => path.startsWith(left));
  const rows = fieldsOf(schema)
    .filter(([path]) => !inLeftOut(path))
    .map(([path, field]) => `| \`${path}\` | ${need(schema, path)} | ${cell(field)} |`);
  return ['| field | needed | |', '|---|---|---|', ...rows].join('\n');
}

function need(schema: Schema, path: string): string {
  const at = path.lastIndexOf('.');
  const parent = schemaAt(schema, at === -1 ? '' : path.slice(0, at));
  const name = path.slice(at + 1);
  if (parent.oneOf?.some(({ required }) => required?.includes(name))) return 'one of these';
  const hasDefault = schemaAt(schema, path).default !== undefined;
  return parent.required?.includes(name) && !hasDefault ? 'yes' : '';
}

function cell({ description = '', default: preset }: Schema): string {
  const said = preset === undefined || typeof preset === 'object' || /default/i.test(description);
  const text = said ? description : `${description} Default ${String(preset)}.`;
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

const LIMIT = 'windows[].stop.<name>';
const ACTION = 'on_stop[].disarm';

export function policyReference(): string {
  const schema = schemaOf('policy');
  const part = (title: string, path: string, leaveOut: readonly string[] = []) =>
    `### ${title}\n\n${tableOf(schemaAt(schema, path), leaveOut)}`;
  return [
    part('The policy', '', [
      ...['parameters.<', 'indicators.<', 'windows[', 'always.', 'on_stop[', 'waive['],
    ]),
    part('A parameter: parameters.&lt;name>', 'parameters.<name>'),
    part('An indicator: indicators.&lt;name>', 'indicators.<name>'),
    part('A window: windows[]', 'windows[]', ['stop.<', 'warn.<', 'pass.<']),
    part('Conditions of all windows: always', 'always', ['stop.<', 'warn.<']),
    part('A limit: under stop, warn and pass, by indicator', LIMIT),
    part('A step: on_stop[]', 'on_stop[]', ['disarm.', 'rollback.', 'verify.pass.<']),
    part('An action: disarm and rollback', ACTION),
    part('A waiver: waive[]', 'waive[]'),
  ].join('\n\n');
}

export function configReference(): string {
  return tableOf(schemaOf('canaryd'));
}

const CRITERION = 'criteria.green[]';
const CHECK = `${CRITERION}.checks[]`;

export function gateReference(): string {
  const schema = schemaOf('gate');
  const part = (title: string, path: string, leaveOut: readonly string[] = []) =>
    `### ${title}\n\n${tableOf(schemaAt(schema, path), leaveOut)}`;
  return [
    part('The gate', '', ['criteria.green[', 'criteria.yellow[', 'criteria.red[']),
    part('A criterion: under green, yellow and red', CRITERION, ['checks[']),
  ].join('\n\n');
}

export function checkKinds(): string {
  const { properties = {} } = schemaAt(schemaOf('gate'), CHECK);
  return Object.entries(properties)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, schema]) =>
      [`### \`${kind}\``, schema.description ?? '', tableOf(schema)].join('\n\n'),
    )
    .join('\n\n');
}
