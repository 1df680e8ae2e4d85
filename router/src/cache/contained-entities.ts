import { isData, isList } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import { isOfType } from '../execution/type-conditions.ts';
import type { PossibleTypes } from '../execution/type-conditions.ts';
import type { EntityTypes } from './entity-types.ts';

/** A selection, as far as it says which entities are in what it brings. */
export interface Containing {
  /** The static type; null where fragments alone say it. */
  type: string | null;
  /** Fields without arguments and selections. `on` is the type that they are selected on. */
  leaves: { name: string; response: string; on: string }[];
  /** Response names of `__typename`. */
  typenames: string[];
  children: { response: string; containing: Containing }[];
}

/** The entities that some data contains. */
export interface ContainedEntities {
  /** Those of which a key is known, by their tags. */
  identified: Map<string, { type: string; key: Data }>;
  /** Types of those that lack some other key, by which they could be known as well. */
  partly: Set<string>;
  /** Types of those of which no key is known. */
  unknown: Set<string>;
}

/** More of them in one answer are not told apart. */
const MAX_IDENTIFIED = 200;

/** Finds the entities in what a selection brought. */
export function containedEntities(
  containing: Containing,
  data: unknown,
  { entities, possibleTypes }: { entities: EntityTypes; possibleTypes: PossibleTypes },
): ContainedEntities {
  const found: ContainedEntities = { identified: new Map(), partly: new Set(), unknown: new Set() };

  const visit = (selected: Containing, at: unknown): void => {
    if (isList(at)) {
      for (const item of at) visit(selected, item);
      return;
    }
    if (!isData(at)) return;
    note(selected, at);
    for (const { response, containing: inner } of selected.children) visit(inner, at[response]);
  };

  const note = (selected: Containing, object: Data): void => {
    const type = typeOf(selected, object);
    if (type === null) return;
    const keySets = entities.keySets(type);
    if (keySets === undefined) {
      for (const each of possibleTypes.get(type) ?? [])
        if (entities.keySets(each) !== undefined) found.unknown.add(each);
      return;
    }
    let known = 0;
    for (const fields of keySets) {
      const key = fields === null ? null : keyOf(fields, type, selected, object);
      if (key === null) continue;
      known += 1;
      if (found.identified.size < MAX_IDENTIFIED) found.identified.set(entities.tag(type, key), { type, key });
      else found.partly.add(type);
    }
    if (known === 0) found.unknown.add(type);
    else if (known < keySets.length) found.partly.add(type);
  };

  const keyOf = (fields: readonly string[], type: string, { leaves }: Containing, object: Data): Data | null => {
    const key: Data = {};
    for (const field of fields) {
      const leaf = leaves.find(({ name, on }) => name === field && isOfType(possibleTypes, type, on));
      const value = leaf === undefined ? undefined : object[leaf.response];
      if (value === undefined || value === null) return null;
      key[field] = value;
    }
    return key;
  };

  visit(containing, data);
  return found;
}

/** Whether what the first field of a selection brought is an entity itself: not a list of some, and nothing around one. */
export function isEntity({ children: [field] }: Containing, data: unknown, entities: EntityTypes): boolean {
  const value = field !== undefined && isData(data) ? data[field.response] : null;
  const type = field !== undefined && isData(value) ? typeOf(field.containing, value) : null;
  return type !== null && entities.keySets(type) !== undefined;
}

function typeOf({ type, typenames }: Containing, object: Data): string | null {
  for (const name of typenames) {
    const given = object[name];
    if (typeof given === 'string') return given;
  }
  return type;
}
