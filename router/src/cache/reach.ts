import { getNamedType, getNullableType, isListType } from 'graphql';
import type { GraphQLOutputType } from 'graphql';
import type { Marker } from '@timbre/platform/cache/marker';
import { SettingsError } from '@timbre/platform/env';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';

/** What a mutation can change, as whoever runs the graph knows it. */
export interface MutationReach {
  /** Whose answers can be others than before; default those of all. */
  subgraphs?: readonly string[];
  /** False: nothing that is shown to everybody changes by it. Default true. */
  public?: boolean;
  /**
   * Nothing changes by it but the one entity that it returns, and what shows that: nothing comes or goes, has another place
   * in a list, or is counted otherwise. Not of a field that returns a list, or what has entities in it: there the client's
   * selection decides of which of them it is told. Default false.
   */
  returnedOnly?: boolean;
}

/** By the mutation's field; one that is not named changes anything. */
export type MutationReaches = Readonly<Record<string, MutationReach>>;

/** How far a change goes. */
export interface Reach {
  /** Of the markers of what has changed: `s` is what is private, of all subgraphs; null is all there is. */
  parts: readonly string[] | null;
  isPublic: boolean;
  /** Whether what it returns is all that changes. */
  isReturned: boolean;
}

export const ANYTHING: Reach = { parts: null, isPublic: true, isReturned: false };

/** `s:` is of one subgraph, and `p:` what it shows to everybody. */
const ALL_SUBGRAPHS = 's';
export const partOf = (subgraph: string) => `s:${encodeURIComponent(subgraph)}`;
const publicPartOf = (subgraph: string) => `p:${encodeURIComponent(subgraph)}`;

/** Of the subgraphs that are asked, as each lookup wants to know. */
const namesOfParts = new Map<string, { own: string; shown: string }>();

function partsOf(subgraph: string): { own: string; shown: string } {
  let known = namesOfParts.get(subgraph);
  if (known === undefined) {
    known = { own: partOf(subgraph), shown: publicPartOf(subgraph) };
    namesOfParts.set(subgraph, known);
  }
  return known;
}

/** What a mutation can change that has some fields. */
export function createReachOf(reaches: MutationReaches): (fields: readonly string[]) => Reach {
  const known = new Map(Object.entries(reaches).map(([field, reach]) => [field, reachOf(reach)]));
  return (fields) => {
    const [first = ANYTHING, ...others] = fields.map((field) => known.get(field) ?? ANYTHING);
    return others.reduce(together, first);
  };
}

function reachOf({ subgraphs, public: isPublic = true, returnedOnly: isReturned = false }: MutationReach): Reach {
  if (subgraphs === undefined) return { parts: isPublic ? null : [ALL_SUBGRAPHS], isPublic, isReturned };
  const parts = subgraphs.flatMap((name) => [partOf(name), ...(isPublic ? [publicPartOf(name)] : [])]);
  return { parts, isPublic, isReturned };
}

function together(one: Reach, other: Reach): Reach {
  const parts = one.parts === null || other.parts === null ? null : [...new Set([...one.parts, ...other.parts])];
  // One may have returned what another has changed once more, or nothing.
  return { parts, isPublic: one.isPublic || other.isPublic, isReturned: false };
}

/** Parts of what a principal has changed: `told` is what the tags tell, too, and `b:` what has begun and may reach anything. */
export const TOLD = 'told';
const BEGUN = 'b:';
export const begunPart = (id: string) => `${BEGUN}${id}`;

/** What is older than `since` lacks something that a principal has changed; what is older than `told` may. */
export function seenIn(marker: Marker): { since: Marker; told: number } {
  const { parts } = marker;
  let { all } = marker;
  for (const [part, marked] of parts) if (part.startsWith(BEGUN)) all = Math.max(all, marked);
  return { since: { all, parts }, told: parts.get(TOLD) ?? 0 };
}

/** When something was last changed, as far as a subgraph's answers show it. */
export function changedIn({ all, parts }: Marker, subgraph: string): number {
  if (parts.size === 0) return all;
  return Math.max(all, parts.get(ALL_SUBGRAPHS) ?? 0, parts.get(partsOf(subgraph).own) ?? 0);
}

/** When somebody last changed something, as far as a subgraph shows it to everybody. */
export function changedForAllIn({ all, parts }: Marker, subgraph: string): number {
  return parts.size === 0 ? all : Math.max(all, parts.get(partsOf(subgraph).shown) ?? 0);
}

type CheckedSupergraph = Pick<LoadedSupergraph, 'schema' | 'subgraphs' | 'keys' | 'possibleTypes'>;

/** @throws SettingsError that names what a supergraph does not have, or does not do so: by it, nothing would be old */
export function checkReaches(reaches: MutationReaches, supergraph: CheckedSupergraph): void {
  const { schema, subgraphs } = supergraph;
  const fields = schema.getMutationType()?.getFields() ?? {};
  const names = new Set(subgraphs.map(({ name }) => name));
  const problems = Object.entries(reaches).flatMap(([field, reach]) => [
    ...(Object.hasOwn(fields, field) ? [] : [`${field} is no mutation of the supergraph`]),
    ...(reach.subgraphs ?? [])
      .filter((name) => !names.has(name))
      .map((name) => `${field}: ${name} is no subgraph of the supergraph`),
    ...(reach.returnedOnly === true ? notOneEntity(field, fields[field]?.type, supergraph) : []),
  ]);
  if (problems.length > 0) throw new SettingsError('responseCache.mutations', problems);
}

function notOneEntity(
  field: string,
  type: GraphQLOutputType | undefined,
  { keys, possibleTypes }: CheckedSupergraph,
): string[] {
  if (type === undefined) return [];
  const { name } = getNamedType(type);
  const names = [name, ...(possibleTypes.get(name) ?? [])];
  const isEntity = [...keys.values()].some((ofSubgraph) => names.some((each) => ofSubgraph.has(each)));
  if (isEntity && !isListType(getNullableType(type))) return [];
  return [
    `${field}: returnedOnly is of what returns one entity, and ${String(type)} is none: clients may not select what has changed`,
  ];
}
