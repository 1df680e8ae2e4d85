import { visit } from 'graphql';
import type { ConstDirectiveNode, DocumentNode } from 'graphql';
import { isUnresolvable } from './join-fields.ts';

/**
 * The supergraph with the keys of each type in another order: those by which a subgraph resolves entities come first.
 * The planner enters a subgraph again by the first key whose fields it has, whether or not it is `resolvable`.
 */
export function orderKeys(document: DocumentNode): DocumentNode {
  const ordered = <T extends { readonly directives?: readonly ConstDirectiveNode[] | undefined }>(type: T): T => ({
    ...type,
    directives: type.directives?.toSorted((a, b) => Number(isUnresolvable(a)) - Number(isUnresolvable(b))),
  });
  return visit(document, { ObjectTypeDefinition: ordered, InterfaceTypeDefinition: ordered });
}
