import { isObjectType, Kind } from 'graphql';
import type {
  FieldNode,
  FragmentSpreadNode,
  GraphQLInterfaceType,
  GraphQLObjectType,
  GraphQLSchema,
  InlineFragmentNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType } from '../auth/filter-operation.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';

export interface CollectOptions {
  schema: GraphQLSchema;
  fragments: FragmentMap;
  denied: ReadonlySet<FieldNode>;
  /** Of a dry run: fields that would have been taken out. */
  reported: ReadonlySet<FieldNode>;
  /** By `@skip` and `@include`. */
  isIncluded: (selection: SelectionNode) => boolean;
  /** The plan's label of a fragment that is delivered later; null where it belongs to what is around it. */
  deferLabelOf: (
    fragment: InlineFragmentNode | FragmentSpreadNode,
  ) => { planLabel: string; label: string | undefined } | null;
}

/** A selection set, and whether the field that it belongs to was itself taken out. */
export interface Selections {
  set: SelectionSetNode;
  denied: boolean;
}

/** A field of the response, and what is asked for below it. */
export interface CollectedField {
  node: FieldNode;
  /** True when no allowed selection asks for this response name. */
  denied: boolean;
  /** True when only what would have been taken out asks for it. */
  reported: boolean;
  inner: Selections[];
}

type DeferredSelections = Map<string, { label: string | undefined; sets: Selections[] }>;

interface Collection {
  fields: Map<string, CollectedField>;
  /** Null: what is delivered later counts like the rest. */
  deferred: DeferredSelections | null;
  /** What fragments have brought already: where they are spread again they bring nothing new. */
  seen: Record<'allowed' | 'denied', Set<SelectionSetNode>>;
}

type FieldsType = GraphQLObjectType | GraphQLInterfaceType;

/**
 * The fields of an object in the order of the response, those of the same response name together (GraphQL specification,
 * section 6.3.2); apart from them what is delivered later, by the plan's label.
 */
export function collectFields(
  type: FieldsType,
  selections: readonly Selections[],
  options: CollectOptions,
): { fields: ReadonlyMap<string, CollectedField>; deferred: DeferredSelections } {
  const deferred: DeferredSelections = new Map();
  const { fields } = collect(type, selections, { fields: new Map(), deferred, seen: nothingSeen() }, options);
  return { fields, deferred };
}

/** The same of all parts of the response, whenever they are delivered. */
export function collectWithDeferred(
  type: FieldsType,
  selections: readonly Selections[],
  options: CollectOptions,
): ReadonlyMap<string, CollectedField> {
  return collect(type, selections, { fields: new Map(), deferred: null, seen: nothingSeen() }, options).fields;
}

function collect(
  type: FieldsType,
  selections: readonly Selections[],
  into: Collection,
  options: CollectOptions,
): Collection {
  for (const { set, denied } of selections) {
    for (const selection of set.selections) {
      if (!options.isIncluded(selection)) continue;
      if (selection.kind === Kind.FIELD) {
        const isDenied = denied || options.denied.has(selection);
        collectField(selection, { denied: isDenied, reported: options.reported.has(selection) }, into);
        continue;
      }
      const fragment =
        selection.kind === Kind.INLINE_FRAGMENT ? selection : options.fragments.get(selection.name.value);
      if (fragment === undefined || !applies(options.schema, fragment.typeCondition?.name.value, type)) continue;
      const inner = { set: fragment.selectionSet, denied };
      const later = into.deferred === null ? null : options.deferLabelOf(selection);
      if (into.deferred === null || later === null) {
        const seen = into.seen[denied ? 'denied' : 'allowed'];
        if (seen.has(inner.set)) continue;
        seen.add(inner.set);
        collect(type, [inner], into, options);
      } else {
        const part = into.deferred.get(later.planLabel);
        if (part === undefined) into.deferred.set(later.planLabel, { label: later.label, sets: [inner] });
        else part.sets.push(inner);
      }
    }
  }
  return into;
}

const nothingSeen = (): Collection['seen'] => ({ allowed: new Set(), denied: new Set() });

function collectField(
  node: FieldNode,
  { denied, reported }: Pick<CollectedField, 'denied' | 'reported'>,
  { fields }: Collection,
): void {
  const name = node.alias?.value ?? node.name.value;
  const known = fields.get(name);
  const entry = known ?? { node, denied, reported, inner: [] };
  entry.denied &&= denied;
  entry.reported &&= reported;
  if (node.selectionSet !== undefined) entry.inner.push({ set: node.selectionSet, denied });
  if (known === undefined) fields.set(name, entry);
}

function applies(schema: GraphQLSchema, condition: string | undefined, type: FieldsType): boolean {
  if (condition === undefined || condition === type.name) return true;
  const conditional = compositeType(schema, condition);
  return conditional !== null && !isObjectType(conditional) && schema.isSubType(conditional, type);
}
