import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import { getNamedType, isCompositeType, Kind, parse } from 'graphql';
import type { GraphQLCompositeType, GraphQLSchema, SelectionSetNode } from 'graphql';
import type { Access } from '../auth/access.ts';
import { compositeType, fieldOf } from '../auth/filter-operation.ts';
import type { FetchStep } from './compile-plan.ts';

/**
 * Whether a fetch has to do with fields that the caller may not see. A plan asks for keys on its own account, and
 * sends them on; what a subgraph says in words may quote them. Looked into when there is an error, and remembered.
 */
export function createHides({
  schema,
  access,
}: {
  schema: GraphQLSchema;
  access: Access;
}): (step: FetchStep) => boolean {
  const known = new WeakMap<FetchStep, boolean>();

  const isHidden = (parent: GraphQLCompositeType | null, name: string): boolean => {
    const field = parent === null ? undefined : fieldOf(parent, name);
    return parent !== null && field !== undefined && !access.mayRead(parent, field);
  };

  const returnedBy = (parent: GraphQLCompositeType | null, name: string): GraphQLCompositeType | null => {
    const type = parent === null ? undefined : getNamedType(fieldOf(parent, name)?.type);
    return isCompositeType(type) ? type : null;
  };

  const selects = (set: SelectionSetNode, parent: GraphQLCompositeType | null): boolean =>
    set.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        if (isHidden(parent, name)) return true;
        return selection.selectionSet !== undefined && selects(selection.selectionSet, returnedBy(parent, name));
      }
      if (selection.kind === Kind.FRAGMENT_SPREAD) return false;
      const condition = selection.typeCondition?.name.value;
      return selects(selection.selectionSet, condition === undefined ? parent : compositeType(schema, condition));
    });

  const represents = (selections: readonly QueryPlanSelectionNode[], parent: GraphQLCompositeType | null): boolean =>
    selections.some((selection) => {
      if (selection.kind === 'InlineFragment') {
        const { typeCondition: condition } = selection;
        return represents(selection.selections, condition === undefined ? parent : compositeType(schema, condition));
      }
      const { name, selections: inner = [] } = selection;
      return isHidden(parent, name) || represents(inner, returnedBy(parent, name));
    });

  return (step) => {
    let hides = known.get(step);
    if (hides === undefined) {
      hides =
        represents(step.requires, null) ||
        parse(step.operation.query, { noLocation: true }).definitions.some(
          // Where a plan has fragments of its own, they are looked at by their own types.
          (definition) =>
            (definition.kind === Kind.OPERATION_DEFINITION &&
              selects(definition.selectionSet, schema.getRootType(definition.operation) ?? null)) ||
            (definition.kind === Kind.FRAGMENT_DEFINITION &&
              selects(definition.selectionSet, compositeType(schema, definition.typeCondition.name.value))),
        );
      known.set(step, hides);
    }
    return hides;
  };
}
