import { Supergraph } from '@apollo/federation-internals';
import type { Schema } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import { validateSchema } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import type { AnnotationTable } from './annotations.ts';
import { splitSupergraph } from './split-supergraph.ts';

/** A supergraph made ready to plan and execute on. Immutable: a new SDL makes a new one. */
export interface LoadedSupergraph {
  /** What clients see: no inaccessible elements, no federation machinery. */
  schema: GraphQLSchema;
  /** The same for Apollo's planner and executor. */
  apiSchema: Schema;
  /** The full schema, inaccessible elements included: what subgraphs speak. */
  supergraphSchema: GraphQLSchema;
  planner: QueryPlanner;
  annotations: AnnotationTable;
  subgraphs: readonly { name: string; url: string }[];
}

/**
 * @throws GraphQLError on a text that is no supergraph, or that links a feature `for: SECURITY` or
 * `for: EXECUTION` which the router does not know
 */
export function loadSupergraph(sdl: string): LoadedSupergraph {
  const { document, annotations } = splitSupergraph(sdl);
  const supergraph = Supergraph.build(document);
  const apiSchema = supergraph.apiSchema();
  const schema = apiSchema.toGraphQLJSSchema();
  const [problem] = validateSchema(schema);
  if (problem !== undefined) throw problem;
  return {
    schema,
    apiSchema,
    supergraphSchema: supergraph.schema.toGraphQLJSSchema(),
    planner: new QueryPlanner(supergraph),
    annotations,
    subgraphs: supergraph.subgraphsMetadata(),
  };
}
