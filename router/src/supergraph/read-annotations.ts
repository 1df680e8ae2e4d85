import { isTypeDefinitionNode, Kind, valueFromASTUntyped } from 'graphql';
import type { ConstDirectiveNode, DocumentNode, FieldDefinitionNode, InputValueDefinitionNode } from 'graphql';
import { z } from 'zod';
import type { AnnotationTable, ListSize, Requirement } from './annotations.ts';
import { addTransitiveRequirements } from './transitive-requirements.ts';
import type { ReadType } from './transitive-requirements.ts';

/** The names under which the annotating directives stand in a document; absent where the feature is not linked. */
export interface AnnotationNames {
  authenticated?: string;
  requiresScopes?: string;
  policy?: string;
  cost?: string;
  listSize?: string;
}

/** Nothing to choose from, or nothing to hold, is no requirement: so composition reads it, and the Apollo Router. */
const groupsSchema = z
  .array(z.array(z.string()))
  .transform((groups) => (groups.length === 0 || groups.some((group) => group.length === 0) ? null : groups));
const argumentSchemas = {
  requiresScopes: z.object({ scopes: groupsSchema }),
  policy: z.object({ policies: groupsSchema }),
  cost: z.object({ weight: z.number() }),
  listSize: z.object({
    assumedSize: z.number().nullish(),
    slicingArguments: z.array(z.string()).nullish(),
    sizedFields: z.array(z.string()).nullish(),
    requireOneSlicingArgument: z.boolean().nullish(),
  }),
};

type Annotated = { readonly directives?: readonly ConstDirectiveNode[] | undefined };

/** Reads the annotations off a supergraph document into a table. */
export function readAnnotations(document: DocumentNode, names: AnnotationNames): AnnotationTable {
  const types = new Map<string, ReadType>();
  for (const definition of document.definitions) {
    if (!isTypeDefinitionNode(definition)) continue;
    const type = {
      requirement: requirementOf(definition, names),
      cost: costOf(definition, names),
      fields: 'fields' in definition ? fieldsOf(definition.fields ?? [], names) : new Map(),
    };
    if (type.requirement !== null || type.cost !== null || type.fields.size > 0) {
      types.set(definition.name.value, type);
    }
  }
  addTransitiveRequirements(types, document);
  const requirements = [...types.values()]
    .flatMap((type) => [type.requirement, ...[...type.fields.values()].map((field) => field.requirement)])
    .filter((requirement) => requirement !== null);
  return {
    types,
    scopes: new Set(requirements.flatMap((requirement) => requirement.scopes?.flat() ?? [])),
    policies: new Set(requirements.flatMap((requirement) => requirement.policies?.flat() ?? [])),
  };
}

function fieldsOf(
  fields: readonly (FieldDefinitionNode | InputValueDefinitionNode)[],
  names: AnnotationNames,
): ReadType['fields'] {
  const annotated: ReadType['fields'] = new Map();
  for (const field of fields) {
    const argumentCosts = new Map<string, number>();
    for (const argument of field.kind === Kind.FIELD_DEFINITION ? (field.arguments ?? []) : []) {
      const cost = costOf(argument, names);
      if (cost !== null) argumentCosts.set(argument.name.value, cost);
    }
    const requirement = requirementOf(field, names);
    const cost = costOf(field, names);
    const listSize = listSizeOf(field, names);
    if (requirement !== null || cost !== null || listSize !== null || argumentCosts.size > 0) {
      annotated.set(field.name.value, { requirement, transitive: [], cost, listSize, argumentCosts });
    }
  }
  return annotated;
}

function requirementOf(node: Annotated, names: AnnotationNames): Requirement | null {
  const authenticated = directive(node, names.authenticated) !== undefined;
  const scopes = argumentsOf(node, names.requiresScopes, argumentSchemas.requiresScopes)?.scopes ?? null;
  const policies = argumentsOf(node, names.policy, argumentSchemas.policy)?.policies ?? null;
  return authenticated || scopes !== null || policies !== null ? { authenticated, scopes, policies } : null;
}

function costOf(node: Annotated, names: AnnotationNames): number | null {
  return argumentsOf(node, names.cost, argumentSchemas.cost)?.weight ?? null;
}

function listSizeOf(node: Annotated, names: AnnotationNames): ListSize | null {
  const size = argumentsOf(node, names.listSize, argumentSchemas.listSize);
  if (size === null) return null;
  return {
    assumedSize: size.assumedSize ?? null,
    slicingArguments: size.slicingArguments ?? [],
    sizedFields: size.sizedFields ?? [],
    requireOneSlicingArgument: size.requireOneSlicingArgument ?? true,
  };
}

function directive(node: Annotated, name: string | undefined): ConstDirectiveNode | undefined {
  return name === undefined ? undefined : node.directives?.find((candidate) => candidate.name.value === name);
}

/** @throws ZodError on arguments of another shape: a known version of a feature fixes them. */
function argumentsOf<T>(node: Annotated, name: string | undefined, schema: z.ZodType<T>): T | null {
  const found = directive(node, name);
  if (found === undefined) return null;
  return schema.parse(
    Object.fromEntries((found.arguments ?? []).map(({ name: key, value }) => [key.value, valueFromASTUntyped(value)])),
  );
}
