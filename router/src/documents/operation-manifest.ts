import { hash } from 'node:crypto';
import { Kind, parse, print, visit } from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';

/** Apollo's persisted query manifest (apollographql.com/docs/graphos/platform/security/persisted-queries). */
export interface OperationManifest {
  format: 'apollo-persisted-query-manifest';
  version: 1;
  operations: ManifestOperation[];
}

export interface ManifestOperation {
  id: string;
  name: string;
  type: `${OperationTypeNode}`;
  body: string;
}

/**
 * The manifest of the operations in a text of GraphQL, fragments among them: as Apollo Client sends them, which adds
 * `__typename` to what is selected, or as they are written. Its ids are SHA-256 of the bodies.
 *
 * @throws GraphQLError; Error where an operation has no name, or one that another has
 */
export function manifestOf(text: string, form: 'apollo-client' | 'as-written'): OperationManifest {
  const document = parse(text);
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  const named = new Map<string, ManifestOperation>();
  for (const operation of operations) {
    const name = operation.name?.value;
    if (name === undefined) throw new Error('An operation has no name: clients ask for it by its name.');
    if (named.has(name)) throw new Error(`Two operations are named ${name}.`);
    const whole = withFragments(operation, fragments);
    const body = print(form === 'apollo-client' ? withTypenames(whole) : whole);
    named.set(name, { id: hash('sha256', body), name, type: operation.operation, body });
  }
  return {
    format: 'apollo-persisted-query-manifest',
    version: 1,
    operations: [...named.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** An operation and, by name, the fragments that it needs: the order in which Apollo's tools hash them. */
function withFragments(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): DocumentNode {
  const needed = new Map<string, FragmentDefinitionNode>();
  const collect = (node: OperationDefinitionNode | FragmentDefinitionNode): void => {
    visit(node, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment === undefined) throw new Error(`There is no fragment ${name.value}.`);
        if (needed.has(name.value)) return;
        needed.set(name.value, fragment);
        collect(fragment);
      },
    });
  };
  collect(operation);
  const sorted = [...needed].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, fragment]) => fragment);
  return { kind: Kind.DOCUMENT, definitions: [operation, ...sorted] };
}

const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** Wherever Apollo Client's cache adds it: not at the root, and not where a meta field stands already. */
function withTypenames(document: DocumentNode): DocumentNode {
  return visit(document, {
    SelectionSet(node, _key, parent) {
      if (parent !== undefined && 'kind' in parent && parent.kind === Kind.OPERATION_DEFINITION) return undefined;
      const meta = node.selections.some(
        (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith('__'),
      );
      return meta ? undefined : { ...node, selections: [...node.selections, TYPENAME] };
    },
  });
}
