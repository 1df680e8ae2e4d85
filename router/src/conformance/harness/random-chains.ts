import fc from 'fast-check';
import { isArgs } from './domain.ts';
import type { Args, Domain } from './domain.ts';
import type { GraphDefinition } from './conformance-graph.ts';

/** A field of the one entity there is, in the subgraph `home`; it requires what comes before it, by index. */
interface ChainField {
  home: number;
  /** As itself, or of another entity that `peer` leads to. */
  requires: { field: number; ofPeer: boolean }[];
  /** An object with the value in it. */
  isObject: boolean;
}

interface Chains {
  count: number;
  root: number;
  /** The subgraph that has `peer`. */
  peerHome: number;
  fields: ChainField[];
  /** By subgraph: the keys by which the entity is entered. */
  keys: ('id' | 'code' | 'both')[];
}

const CONDITIONS = fc.constantFrom('', '', '', '@include(if: $yes)', '@skip(if: $yes)');

/** A graph with queries for it. */
export interface ChainCase {
  definition: GraphDefinition;
  queries: string[];
}

/** Graphs of a few subgraphs in which fields require fields that require fields. */
export const randomChains: fc.Arbitrary<ChainCase> = fc
  .record({ count: fc.integer({ min: 2, max: 4 }), length: fc.integer({ min: 2, max: 6 }) })
  .chain(({ count, length }) => {
    const subgraph = fc.integer({ min: 0, max: count - 1 });
    const fieldAt = (index: number): fc.Arbitrary<ChainField> =>
      fc.record({
        home: subgraph,
        isObject: fc.boolean(),
        requires:
          index === 0
            ? fc.constant([])
            : fc.array(
                fc.record({
                  // Mostly a chain, at times a tree.
                  field: fc.oneof(
                    { weight: 3, arbitrary: fc.constant(index - 1) },
                    { weight: 1, arbitrary: fc.integer({ min: 0, max: index - 1 }) },
                  ),
                  ofPeer: fc.oneof(
                    { weight: 5, arbitrary: fc.constant(false) },
                    { weight: 1, arbitrary: fc.constant(true) },
                  ),
                }),
                { minLength: index === 1 ? 0 : 1, maxLength: 2 },
              ),
      });
    return fc.record<Chains>({
      count: fc.constant(count),
      root: subgraph,
      peerHome: subgraph,
      fields: fc.tuple(...Array.from({ length }, (_, index) => fieldAt(index))),
      keys: fc.array(fc.constantFrom('id', 'id', 'both', 'code'), { minLength: count, maxLength: count }),
    });
  })
  .chain((chains) =>
    fc.array(randomQuery(chains.fields), { minLength: 1, maxLength: 8 }).map((queries) => ({
      definition: definitionOf(chains),
      queries: [...queries, ...chains.fields.map((field, index) => `{ items { ${leafOf(field, index)} } }`)],
    })),
  );

function leafOf({ isObject }: ChainField, index: number): string {
  return isObject ? `f${index} { value }` : `f${index}`;
}

