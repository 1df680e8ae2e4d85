import { buildSubgraphSchema } from '@apollo/subgraph';
import { isObjectType, Kind, parse } from 'graphql';
import type { GraphQLSchema, SelectionSetNode } from 'graphql';
import { attachResolvers } from './attach-resolvers.ts';
import { isArgs, Item, itemsOf, readRecord } from './domain.ts';
import type { Args, Domain } from './domain.ts';
import type { Oracle } from './oracle.ts';
import { readSubgraph } from './read-subgraph.ts';

/**
 * One subgraph over the domain, stricter than those in the wild: a representation must hold a
 * resolvable key, a field with `@requires` gets nothing but what was sent, and what another subgraph
 * took over fails.
 *
 * @param lost coordinates that other subgraphs took over
 */
export function subgraphSchema(
  sdl: string,
  domain: Domain,
  { isA, computedOf }: Oracle,
  lost: ReadonlySet<string>,
): GraphQLSchema {
  const schema = buildSubgraphSchema(parse(sdl));
  const { keys, requires } = readSubgraph(sdl);

  function entityOf(sent: unknown): Item | null {
    const type = isArgs(sent) ? sent['__typename'] : undefined;
    if (!isArgs(sent) || typeof type !== 'string') throw new Error(`No representation: ${JSON.stringify(sent)}`);
    const key = keys.get(type)?.find(({ fields, resolvable }) => resolvable && holds(sent, fields));
    if (key === undefined) throw new Error(`No resolvable key: ${JSON.stringify(sent)}`);
    const record = domain.records?.find((candidate) => isA(candidate, type) && agree(candidate, sent, key.fields));
    return record === undefined ? null : new Item(record, null, sent);
  }

  function requiredOf(coordinate: string, { sent }: Item): Args {
    for (const selection of requires.get(coordinate)?.selections ?? []) {
      if (selection.kind === Kind.FIELD && sent?.[selection.name.value] === undefined) {
        throw new Error(`${coordinate} was asked for without ${selection.name.value}.`);
      }
    }
    return sent ?? {};
  }

  return attachResolvers(schema, domain, {
    // A type that the subgraph knows as an interface object only goes by that name there.
    typeOf({ record }) {
      const names = Object.keys(schema.getTypeMap()).filter((name) => isObjectType(schema.getType(name)));
      return names.includes(record.__typename)
        ? record.__typename
        : (names.find((name) => isA(record, name)) ?? record.__typename);
    },
    resolve(item, type, field, args) {
      if (field === '_entities' && type === 'Query') {
        const { representations } = args;
        return Array.isArray(representations) ? representations.map(orError(entityOf)) : null;
      }
      const own = `${type}.${field}`;
      if (lost.has(own)) throw new Error(`${own} was taken over by another subgraph.`);
      const coordinate = domain.computed?.[own] === undefined ? computedOf(item.record, field) : own;
      if (coordinate === undefined) return itemsOf(readRecord(item.record, field, args), item);
      return itemsOf(domain.computed?.[coordinate]?.(requiredOf(own, item), args), item);
    },
  });
}

/** graphql-js reports an error in a list as that entry's. */
const orError =
  <Result>(make: (sent: unknown) => Result) =>
  (sent: unknown): Result | Error => {
    try {
      return make(sent);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };

/** Whether a representation has every field of a key. */
function holds(sent: unknown, key: SelectionSetNode): boolean {
  return key.selections.every((selection) => {
    const value = selection.kind === Kind.FIELD && isArgs(sent) ? sent[selection.name.value] : undefined;
    if (value === undefined || value === null || selection.kind !== Kind.FIELD) return false;
    return selection.selectionSet === undefined || holds(value, selection.selectionSet);
  });
}

function agree(record: Args, sent: Args, key: SelectionSetNode): boolean {
  return key.selections.every((selection) => {
    if (selection.kind !== Kind.FIELD) return false;
    const [real, said] = [record[selection.name.value], sent[selection.name.value]];
    if (selection.selectionSet === undefined) return String(real) === String(said);
    return isArgs(real) && isArgs(said) && agree(real, said, selection.selectionSet);
  });
}
