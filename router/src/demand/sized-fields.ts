import { Kind, parse } from 'graphql';
import type { SelectionSetNode } from 'graphql';
import type { ListSize } from '../supergraph/annotations.ts';
import type { Size } from './term.ts';

/** What `sizedFields` names at one level: a list that the size is of (null), or what stands around one. */
export type SizedFields = ReadonlyMap<string, SizedFields | null>;

/** What a `@listSize` above a field promises for fields at its level. */
export interface Sized {
  fields: SizedFields;
  size: Size;
}

const known = new WeakMap<ListSize, SizedFields>();

/** Reads the entries of `sizedFields`: a field's name, or a path like `results { page }`. What is neither is nothing. */
export function sizedFieldsOf(listSize: ListSize): SizedFields {
  let fields = known.get(listSize);
  if (fields === undefined) {
    fields = merged(listSize.sizedFields.flatMap((entry) => selectionOf(entry) ?? []));
    known.set(listSize, fields);
  }
  return fields;
}

function selectionOf(entry: string): SelectionSetNode | null {
  try {
    const [operation] = parse(`{${entry}}`, { noLocation: true }).definitions;
    return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : null;
  } catch {
    return null;
  }
}

function merged(sets: readonly SelectionSetNode[]): SizedFields {
  const inner = new Map<string, SelectionSetNode[]>();
  for (const { selections } of sets) {
    for (const selection of selections) {
      if (selection.kind !== Kind.FIELD) continue;
      const below = inner.get(selection.name.value) ?? [];
      inner.set(selection.name.value, below);
      if (selection.selectionSet !== undefined) below.push(selection.selectionSet);
    }
  }
  return new Map([...inner].map(([name, below]) => [name, below.length === 0 ? null : merged(below)]));
}
