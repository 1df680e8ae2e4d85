import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import type { OperationLimits } from './operation-limits.ts';
import { limitExceeded } from './scan-document.ts';

interface Size {
  depth: number;
  aliases: number;
  /** Fields at the top of the selection set. */
  width: number;
  fields: number;
}

/**
 * Checks every operation of a document against the limits, fragments spread. Runs before validation,
 * whose cost grows with the square of the fields; a fragment is measured once however often it is
 * spread, and one that spreads itself counts as empty (validation refuses it).
 *
 * @throws OperationRefused with OPERATION_LIMIT_EXCEEDED
 */
export function measureOperations(document: DocumentNode, limits: OperationLimits): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Size>();

  const measureFragment = (name: string): Size => {
    const known = measured.get(name);
    if (known !== undefined) return known;
    const none = { depth: 0, aliases: 0, width: 0, fields: 0 };
    measured.set(name, none);
    const fragment = fragments.get(name);
    const size = fragment === undefined ? none : measure(fragment.selectionSet);
    measured.set(name, size);
    return size;
  };

  const measure = (selectionSet: SelectionSetNode): Size => {
    const size = { depth: 0, aliases: 0, width: 0, fields: 0 };
    for (const selection of selectionSet.selections) {
      if (selection.kind === Kind.FIELD) {
        const inner = selection.selectionSet === undefined ? null : measure(selection.selectionSet);
        size.depth = Math.max(size.depth, 1 + (inner?.depth ?? 0));
        size.aliases += (selection.alias === undefined ? 0 : 1) + (inner?.aliases ?? 0);
        size.width += 1;
        size.fields += 1 + (inner?.fields ?? 0);
      } else {
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? measureFragment(selection.name.value)
            : measure(selection.selectionSet);
        size.depth = Math.max(size.depth, inner.depth);
        size.aliases += inner.aliases;
        size.width += inner.width;
        size.fields += inner.fields;
      }
    }
    return size;
  };

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
    const size =
      definition.kind === Kind.FRAGMENT_DEFINITION
        ? measureFragment(definition.name.value)
        : measure(definition.selectionSet);
    if (size.depth > limits.maxDepth) throw limitExceeded('depth', limits.maxDepth, size.depth);
    if (size.aliases > limits.maxAliases) throw limitExceeded('aliases', limits.maxAliases, size.aliases);
    if (size.fields > limits.maxFields) throw limitExceeded('fields', limits.maxFields, size.fields);
    if (definition.kind === Kind.OPERATION_DEFINITION && size.width > limits.maxRootFields) {
      throw limitExceeded('rootFields', limits.maxRootFields, size.width);
    }
  }
}
