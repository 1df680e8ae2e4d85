import { Kind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, SelectionSetNode } from 'graphql';
import type { OperationLimits } from '../limits/operation-limits.ts';
import { createDocumentCache, remember } from '../operations/document-cache.ts';
import { parseWithin } from '../operations/parse-document.ts';
import { OperationRefused } from '../operations/refusal.ts';

const META_FIELDS: ReadonlySet<string> = new Set(['__schema', '__type', '__typename']);

/** Whether a document asks for nothing but the schema. One that is no document, or is beyond the limits, does not. */
export function createIntrospectionOnly(limits: OperationLimits): (text: string) => boolean {
  const known = createDocumentCache<{ only: boolean }>(100);
  return (text) => remember(known, text, () => ({ only: introspectsOnly(text, limits) })).only;
}

function introspectsOnly(text: string, limits: OperationLimits): boolean {
  try {
    return onlyMetaFields(parseWithin(text, limits));
  } catch (error) {
    // A long chain of fragments overflows the stack; nobody asks for the schema in that way.
    if (error instanceof OperationRefused || error instanceof RangeError) return false;
    throw error;
  }
}

function onlyMetaFields({ definitions }: DocumentNode): boolean {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const seen = new Set<string>();
  const onlyMeta = (set: SelectionSetNode): boolean =>
    set.selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return META_FIELDS.has(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return onlyMeta(selection.selectionSet);
      const name = selection.name.value;
      if (seen.has(name)) return true;
      seen.add(name);
      const fragment = fragments.get(name);
      return fragment !== undefined && onlyMeta(fragment.selectionSet);
    });
  return operations.length > 0 && operations.every(({ selectionSet }) => onlyMeta(selectionSet));
}
