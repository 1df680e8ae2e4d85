import type { Connection, Submittable } from 'pg';

type Parse = (text: string) => unknown;

/** A statement with a name, as drizzle-orm asks for what it has prepared. */
export interface NamedStatement {
  name: string;
  text: string;
  types: { getTypeParser: (oid: number, format: string) => Parse };
}

/** How the columns of the statements that one connection has are read, by the statements' names. */
export type Descriptions = Map<string, readonly Parse[]>;

export type Callback = (error: unknown, result?: { rows: unknown[][] }) => void;

/**
 * A query of node-postgres' own (as `pg-cursor` is one) for a statement that a connection is asked for again and again. Its
 * columns are described at the first time only: with each answer that costs PostgreSQL, and whoever reads it, about as much
 * as a row does.
 */
export class NamedQuery implements Submittable {
  /** By these the client notes what the connection has parsed. */
  readonly name: string;
  readonly text: string;
  readonly callback: Callback;
  readonly #values: (string | null)[];
  readonly #types: NamedStatement['types'];
  readonly #descriptions: Descriptions;
  #parsers: readonly Parse[] | undefined;
  readonly #rows: unknown[][] = [];
  #failure: { error: unknown } | null = null;

  constructor(
    { name, text, types }: NamedStatement,
    values: (string | null)[],
    descriptions: Descriptions,
    callback: Callback,
  ) {
    this.name = name;
    this.text = text;
    this.callback = callback;
    this.#values = values;
    this.#types = types;
    this.#descriptions = descriptions;
  }

  submit(connection: Connection): void {
    const { name, text } = this;
    this.#parsers = this.#descriptions.get(name);
    // One write for all of them.
    connection.stream.cork();
    try {
      if (!hasParsed(connection, name)) connection.parse({ name, text, types: [] }, true);
      connection.bind({ portal: '', statement: name, values: this.#values }, true);
      if (this.#parsers === undefined) connection.describe({ type: 'P', name: '' }, true);
      connection.execute({ portal: '' }, true);
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
  }

  handleRowDescription({ fields }: { fields: readonly { dataTypeID: number; format: string }[] }): void {
    this.#parsers = fields.map(({ dataTypeID, format }) => this.#types.getTypeParser(dataTypeID, format));
    this.#descriptions.set(this.name, this.#parsers);
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    const parsers = this.#parsers ?? [];
    if (this.#failure !== null) return;
    try {
      this.#rows.push(fields.map((field, index) => (field === null ? null : parsers[index]?.(field))));
    } catch (error) {
      this.#failure = { error };
    }
  }

  handleReadyForQuery(): void {
    if (this.#failure === null) this.callback(null, { rows: this.#rows });
    else this.callback(this.#failure.error);
  }

  handleError(error: unknown): void {
    this.callback(error);
  }

  handleCommandComplete(): void {
    // How many rows there were is known from the rows.
  }

  handleEmptyQuery(): void {
    // No statement with a name is empty.
  }

  handlePortalSuspended(): void {
    // All rows are asked for at once.
  }
}

/** Of the parameters that it is asked with, as PostgreSQL reads them; null where there is one of another kind. */
export function asTexts(values: readonly unknown[]): (string | null)[] | null {
  const texts: (string | null)[] = [];
  for (const value of values) {
    const text = Array.isArray(value) ? asArray(value) : asText(value);
    if (text === undefined) return null;
    texts.push(text);
  }
  return texts;
}

/** Undefined: of another kind. */
function asText(value: unknown): string | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function asArray(items: readonly unknown[]): string | undefined {
  const texts: string[] = [];
  for (const item of items) {
    if (typeof item !== 'string') return undefined;
    texts.push(`"${item.replaceAll(/["\\]/g, String.raw`\$&`)}"`);
  }
  return `{${texts.join(',')}}`;
}

/** The client keeps it where no type says so. */
function hasParsed(connection: Connection, name: string): boolean {
  const parsed: unknown = Reflect.get(connection, 'parsedStatements');
  return typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, name);
}
