import {
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  OperationTypeNode,
} from 'graphql';
import type {
  ConstDirectiveNode,
  DocumentNode,
  FieldNode,
  GraphQLCompositeType,
  GraphQLSchema,
  SelectionSetNode,
} from 'graphql';

/** What `@cacheControl` says; absent where it does not. */
interface Hint {
  maxAge?: number;
  isPrivate?: boolean;
  inherits?: boolean;
}

/** Seconds, and for whom. */
interface Policy {
  maxAge: number;
  isPrivate: boolean;
}

/**
 * The `Cache-Control` of an answer without errors to a document; null: none.
 *
 * @param seconds for which it may be kept at most, by what it turned out to contain (`caching` of the context)
 */
export type CacheHints = (document: DocumentNode, seconds: number) => string | null;

/**
 * Says how long an answer may be kept, by the `@cacheControl` of what is selected, with Apollo Server's defaults: root
 * fields and fields of object types may not be unless they are marked, others as long as what they are part of. Apollo's
 * own plugin looks at each field that is resolved, which takes longer than most resolvers do; here it is decided once per
 * document, as if everything selected were there; what an answer turns out to contain can only restrict it.
 */
export function createCacheHints(schema: GraphQLSchema): CacheHints {
  const policies = new WeakMap<DocumentNode, Policy | null>();
  return (document, seconds) => {
    let policy = policies.get(document);
    if (policy === undefined) {
      policy = policyOf(document, schema);
      policies.set(document, policy);
    }
    if (policy === null) return null;
    const maxAge = Math.floor(Math.min(policy.maxAge, seconds));
    return maxAge > 0 ? `max-age=${maxAge}, ${policy.isPrivate ? 'private' : 'public'}` : null;
  };
}

/** Null where it cannot be said: no query, several operations, or what a schema does not have. */
function policyOf(document: DocumentNode, schema: GraphQLSchema): Policy | null {
  const [operation, ...others] = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const root = schema.getQueryType();
  if (operation?.kind !== Kind.OPERATION_DEFINITION || others.length > 0 || !root) return null;
  if (operation.operation !== OperationTypeNode.QUERY) return null;
  const fragments = new Map(
    document.definitions.flatMap((each) =>
      each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
    ),
  );
  const policy: Policy = { maxAge: Infinity, isPrivate: false };

  const restrict = ({ maxAge, isPrivate }: Hint): void => {
    if (maxAge !== undefined) policy.maxAge = Math.min(policy.maxAge, maxAge);
    if (isPrivate === true) policy.isPrivate = true;
  };

  const visitSet = (set: SelectionSetNode, on: GraphQLCompositeType, isRoot: boolean): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        visitField(selection, on, isRoot);
        continue;
      }
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      if (fragment === undefined) continue;
      const type = fragment.typeCondition === undefined ? on : schema.getType(fragment.typeCondition.name.value);
      if (isCompositeType(type)) visitSet(fragment.selectionSet, type, isRoot);
    }
  };

  const visitField = (field: FieldNode, on: GraphQLCompositeType, isRoot: boolean): void => {
    if (field.name.value === '_entities' && isRoot) {
      visitEntities(field);
      return;
    }
    const definition = isObjectType(on) || isInterfaceType(on) ? on.getFields()[field.name.value] : undefined;
    // `__typename` may be kept with whatever it is the name of.
    if (definition === undefined) return;
    const own = hintOf(definition.astNode?.directives);
    const returned = getNamedType(definition.type);
    if (!isCompositeType(returned)) {
      restrict(isRoot ? { maxAge: 0, ...own } : own);
      return;
    }
    const ofType = typeHint(returned);
    const inherits = own.inherits === true && ofType.maxAge === undefined;
    const { maxAge = ofType.maxAge, isPrivate = ofType.isPrivate } = own;
    const isFree = !isRoot && (inherits || ofType.inherits === true);
    const unmarked = isFree ? {} : { maxAge: 0 };
    restrict(
      maxAge === undefined ? { ...unmarked, isPrivate: isPrivate ?? false } : { maxAge, isPrivate: isPrivate ?? false },
    );
    if (field.selectionSet !== undefined) visitSet(field.selectionSet, returned, false);
  };

  const visitEntities = ({ selectionSet }: FieldNode): void => {
    for (const selection of selectionSet?.selections ?? []) {
      if (selection.kind === Kind.FIELD) continue;
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      const type = schema.getType(fragment?.typeCondition?.name.value ?? '');
      if (fragment === undefined || !isCompositeType(type)) {
        restrict({ maxAge: 0 });
        continue;
      }
      restrict({ maxAge: 0, ...typeHint(type) });
      visitSet(fragment.selectionSet, type, false);
    }
  };

  /** Of what a value may be, what allows the least. */
  const typeHint = (type: GraphQLCompositeType): Hint => {
    const own = hintOf(type.astNode?.directives, ...type.extensionASTNodes.map(({ directives }) => directives));
    if (!isAbstractType(type) || own.maxAge !== undefined) return own;
    const possible = schema.getPossibleTypes(type).map(typeHint);
    if (possible.length === 0 || possible.some(({ maxAge }) => maxAge === undefined)) return own;
    return {
      maxAge: Math.min(...possible.map(({ maxAge = 0 }) => maxAge)),
      isPrivate: possible.some(({ isPrivate }) => isPrivate === true),
    };
  };

  visitSet(operation.selectionSet, root, true);
  return Number.isFinite(policy.maxAge) ? policy : null;
}

function hintOf(...lists: (readonly ConstDirectiveNode[] | undefined)[]): Hint {
  for (const directives of lists) {
    const directive = directives?.find(({ name }) => name.value === 'cacheControl');
    if (directive === undefined) continue;
    const hint: Hint = {};
    for (const { name, value } of directive.arguments ?? []) {
      if (name.value === 'maxAge' && value.kind === Kind.INT) hint.maxAge = Number(value.value);
      if (name.value === 'scope' && value.kind === Kind.ENUM) hint.isPrivate = value.value === 'PRIVATE';
      if (name.value === 'inheritMaxAge' && value.kind === Kind.BOOLEAN) hint.inherits = value.value;
    }
    return hint;
  }
  return {};
}