function definitionOf({ count, root, peerHome, fields, keys }: Chains): GraphDefinition {
  // A field has to be external where it is required: it cannot be of the same subgraph.
  const requiredBy = (index: number) =>
    (fields[index]?.requires ?? []).filter(
      ({ field, ofPeer }) =>
        fields[field]?.home !== fields[index]?.home && !(ofPeer && peerHome === fields[index]?.home),
    );
  const typeOf = (index: number) => (fields[index]?.isObject === true ? 'Box' : 'String');
  const leaf = (index: number) => {
    const field = fields[index];
    return field === undefined ? '' : leafOf(field, index);
  };
  const setOf = (index: number) => {
    const leaves = (ofPeer: boolean) => {
      const own = requiredBy(index).filter((each) => each.ofPeer === ofPeer);
      return [...new Set(own.map(({ field }) => leaf(field)))].join(' ');
    };
    return `${leaves(false)} ${leaves(true) === '' ? '' : `peer { ${leaves(true)} }`}`.trim();
  };

  const sdl = (subgraph: number): string => {
    const own = fields.flatMap((field, index) => (field.home === subgraph ? [index] : []));
    const required = own.flatMap(requiredBy);
    const key = subgraph === root ? 'both' : (keys[subgraph] ?? 'id');
    const external = new Set(required.map(({ field }) => field));
    const lines = [
      ...(key === 'code' ? [] : ['id: ID!']),
      ...(key === 'id' ? [] : ['code: ID!']),
      ...own.map((index) => `f${index}: ${typeOf(index)} ${directiveOf(setOf(index))}`),
      ...[...external].map((index) => `f${index}: ${typeOf(index)} @external`),
      ...(subgraph === peerHome ? ['peer: Item'] : []),
      ...(subgraph !== peerHome && required.some(({ ofPeer }) => ofPeer) ? ['peer: Item @external'] : []),
    ];
    const isBoxed = [...own, ...external].some((index) => fields[index]?.isObject);
    return `
      ${subgraph === root ? 'type Query { item: Item items: [Item!]! }' : ''}
      ${isBoxed ? 'type Box @shareable { value: String plain: Int }' : ''}
      type Item ${key === 'code' ? '' : '@key(fields: "id")'} ${key === 'id' ? '' : '@key(fields: "code")'} {
        ${lines.join('\n        ')}
      }`;
  };
  return {
    subgraphs: Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, sdl(index)])),
    domain: () =>
      domainOf(fields.map((_, index) => ({ isObject: fields[index]?.isObject === true, requires: requiredBy(index) }))),
  };
}

function directiveOf(set: string): string {
  return set === '' ? '' : `@requires(fields: "${set}")`;
}

function domainOf(fields: readonly { isObject: boolean; requires: ChainField['requires'] }[]): Domain {
  const valueOf = (index: number, value: string) =>
    fields[index]?.isObject === true ? { __typename: 'Box', value, plain: index } : value;
  const items = ['1', '2', '3'].map((id) => ({
    __typename: 'Item',
    id,
    code: `c${id}`,
    // The last one has none.
    peer: (): unknown => items[Number(id)] ?? null,
    ...Object.fromEntries(fields.map((_, index) => [`f${index}`, valueOf(index, `f${index} of ${id}`)])),
  }));
  const computed = fields.flatMap(({ requires }, index) => {
    if (requires.length === 0) return [];
    // There may be more in a representation: what other fields require.
    const text = (required: Args) =>
      `f${index}(${requires.map(({ field, ofPeer }) => textOf(ofPeer ? required['peer'] : required, `f${field}`)).join()})`;
    return [[`Item.f${index}`, (required: Args) => valueOf(index, text(required))] as const];
  });
  return { roots: { Query: { item: items[0], items } }, records: items, computed: Object.fromEntries(computed) };
}

function textOf(holder: unknown, field: string): string {
  const value = isArgs(holder) ? holder[field] : holder;
  return isArgs(value) ? String(value['value']) : String(value);
}

/** Selections of the fields, some below `peer`, with aliases. */
function randomQuery(fields: readonly ChainField[]): fc.Arbitrary<string> {
  const field = fc
    .tuple(fc.nat({ max: fields.length - 1 }), fc.constantFrom('', '', 'a'), CONDITIONS)
    .map(([index, alias, condition]) => {
      const name = `${alias === '' ? '' : `${alias}${index}: `}f${index}`;
      return `${name} ${condition} ${fields[index]?.isObject === true ? '{ value }' : ''}`;
    });
  const { selections } = fc.letrec<{ selections: string; selection: string }>((tie) => ({
    selections: fc.array(tie('selection'), { minLength: 1, maxLength: 4 }).map((each) => each.join(' ')),
    selection: fc.oneof(
      { depthSize: 'small', maxDepth: 2, withCrossShrink: true },
      { weight: 6, arbitrary: field },
      { weight: 1, arbitrary: tie('selections').map((inner) => `peer { id ${inner} }`) },
    ),
  }));
  return fc
    .tuple(fc.constantFrom('item', 'items'), selections)
    .map(([root, inner]) => `query ($yes: Boolean = true) { ${root} { __typename @include(if: $yes) ${inner} } }`);
}
