import type { FetchNode, QueryPlan, QueryPlanSelectionNode } from '@apollo/query-planner';
import { Kind, parse } from 'graphql';
import type { DocumentNode, SelectionSetNode } from 'graphql';
import { pathsOf, readFieldFacts } from './field-facts.ts';
import type { FieldFacts, FieldPaths } from './field-facts.ts';
import { planFetches } from './plan-fetches.ts';
import type { PlannerSupergraph } from './planner-protocol.ts';

type PossibleTypes = PlannerSupergraph['possibleTypes'];

/** What a subgraph has of an object that is not its own. */
interface Given {
  /** What is in the representations of the entities of a type. */
  sent: (type: string) => FieldPaths;
  provided: FieldPaths;
}

const NOTHING: FieldPaths = new Set();
const nothingSent = () => NOTHING;

/**
 * Tells whether a plan asks subgraphs for what they have, and for every field that requires others where the subgraph
 * has these: they are in the representation of the entity, or it is asked for them in the same place and so has them
 * itself.
 */
export function requirementsCheck(document: DocumentNode, possibleTypes: PossibleTypes): (plan: QueryPlan) => boolean {
  const facts = readFieldFacts(document);
  return ({ node }) => planFetches(node).every((fetch) => keepsRequirements(fetch, facts, possibleTypes));
}

function keepsRequirements(fetch: FetchNode, facts: FieldFacts, possibleTypes: PossibleTypes): boolean {
  const { serviceName: subgraph, requires } = fetch;

  /** Whether the subgraph has something of an object without being told. */
  function has(type: string, path: string, provided: FieldPaths): boolean {
    const [field = '', ...below] = path.split('.');
    if (provided.has(path)) return true;
    if (facts.isExternal(subgraph, type, field)) return false;
    return below.length === 0 || has(facts.typeOf(subgraph, type, field), below.join('.'), NOTHING);
  }

  function fits(set: SelectionSetNode, type: string, { sent, provided }: Given, selected = pathsOf(set)): boolean {
    return set.selections.every((selection) => {
      // The planner makes none.
      if (selection.kind === Kind.FRAGMENT_SPREAD) return true;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? type;
        return fits(selection.selectionSet, condition, { sent, provided }, selected);
      }
      const name = selection.name.value;
      const told = sent(type);
      const isGiven = (path: string) => told.has(path) || (selected.has(path) && has(type, path, provided));
      if (!has(type, name, provided) || ![...facts.requiredBy(subgraph, type, name)].every(isGiven)) return false;
      if (selection.selectionSet === undefined) return true;
      const isEntities = requires !== undefined && name === '_entities';
      const below: Given = {
        sent: isEntities ? (entity) => pathsSent(requires, entity, possibleTypes) : nothingSent,
        provided: providedBelow(name, provided, facts.providedBy(subgraph, type, name)),
      };
      return fits(selection.selectionSet, facts.typeOf(subgraph, type, name), below);
    });
  }

  return parse(fetch.operation, { noLocation: true }).definitions.every(
    (definition) =>
      definition.kind !== Kind.OPERATION_DEFINITION ||
      fits(definition.selectionSet, facts.rootType(definition.operation), { sent: nothingSent, provided: NOTHING }),
  );
}

function providedBelow(field: string, provided: FieldPaths, own: FieldPaths): FieldPaths {
  const prefix = `${field}.`;
  const inner = [...provided].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  return new Set([...own, ...inner]);
}

/**
 * Of an interface object, what is sent of any of its types: to some of these, what requires something may not be meant.
 */
function pathsSent(
  requires: readonly QueryPlanSelectionNode[],
  entity: string,
  possibleTypes: PossibleTypes,
): FieldPaths {
  return pathsRepresented(
    requires.filter((selection) => {
      const type = selection.kind === 'InlineFragment' ? (selection.typeCondition ?? entity) : entity;
      return type === entity || possibleTypes.get(type)?.has(entity) || possibleTypes.get(entity)?.has(type);
    }),
  );
}

function pathsRepresented(selections: readonly QueryPlanSelectionNode[], prefix = ''): Set<string> {
  const paths = new Set<string>();
  for (const selection of selections) {
    const path = selection.kind === 'Field' ? `${prefix}${selection.name}` : null;
    if (path !== null) paths.add(path);
    const below = pathsRepresented(selection.selections ?? [], path === null ? prefix : `${path}.`);
    for (const each of below) paths.add(each);
  }
  return paths;
}
