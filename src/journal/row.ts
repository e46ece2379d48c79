/** One result row; the column types are kept by the schema, so a wrong one is a bug. */
export class Row {
  readonly #columns: Readonly<Record<string, unknown>>;

  constructor(columns: Readonly<Record<string, unknown>>) {
    this.#columns = columns;
  }

  text(column: string): string {
    const value = this.#columns[column];
    if (typeof value !== 'string') throw new TypeError(`column ${column} is no text`);
    return value;
  }

  integer(column: string): number {
    const value = this.#columns[column];
    if (typeof value !== 'number') throw new TypeError(`column ${column} is no integer`);
    return value;
  }

  /** SQLite has no boolean: 0 or 1 there. */
  flag(column: string): boolean {
    const value = this.#columns[column];
    return typeof value === 'boolean' ? value : this.integer(column) === 1;
  }

  textOrNull(column: string): string | null {
    return this.#columns[column] === null ? null : this.text(column);
  }

  integerOrNull(column: string): number | null {
    return this.#columns[column] === null ? null : this.integer(column);
  }
}
