import { Kind, parse } from 'graphql';
import { isData, isList, setOwn } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { PossibleTypes } from '../execution/type-conditions.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { canonicalJson } from './canonical-json.ts';
import { entityTag } from './tags.ts';

/** How the entities of a supergraph are told apart, in whichever subgraph. */
export interface EntityTypes {
  /** The keys of a type: their fields, or null for one that nests; undefined where it is no entity. */
  keySets(type: string): readonly (readonly string[] | null)[] | undefined;
  /** What stands for an entity among the tags of an entry. */
  tag(type: string, key: Data): string;
  /** The keys of a type that an object holds, as they are in tags. */
  keysIn(type: string, object: Data): Data[];
  /** The types under which an entity of one is known: interfaces with keys, or what an interface object may be. */
  related(type: string): readonly string[];
}

interface KeySet {
  /** Null where it nests. */
  flat: readonly string[] | null;
  of(object: Data): Data | null;
}

export function createEntityTypes({
  keys,
  possibleTypes,
}: Pick<LoadedSupergraph, 'keys' | 'possibleTypes'>): EntityTypes {
  const types = new Map<string, Map<string, KeySet>>();
  for (const ofSubgraph of keys.values()) {
    for (const [type, fieldSets] of ofSubgraph) {
      const known = types.get(type) ?? new Map<string, KeySet>();
      for (const text of fieldSets) {
        const tree = keyTree(text);
        known.set(canonicalJson(tree), { flat: flatFields(tree), of: (object) => pick(object, tree) });
      }
      types.set(type, known);
    }
  }
  const keySets = new Map([...types].map(([type, known]) => [type, [...known.values()]]));
  const flat = new Map([...keySets].map(([type, sets]) => [type, sets.map((set) => set.flat)]));
  const related = new Map([...types.keys()].map((type) => [type, relatedTypes(type, types, possibleTypes)]));

  return {
    keySets: (type) => flat.get(type),
    tag: (type, key) => entityTag(type, keyWithStrings(key)),
    keysIn: (type, object) =>
      (keySets.get(type) ?? []).flatMap((set) => {
        const key = set.of(object);
        return key === null ? [] : [keyWithStrings(key)];
      }),
    related: (type) => related.get(type) ?? relatedTypes(type, types, possibleTypes),
  };
}

/** Numbers count as the strings that ids are. */
function keyWithStrings(key: Data): Data {
  const strings: Data = {};
  for (const [field, value] of Object.entries(key)) {
    setOwn(strings, field, isData(value) ? keyWithStrings(value) : isList(value) ? value.map(String) : String(value));
  }
  return strings;
}

type KeyTree = { [field: string]: KeyTree | null };

function keyTree(fields: string): KeyTree {
  const [definition] = parse(`{${fields}}`, { noLocation: true }).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`Not a field set: ${fields}`);
  const read = (set: typeof definition.selectionSet): KeyTree => {
    const tree: KeyTree = {};
    for (const selection of set.selections) {
      if (selection.kind !== Kind.FIELD) continue;
      tree[selection.name.value] = selection.selectionSet === undefined ? null : read(selection.selectionSet);
    }
    return tree;
  };
  return read(definition.selectionSet);
}

function flatFields(tree: KeyTree): string[] | null {
  return Object.values(tree).every((inner) => inner === null) ? Object.keys(tree) : null;
}

/** Null where something of the key is not there. */
function pick(object: Data, tree: KeyTree): Data | null {
  const key: Data = {};
  for (const [field, inner] of Object.entries(tree)) {
    const value = object[field];
    if (value === undefined || value === null) return null;
    const picked = inner === null ? value : isData(value) ? pick(value, inner) : null;
    if (picked === null) return null;
    key[field] = picked;
  }
  return key;
}

function relatedTypes(type: string, entities: ReadonlyMap<string, unknown>, possibleTypes: PossibleTypes): string[] {
  const possible = [...(possibleTypes.get(type) ?? [])];
  const interfaces = [...possibleTypes].filter(([name, types]) => entities.has(name) && types.has(type));
  return [type, ...possible, ...interfaces.map(([name]) => name)];
}
