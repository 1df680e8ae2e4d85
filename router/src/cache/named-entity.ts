import { Kind } from 'graphql';
import { isData } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { Containing } from './contained-entities.ts';
import type { FetchFacts } from './fetch-facts.ts';
import type { EntityTypes } from './entity-types.ts';
import type { PossibleTypes } from '../execution/type-conditions.ts';

/** The type of the entity that an answer is about; null where it may be another one another time. */
export type NamedEntity = (
  data: Data,
  key: ReadonlyMap<string, { type: string; key: Data }>,
  variables: Data,
) => string | null;

const NEVER: NamedEntity = () => null;

/**
 * Of a fetch like `voice(id: $id) { id name }`, which asks for one entity by a key: that a mutation brought another entity of
 * the type says nothing of its answer, as it would of a list's.
 */
export function namedEntity(
  { kind, fields, containing }: FetchFacts,
  { entities, possibleTypes }: { entities: EntityTypes; possibleTypes: PossibleTypes },
): NamedEntity {
  const [field, ...others] = fields;
  const [child] = containing.children;
  const type = child?.containing.type ?? null;
  if (kind !== 'root' || field === undefined || others.length > 0 || child === undefined || type === null) return NEVER;
  // Anywhere else, another of them could take its place.
  if (places(containing, type, possibleTypes) !== 1) return NEVER;
  const names = (entities.keySets(type) ?? []).flatMap((set) => (set?.length === 1 ? set : []));
  const argument = (field.arguments ?? []).find(({ name }) => names.includes(name.value));
  if (argument === undefined || argument.value.kind !== Kind.VARIABLE) return NEVER;
  const variable = argument.value.name.value;
  const name = argument.name.value;
  return (data, identified, variables) => {
    if (!isData(data[child.response])) return null;
    const wanted = variables[variable];
    if (typeof wanted !== 'string' && typeof wanted !== 'number') return null;
    for (const each of identified.values()) {
      if (each.type === type && String(each.key[name]) === String(wanted)) return type;
    }
    return null;
  };
}

/** Where in a selection there can be objects of the type. */
function places(selected: Containing, type: string, possibleTypes: PossibleTypes): number {
  const here =
    selected.type === null || selected.type === type || (possibleTypes.get(selected.type)?.has(type) ?? false) ? 1 : 0;
  return selected.children.reduce((sum, { containing }) => sum + places(containing, type, possibleTypes), here);
}
