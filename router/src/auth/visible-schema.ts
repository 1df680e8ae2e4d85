import {
  buildASTSchema,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isUnionType,
  Kind,
  parse,
  printSchema,
} from 'graphql';
import type {
  DefinitionNode,
  DocumentNode,
  GraphQLInterfaceType,
  GraphQLNamedType,
  GraphQLObjectType,
  GraphQLSchema,
  NamedTypeNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Access } from './access.ts';

/** The part of a schema that a caller may use: the schema itself where that is all of it. */
export type VisibleSchema = (access: Access) => GraphQLSchema;

/** A schema each; there are as many as there are kinds of callers that look at it. */
const MAX_SCHEMAS = 50;

type WithFields = GraphQLObjectType | GraphQLInterfaceType;
/** By type: its fields that are left. Types without any are gone. */
type Fields = Map<string, Set<string>>;

/**
 * What introspection and suggestions may tell of a schema: no field that the caller may not read, no type that it may
 * not use or that nothing leads to any more. Of an interface, what all of those of its types have that are left.
 */
export function createVisibleSchema(schema: GraphQLSchema): VisibleSchema {
  const known = new LRUCache<string, GraphQLSchema>({ max: MAX_SCHEMAS });
  let document: DocumentNode | null = null;
  return (access) => {
    let visible = known.get(access.key);
    if (visible === undefined) {
      const fields = fieldsLeft(schema, access);
      if (isWhole(schema, fields)) visible = schema;
      else {
        document ??= parse(printSchema(schema), { noLocation: true });
        const left = keep(document, fields, reachable(schema, fields));
        visible = buildASTSchema(left, { assumeValid: true, assumeValidSDL: true });
      }
      known.set(access.key, visible);
    }
    return visible;
  };
}

function typesWithFields(schema: GraphQLSchema): WithFields[] {
  return Object.values(schema.getTypeMap()).filter(
    (type): type is WithFields => (isObjectType(type) || isInterfaceType(type)) && !isIntrospectionType(type),
  );
}

/** A field that goes may be the last of its type, and that type what other fields return: until nothing changes. */
function fieldsLeft(schema: GraphQLSchema, access: Access): Fields {
  const types = typesWithFields(schema);
  const left: Fields = new Map();
  for (const type of types) {
    const names = Object.values(type.getFields())
      .filter((field) => (isObjectType(type) ? access.mayRead(type, field) : access.permits(type.name, field.name)))
      .map(({ name }) => name);
    if (names.length > 0 && access.permits(type.name)) left.set(type.name, new Set(names));
  }
  const isLeft = (type: GraphQLNamedType): boolean => {
    if (isUnionType(type)) return access.permits(type.name) && type.getTypes().some(({ name }) => left.has(name));
    return isObjectType(type) || isInterfaceType(type) ? left.has(type.name) : access.permits(type.name);
  };
  const implementations = (type: WithFields): readonly WithFields[] => {
    if (!isInterfaceType(type)) return [];
    const { objects, interfaces } = schema.getImplementations(type);
    return [...objects, ...interfaces].filter(({ name }) => left.has(name));
  };

  for (let changed = true; changed;) {
    changed = false;
    for (const type of types) {
      const names = left.get(type.name);
      if (names === undefined) continue;
      const implementing = implementations(type);
      for (const name of names) {
        const returned = getNamedType(type.getFields()[name]?.type);
        const isShared = implementing.every((each) => left.get(each.name)?.has(name) === true);
        if (returned !== undefined && isLeft(returned) && isShared) continue;
        names.delete(name);
        changed = true;
      }
      if (names.size > 0 && !(isInterfaceType(type) && implementing.length === 0)) continue;
      left.delete(type.name);
      changed = true;
    }
  }
  return left;
}

function isWhole(schema: GraphQLSchema, left: Fields): boolean {
  return typesWithFields(schema).every((type) => {
    return left.get(type.name)?.size === Object.keys(type.getFields()).length;
  });
}

/** The types that something leads to, from the roots on. */
function reachable(schema: GraphQLSchema, left: Fields): Set<string> {
  const found = new Set<string>();
  const visit = (type: GraphQLNamedType | null | undefined): void => {
    if (type === null || type === undefined || found.has(type.name)) return;
    const isComposite = isObjectType(type) || isInterfaceType(type);
    if (isComposite && !left.has(type.name)) return;
    found.add(type.name);
    if (isUnionType(type)) for (const member of type.getTypes()) visit(member);
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) visit(getNamedType(field.type));
    if (!isComposite) return;
    for (const each of type.getInterfaces()) visit(each);
    if (isInterfaceType(type)) for (const each of schema.getPossibleTypes(type)) visit(each);
    for (const { name, type: returned, args } of Object.values(type.getFields())) {
      if (left.get(type.name)?.has(name) !== true) continue;
      visit(getNamedType(returned));
      for (const argument of args) visit(getNamedType(argument.type));
    }
  };
  visit(schema.getQueryType());
  visit(schema.getMutationType());
  visit(schema.getSubscriptionType());
  for (const { args } of schema.getDirectives()) for (const argument of args) visit(getNamedType(argument.type));
  // There is no schema without queries, though there may be nothing to ask.
  return found.add(schema.getQueryType()?.name ?? '');
}

function keep(document: DocumentNode, left: Fields, types: ReadonlySet<string>): DocumentNode {
  const named = (nodes: readonly NamedTypeNode[] = []) => nodes.filter(({ name }) => types.has(name.value));
  const definitions = document.definitions.flatMap((definition): DefinitionNode[] => {
    if (definition.kind === Kind.SCHEMA_DEFINITION) {
      return [
        { ...definition, operationTypes: definition.operationTypes.filter(({ type }) => types.has(type.name.value)) },
      ];
    }
    if (definition.kind === Kind.DIRECTIVE_DEFINITION) return [definition];
    if (!('name' in definition) || definition.name === undefined || !types.has(definition.name.value)) return [];
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) return [{ ...definition, types: named(definition.types) }];
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) {
      return [definition];
    }
    const names = left.get(definition.name.value);
    const fields = definition.fields?.filter(({ name }) => names?.has(name.value) === true) ?? [];
    return [{ ...definition, fields, interfaces: named(definition.interfaces) }];
  });
  return { ...document, definitions };
}
