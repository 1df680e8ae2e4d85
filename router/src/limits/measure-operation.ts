import { Kind, visit } from 'graphql';
import type { DirectiveNode, DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import type { OperationLimits } from './operation-limits.ts';
import { limitExceeded } from './scan-document.ts';

interface Size {
  depth: number;
  aliases: number;
  /** Fields at the top of the selection set. */
  width: number;
  fields: number;
  directives: number;
  defers: number;
}

const empty = (): Size => ({ depth: 0, aliases: 0, width: 0, fields: 0, directives: 0, defers: 0 });

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
    const none = empty();
    measured.set(name, none);
    const fragment = fragments.get(name);
    const size = fragment === undefined ? none : measure(fragment.selectionSet);
    countDirectives(size, fragment?.directives);
    measured.set(name, size);
    return size;
  };

  const measure = (selectionSet: SelectionSetNode): Size => {
    const size = empty();
    for (const selection of selectionSet.selections) {
      countDirectives(size, selection.directives);
      if (selection.kind === Kind.FIELD) {
        if (selection.selectionSet !== undefined) add(size, measure(selection.selectionSet), 1);
        size.depth = Math.max(size.depth, 1);
        if (selection.alias !== undefined) size.aliases += 1;
        size.width += 1;
        size.fields += 1;
      } else {
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? measureFragment(selection.name.value)
            : measure(selection.selectionSet);
        add(size, inner, 0);
        size.width += inner.width;
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
    if (definition.kind === Kind.OPERATION_DEFINITION) {
      countDirectives(size, definition.directives);
      for (const variable of definition.variableDefinitions ?? []) countDirectives(size, variable.directives);
    }
    if (size.depth > limits.maxDepth) throw limitExceeded('depth', limits.maxDepth, size.depth);
    if (size.aliases > limits.maxAliases) throw limitExceeded('aliases', limits.maxAliases, size.aliases);
    if (size.fields > limits.maxFields) throw limitExceeded('fields', limits.maxFields, size.fields);
    if (size.directives > limits.maxDirectives) {
      throw limitExceeded('directives', limits.maxDirectives, size.directives);
    }
    if (size.defers > limits.maxDefers) throw limitExceeded('defers', limits.maxDefers, size.defers);
    if (definition.kind === Kind.OPERATION_DEFINITION && size.width > limits.maxRootFields) {
      throw limitExceeded('rootFields', limits.maxRootFields, size.width);
    }
  }
  visit(document, {
    ListValue({ values }) {
      if (values.length > limits.maxListLength) {
        throw limitExceeded('listLength', limits.maxListLength, values.length);
      }
    },
  });
}

/** What is selected `levels` below counts as often as it is selected. */
function add(size: Size, inner: Size, levels: number): void {
  size.depth = Math.max(size.depth, inner.depth + levels);
  size.aliases += inner.aliases;
  size.fields += inner.fields;
  size.directives += inner.directives;
  size.defers += inner.defers;
}

function countDirectives(size: Size, directives: readonly DirectiveNode[] = []): void {
  size.directives += directives.length;
  for (const { name } of directives) if (name.value === 'defer') size.defers += 1;
}
