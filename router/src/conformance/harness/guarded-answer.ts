import { execute, GraphQLError, parse, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { ExecutionResult, FieldNode, GraphQLSchema } from 'graphql';
import { isArgs } from './domain.ts';
import type { Operation } from './expect-same.ts';
import { BROKEN } from './marked-data.ts';
import type { MarkedData } from './marked-data.ts';
import type { Asker, Guards } from './requirements-of.ts';

export interface GuardedGraph {
  /** What clients see. */
  schema: GraphQLSchema;
  guards: Guards;
  data: MarkedData;
  /** Whose the data is that somebody is answered. */
  ownerOf: (asker: Asker) => string;
}

/** What somebody is to be answered: graphql-js on the whole of the data, where what they may not ask for fails. */
export async function guardedAnswer(
  { schema, guards, data, ownerOf }: GuardedGraph,
  { query, variables }: Operation,
  asker: Asker,
): Promise<ExecutionResult> {
  const document = parse(query);
  const parents = new Map<FieldNode, string>();
  const info = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(info, { Field: (node) => void parents.set(node, info.getParentType()?.name ?? '') }),
  );
  const owner = ownerOf(asker);
  return execute({
    schema,
    document,
    variableValues: variables,
    fieldResolver(source, args, _context, { fieldName, fieldNodes, parentType, returnType }) {
      const asked = fieldNodes.some((node) => guards.mayAsk(asker, parents.get(node) ?? '', fieldName));
      if (!asked) throw new GraphQLError('Unauthorized field or type');
      if (fieldName === BROKEN) throw new GraphQLError('It is broken.');
      const known = isArgs(source) ? source[fieldName] : undefined;
      return known ?? data.valueOf(returnType, { coordinate: data.coordinateOf(parentType, fieldName), args, owner });
    },
  });
}
