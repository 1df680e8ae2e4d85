import { getNamedType, isInterfaceType, isObjectType, isUnionType, Kind, parse, valueFromASTUntyped } from 'graphql';
import type { DirectiveNode, GraphQLSchema } from 'graphql';
import { z } from 'zod';

/** Somebody who asks, as far as guards go. */
export interface Asker {
  /** Null for nobody in particular. */
  userId: string | null;
  scopes: readonly string[];
  policies: readonly string[];
}

/** What a graph's subgraphs say about who may see what, read without any part of the router. */
export interface Guards {
  scopes: readonly string[];
  policies: readonly string[];
  /** Whether a value of the field of an object of the type may get to them. */
  maySee(asker: Asker, type: string, field: string): boolean;
  /** Whether they may ask for the field of something of this static type. */
  mayAsk(asker: Asker, type: string, field: string): boolean;
  /** Whether they may use the type. */
  mayUse(asker: Asker, type: string): boolean;
}

/** All of them must be met; of the groups of each, one, and of that, all. */
interface Guard {
  authenticated: boolean;
  scopes: string[][][];
  policies: string[][][];
}

const groups = z.array(z.array(z.string()));

/** @param schema what clients see: for what a field returns, and what implements what */
export function guardsOf(subgraphs: readonly string[], schema: GraphQLSchema): Guards {
  const guards = new Map<string, Guard>();
  const interfaceObjects = new Set<string>();

  const read = (coordinate: string, directives: readonly DirectiveNode[] = []): void => {
    const guard = guards.get(coordinate) ?? { authenticated: false, scopes: [], policies: [] };
    for (const { name, arguments: args = [] } of directives) {
      const [value] = args.map((argument) => valueFromASTUntyped(argument.value));
      if (name.value === 'authenticated') guard.authenticated = true;
      if (name.value === 'requiresScopes') guard.scopes.push(groups.parse(value));
      if (name.value === 'policy') guard.policies.push(groups.parse(value));
    }
    guards.set(coordinate, guard);
  };
  for (const definition of subgraphs.flatMap((sdl) => parse(sdl).definitions)) {
    if (!('name' in definition) || definition.name === undefined || definition.kind === Kind.DIRECTIVE_DEFINITION)
      continue;
    const type = definition.name.value;
    if ('directives' in definition) read(type, definition.directives);
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.OBJECT_TYPE_EXTENSION) continue;
    if (isInterfaceType(schema.getType(type))) interfaceObjects.add(type);
    for (const field of definition.fields ?? []) read(`${type}.${field.name.value}`, field.directives);
  }

  const meets = ({ userId, scopes, policies }: Asker, coordinate: string): boolean => {
    const guard = guards.get(coordinate);
    if (guard === undefined) return true;
    const holds = (scope: string) => scopes.includes(scope) || scopes.includes(scope.replace(/:[^:]+$/, ':*'));
    return (
      (!guard.authenticated || userId !== null) &&
      guard.scopes.every((required) => required.some((group) => group.every(holds))) &&
      guard.policies.every((required) => required.some((group) => group.every((policy) => policies.includes(policy))))
    );
  };

  const possible = (name: string): string[] => {
    const type = schema.getType(name);
    return isInterfaceType(type) || isUnionType(type) ? schema.getPossibleTypes(type).map((each) => each.name) : [name];
  };

  /** An interface needs what all of its types do; a union, what one of them does. */
  const mayUse = (asker: Asker, name: string): boolean => {
    if (!meets(asker, name)) return false;
    const types = possible(name);
    const allows = (type: string) => meets(asker, type);
    return isUnionType(schema.getType(name)) ? types.some(allows) : types.every(allows);
  };

  /** Where a field of a type may be guarded: on an interface object of it, too. */
  const sources = (type: string, field: string): string[] => {
    const object = schema.getType(type);
    const interfaces = isObjectType(object) ? object.getInterfaces().map(({ name }) => name) : [];
    return [type, ...interfaces.filter((name) => interfaceObjects.has(name))].map((name) => `${name}.${field}`);
  };

  const returned = (type: string, field: string): string | null => {
    const parent = schema.getType(type);
    const definition = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[field] : undefined;
    return definition === undefined ? null : getNamedType(definition.type).name;
  };

  const mayAsk = (asker: Asker, type: string, field: string): boolean => {
    const of = returned(type, field);
    const owners = new Set([type, ...possible(type)]);
    return (
      [...owners].every(
        (owner) => meets(asker, owner) && sources(owner, field).every((source) => meets(asker, source)),
      ) &&
      (of === null || mayUse(asker, of))
    );
  };

  const all = [...guards.values()];
  return {
    scopes: [...new Set(all.flatMap(({ scopes }) => scopes.flat(2)))],
    policies: [...new Set(all.flatMap(({ policies }) => policies.flat(2)))],
    mayAsk,
    mayUse,
    // What stands there is of one type. Of an interface object it is not known which.
    maySee: (asker, type, field) => {
      const of = returned(type, field);
      return meets(asker, type) && meets(asker, `${type}.${field}`) && (of === null || meets(asker, of));
    },
  };
}
