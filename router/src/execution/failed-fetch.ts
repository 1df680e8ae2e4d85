import { Kind, parse } from 'graphql';
import type { GraphQLFormattedError, SelectionSetNode } from 'graphql';
import type { SubgraphFailure, SubgraphRequest, SubgraphResponse } from '../subgraphs/subgraph-transport.ts';
import { isRecord } from '../demand/list-size.ts';

/** More errors than anybody reads; each still stands at a null of its own. */
const MAX_ERRORS = 100;

/**
 * The answer that a subgraph would have given had each of its fields failed: one error per field at
 * the top of the fetch, per entity where it fetches entities.
 */
export function failedFetch(request: SubgraphRequest, failure: SubgraphFailure): SubgraphResponse {
  const set = selectionsOf(request.operation.query);
  const representations = request.variables?.['representations'];
  const paths: (string | number)[][] = [];
  if (Array.isArray(representations)) {
    representations.forEach((representation: unknown, index) => {
      const type = isRecord(representation) ? representation['__typename'] : undefined;
      for (const name of fieldNames(entitySelections(set), type)) paths.push(['_entities', index, name]);
    });
  } else {
    for (const name of fieldNames(set, undefined)) paths.push([name]);
  }
  const errors = paths
    .slice(0, MAX_ERRORS)
    .map((path): GraphQLFormattedError => ({ message: failure.message, path, extensions: { code: failure.code } }));
  return { data: null, errors };
}

function selectionsOf(query: string): SelectionSetNode | undefined {
  const operation = parse(query, { noLocation: true }).definitions.find(
    ({ kind }) => kind === Kind.OPERATION_DEFINITION,
  );
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
}

function entitySelections(set: SelectionSetNode | undefined): SelectionSetNode | undefined {
  const entities = set?.selections.find(
    (selection) => selection.kind === Kind.FIELD && selection.name.value === '_entities',
  );
  return entities?.kind === Kind.FIELD ? entities.selectionSet : undefined;
}

/** Response names at the top of a selection set; of entities, those on the type that was represented. */
function fieldNames(set: SelectionSetNode | undefined, type: unknown): Set<string> {
  const names = new Set<string>();
  for (const selection of set?.selections ?? []) {
    if (selection.kind === Kind.FIELD && selection.name.value !== '__typename') {
      names.add(selection.alias?.value ?? selection.name.value);
    }
    if (selection.kind !== Kind.INLINE_FRAGMENT) continue;
    const condition = selection.typeCondition?.name.value;
    if (type !== undefined && condition !== undefined && condition !== type) continue;
    for (const name of fieldNames(selection.selectionSet, type)) names.add(name);
  }
  return names;
}
