import { Kind, visit } from 'graphql';
import type { DocumentNode } from 'graphql';

/** The labels of a supergraph's progressive overrides (`@override(from:, label:)`), sorted. */
export function readOverrideLabels(document: DocumentNode): string[] {
  const labels = new Set<string>();
  visit(document, {
    Argument({ name, value }) {
      if (name.value === 'overrideLabel' && value.kind === Kind.STRING) labels.add(value.value);
    },
  });
  return [...labels].toSorted();
}
