import { Kind, parse, visit } from 'graphql';
import type { ASTNode, DocumentNode } from 'graphql';
import type { AnnotationTable } from './annotations.ts';
import { linkedFeatures } from './linked-features.ts';
import type { LinkedFeature } from './linked-features.ts';
import { readAnnotations } from './read-annotations.ts';
import type { AnnotationNames } from './read-annotations.ts';

/** The features whose meaning the router knows, each in the exact versions that it was written for. */
const KNOWN: Record<string, { versions: readonly string[]; directives: readonly (keyof AnnotationNames)[] }> = {
  'https://specs.apollo.dev/authenticated': { versions: ['v0.1'], directives: ['authenticated'] },
  'https://specs.apollo.dev/requiresScopes': { versions: ['v0.1'], directives: ['requiresScopes'] },
  'https://specs.apollo.dev/policy': { versions: ['v0.1'], directives: ['policy'] },
  'https://specs.apollo.dev/cost': { versions: ['v0.1'], directives: ['cost', 'listSize'] },
};

export interface SplitSupergraph {
  /** The supergraph without what was split off: what the planner loads. */
  document: DocumentNode;
  annotations: AnnotationTable;
}

/**
 * Splits the security and cost annotations off a supergraph.
 *
 * A feature in a version that is not known stays in the document, so that loading it fails closed
 * when the feature is linked `for: SECURITY`; cost has no purpose of its own and is refused here.
 *
 * @throws GraphQLError where the text is not a GraphQL document, Error on an unknown version of the cost feature
 */
export function splitSupergraph(sdl: string): SplitSupergraph {
  const document = parse(sdl, { noLocation: true });
  const names: AnnotationNames = {};
  const known: LinkedFeature[] = [];
  for (const feature of linkedFeatures(document)) {
    const entry = KNOWN[feature.identity];
    if (entry === undefined) continue;
    if (!entry.versions.includes(feature.version)) {
      if (feature.identity.endsWith('/cost')) {
        throw new Error(
          `The supergraph links ${feature.identity}/${feature.version}; known is ${entry.versions.join()}.`,
        );
      }
      continue;
    }
    known.push(feature);
    for (const directive of entry.directives) names[directive] = feature.directiveName(directive);
  }
  if (known.length === 0) return { document, annotations: readAnnotations(document, {}) };
  return { annotations: readAnnotations(document, names), document: withoutFeatures(document, known) };
}

function withoutFeatures(document: DocumentNode, features: readonly LinkedFeature[]): DocumentNode {
  const links = new Set<ASTNode>(features.map((feature) => feature.node));
  const owned = (name: string) => features.some((feature) => feature.owns(name));
  return visit(document, {
    enter(node) {
      const belongs =
        node.kind === Kind.DIRECTIVE
          ? links.has(node) || owned(`@${node.name.value}`)
          : node.kind === Kind.DIRECTIVE_DEFINITION
            ? owned(`@${node.name.value}`)
            : node.kind === Kind.SCALAR_TYPE_DEFINITION && owned(node.name.value);
      return belongs ? null : undefined;
    },
  });
}
