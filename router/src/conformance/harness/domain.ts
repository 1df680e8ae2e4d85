export type Args = Readonly<Record<string, unknown>>;

/** A thing of the domain. A field is a value, other things, or a function of the field's arguments. */
export interface DomainRecord {
  readonly __typename: string;
  readonly [field: string]: unknown;
}

/** The one truth that the subgraphs and the oracle are both served from. */
export interface Domain {
  /** By root type; functions of arguments, or values. */
  roots: Readonly<Record<string, Args>>;
  /** Every entity. */
  records?: readonly DomainRecord[];
  /** By coordinate (`Type.field`): what fields with `@requires` make of the required fields. */
  computed?: Readonly<Record<string, (required: Args, args: Args) => unknown>>;
}

/** A record on its way through a schema. */
export class Item {
  readonly record: DomainRecord;
  readonly parent: Item | null;
  /** What the router said of it, where a subgraph met it as an entity. */
  readonly sent: Args | null;

  constructor(record: DomainRecord, parent: Item | null, sent: Args | null = null) {
    this.record = record;
    this.parent = parent;
    this.sent = sent;
  }
}

const isFunction = (value: unknown): value is (args: Args) => unknown => typeof value === 'function';

export const isArgs = (value: unknown): value is Args =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isRecord = (value: unknown): value is DomainRecord => isArgs(value) && typeof value['__typename'] === 'string';

/** What a record holds for a field. @throws what a function of the domain throws */
export function readRecord(record: DomainRecord, field: string, args: Args): unknown {
  const value = record[field];
  return isFunction(value) ? value(args) : value;
}

/** A field's value with its records made items. */
export function itemsOf(value: unknown, parent: Item | null): unknown {
  if (Array.isArray(value)) return value.map((entry) => itemsOf(entry, parent));
  return isRecord(value) ? new Item(value, parent) : value;
}
