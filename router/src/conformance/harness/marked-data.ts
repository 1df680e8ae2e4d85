import { hash } from 'node:crypto';
import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  GraphQLBoolean,
  GraphQLFloat,
  GraphQLInt,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
} from 'graphql';
import type {
  DefinitionNode,
  GraphQLFieldResolver,
  GraphQLLeafType,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLSchema,
} from 'graphql';
import { isArgs } from './domain.ts';

/** A value's origin, as it can be read off a text in which the value stands. */
export interface Mark {
  coordinate: string;
  owner: string;
}

/** Data in which every value says whose it is and of which field; numbers do by what they are. */
export interface MarkedData {
  /** The coordinate under which a subgraph has a field of a type: of an interface object, the interface's. */
  coordinateOf(type: GraphQLObjectType, field: string): string;
  /** Of a field of an object of a type; the same wherever it is asked for with the same arguments. */
  valueOf(type: GraphQLOutputType, at: { coordinate: string; args: unknown; owner: string }): unknown;
  /** What stands in a text. */
  marksIn(text: string): Mark[];
  /** A subgraph that knows all of it. */
  subgraph(sdl: string): GraphQLSchema;
}

export interface MarkedContext {
  owner: string;
}

const FIRST_NUMBER = 1_000_000;
const LIST_LENGTH = 2;
const EVENTS = 2;
/** The field that fails. */
export const BROKEN = 'broken';

/** @param owners who may ask, at most sixteen */
export function createMarkedData(subgraphs: readonly string[], owners: readonly string[]): MarkedData {
  const schemas = subgraphs.map((sdl) => buildSubgraphSchema(parse(sdl)));
  const coordinates = [...new Set(schemas.flatMap(coordinatesOf))].toSorted();
  const numbers = new Map(coordinates.map((coordinate, index) => [coordinate, FIRST_NUMBER + index * 16]));
  const types = possibleTypesIn(schemas);

  const leafOf = (type: GraphQLLeafType, coordinate: string, owner: string): unknown => {
    const number = (numbers.get(coordinate) ?? FIRST_NUMBER) + owners.indexOf(owner);
    if (type === GraphQLInt) return number;
    if (type === GraphQLFloat) return number + 0.5;
    if (type === GraphQLBoolean) return true;
    if (isEnumType(type))
      return type
        .getValues()
        .map(({ name }) => name)
        .toSorted()[0];
    return `${coordinate}#${owner}`;
  };

  const valueOf: MarkedData['valueOf'] = (type, at) => {
    const { coordinate, args, owner } = at;
    if (isNonNullType(type)) return valueOf(type.ofType, at);
    if (isLeafType(type)) return leafOf(type, coordinate, owner);
    if (isObjectType(type)) return { __typename: type.name };
    if (isListType(type)) {
      return Array.from({ length: LIST_LENGTH }, (_, index) => valueOf(type.ofType, { ...at, args: [args, index] }));
    }
    // Fixed by where it stands and what was asked: whoever asks twice is told the same.
    const possible = types.get(coordinate) ?? [];
    const digest = hash('sha256', `${coordinate} ${stable(args)}`, 'buffer');
    return { __typename: possible[digest.readUInt32BE(0) % possible.length] };
  };

  const resolve: GraphQLFieldResolver<unknown, MarkedContext> = (source, args, { owner }, info) => {
    const { fieldName, parentType, returnType } = info;
    // A representation knows what it was sent with.
    const sent = isArgs(source) ? source[fieldName] : undefined;
    if (fieldName === BROKEN) throw new Error(`It is broken: ${JSON.stringify(source)}`);
    return sent ?? valueOf(returnType, { coordinate: `${parentType.name}.${fieldName}`, args, owner });
  };

  return {
    valueOf,
    coordinateOf(type, field) {
      const names = [type, ...type.getInterfaces()].map(({ name }) => `${name}.${field}`);
      return names.find((name) => numbers.has(name)) ?? `${type.name}.${field}`;
    },
    marksIn(text) {
      const texts = [...text.matchAll(/(?<coordinate>\w+\.\w+)#(?<owner>\w+)/g)].map(({ groups }) => {
        return { coordinate: groups?.['coordinate'] ?? '', owner: groups?.['owner'] ?? '' };
      });
      const found = [...text.matchAll(/(?<!\w)1\d{6}(?!\w)/g)].map(([number]) => {
        const offset = Number(number) - FIRST_NUMBER;
        return { coordinate: coordinates[Math.floor(offset / 16)] ?? '', owner: owners[offset % 16] ?? '' };
      });
      return [...texts, ...found];
    },
    subgraph(sdl) {
      const typeDefs = parse(sdl);
      const interfaces = typeDefs.definitions.filter(({ kind }) => kind === Kind.INTERFACE_TYPE_DEFINITION);
      const resolvers = Object.fromEntries(
        interfaces.map((type) => [nameOf(type), { __resolveReference: withItsType, __resolveType: typeIn }]),
      );
      const schema = buildSubgraphSchema([{ typeDefs, resolvers }]);
      for (const type of Object.values(schema.getTypeMap())) {
        if (!isObjectType(type) || type.name.startsWith('_')) continue;
        for (const field of Object.values(type.getFields())) {
          if (field.name.startsWith('_')) continue;
          field.resolve = resolve;
          if (type === schema.getSubscriptionType()) field.subscribe = events;
        }
      }
      return schema;
    },
  };
}

/** An entity of an interface, as the type that its key tells of. */
function withItsType(sent: Readonly<Record<string, unknown>>): object {
  const key = Object.entries(sent).find(([name]) => name !== '__typename')?.[1];
  return { ...sent, __typename: String(key).split('.', 1)[0] };
}

const typeIn = ({ __typename }: { __typename: string }): string => __typename;

function nameOf(definition: DefinitionNode): string {
  return 'name' in definition ? (definition.name?.value ?? '') : '';
}

async function* events() {
  for (let count = 0; count < EVENTS; count += 1) yield {};
}

function coordinatesOf(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`));
}

/** Of fields that return an interface or a union: what all subgraphs that have the field know of it. */
function possibleTypesIn(schemas: readonly GraphQLSchema[]): Map<string, string[]> {
  const types = new Map<string, string[]>();
  for (const schema of schemas) {
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        const returned = innermost(field.type);
        if (!isAbstractType(returned)) continue;
        const coordinate = `${type.name}.${field.name}`;
        const names = schema.getPossibleTypes(returned).map(({ name }) => name);
        const known = types.get(coordinate) ?? names;
        types.set(coordinate, known.filter((name) => names.includes(name)).toSorted());
      }
    }
  }
  return types;
}

function innermost(type: GraphQLOutputType): GraphQLOutputType {
  return isNonNullType(type) || isListType(type) ? innermost(type.ofType) : type;
}

function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  if (!isArgs(value)) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${key}:${stable(each)}`).join()}}`;
}
