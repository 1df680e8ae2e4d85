import { getNamedType, GraphQLError, isCompositeType, isListType, isNonNullType, isObjectType, Kind } from 'graphql';
import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLOutputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { compositeType, fieldOf } from './filter-operation.ts';
import type { FragmentMap } from './filter-operation.ts';

/** A list of a thousand objects with one forbidden field each says so a hundred times. */
const MAX_ERRORS = 100;

type Data = Record<string, unknown>;
type Path = readonly (string | number)[];

/** A selection set, and whether the field that it belongs to was itself taken out. */
interface Selections {
  set: SelectionSetNode;
  denied: boolean;
}

interface Collected {
  field: GraphQLField<unknown, unknown>;
  /** True when no allowed selection asks for this response name. */
  denied: boolean;
  first: FieldNode;
  inner: Selections[];
}

export interface DeniedContext {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  denied: ReadonlySet<FieldNode>;
  /** The response name under which the shaped data carries the type of objects behind abstract types; removed here. */
  typeAlias: string;
}

/**
 * Makes every field that was taken out null in data that was shaped by the original operation, with
 * an error at its path, and lets nulls of non-null fields bubble up.
 *
 * Leaving the fields out of the plan is not enough: a plan also fetches keys and `@requires` fields,
 * and what was fetched for the router's own use would otherwise show under the client's selection.
 */
export function nullDenied(data: Data | null, context: DeniedContext, schema: GraphQLSchema) {
  const errors = new Map<string, GraphQLError>();
  const reported = new Set<FieldNode>();
  const root = schema.getRootType(context.operation.operation);
  if (!root) return { data, errors: [] };

  const report = (node: FieldNode, path: Path): void => {
    reported.add(node);
    if (errors.size >= MAX_ERRORS) return;
    const extensions = { code: 'UNAUTHORIZED_FIELD_OR_TYPE' };
    errors.set(JSON.stringify(path), new GraphQLError('Unauthorized field or type', { path, extensions }));
  };

  const collect = (
    selections: readonly Selections[],
    parent: GraphQLCompositeType,
    runtimeType: string | null,
    into = new Map<string, Collected>(),
  ): Map<string, Collected> => {
    for (const { set, denied } of selections) {
      for (const selection of set.selections) {
        if (selection.kind === Kind.FIELD) {
          const field = fieldOf(parent, selection.name.value);
          if (field === undefined) continue;
          const name = selection.alias?.value ?? selection.name.value;
          const deniedHere = denied || context.denied.has(selection);
          const known = into.get(name);
          const entry = known ?? { field, denied: deniedHere, first: selection, inner: [] };
          entry.denied &&= deniedHere;
          if (selection.selectionSet !== undefined)
            entry.inner.push({ set: selection.selectionSet, denied: deniedHere });
          if (known === undefined) into.set(name, entry);
        } else {
          const fragment =
            selection.kind === Kind.INLINE_FRAGMENT ? selection : context.fragments.get(selection.name.value);
          if (fragment === undefined) continue;
          const condition = fragment.typeCondition?.name.value;
          const type = condition === undefined ? parent : compositeType(schema, condition);
          if (type === null || !includesType(schema, type, runtimeType)) continue;
          collect([{ set: fragment.selectionSet, denied }], type, runtimeType, into);
        }
      }
    }
    return into;
  };

  const fixObject = (object: Data, selections: readonly Selections[], type: GraphQLCompositeType, path: Path) => {
    const alias = object[context.typeAlias];
    delete object[context.typeAlias];
    const runtimeType = isObjectType(type) ? type.name : typeof alias === 'string' ? alias : null;
    for (const [name, { field, denied, first, inner }] of collect(selections, type, runtimeType)) {
      const value = object[name];
      if (value === undefined) continue;
      const place = [...path, name];
      if (denied) {
        report(first, place);
        object[name] = null;
      } else if (inner.length > 0) {
        if (value === null) reportBubbled(inner, getNamedType(field.type), place);
        else object[name] = fix(value, field.type, inner, place);
      }
      if (object[name] === null && isNonNullType(field.type)) return null;
    }
    return object;
  };

  const fix = (value: unknown, type: GraphQLOutputType, inner: readonly Selections[], path: Path): unknown => {
    if (isNonNullType(type)) return fix(value, type.ofType, inner, path);
    if (isListType(type)) {
      if (!Array.isArray(value)) return value;
      const items = value.map((item: unknown, index) => fix(item, type.ofType, inner, [...path, index]));
      return isNonNullType(type.ofType) && items.includes(null) ? null : items;
    }
    const composite = getNamedType(type);
    return isCompositeType(composite) && isData(value) ? fixObject(value, inner, composite, path) : value;
  };

  /** A null may be there because a forbidden non-null field below it is missing: shaping let it bubble up. */
  const reportBubbled = (selections: readonly Selections[], type: unknown, path: Path): void => {
    if (!isCompositeType(type)) return;
    for (const [name, { field, denied, first, inner }] of collect(selections, type, null)) {
      if (denied && isNonNullType(field.type) && !reported.has(first)) report(first, [...path, name]);
      else if (!denied && inner.length > 0) reportBubbled(inner, getNamedType(field.type), [...path, name]);
    }
  };

  const selections = [{ set: context.operation.selectionSet, denied: false }];
  if (data === null) reportBubbled(selections, root, []);
  const fixed = data === null ? null : fixObject(data, selections, root, []);
  return { data: fixed, errors: [...errors.values()] };
}

function includesType(schema: GraphQLSchema, type: GraphQLCompositeType, runtimeType: string | null): boolean {
  if (runtimeType === null || runtimeType === type.name) return true;
  return !isObjectType(type) && schema.getPossibleTypes(type).some((possible) => possible.name === runtimeType);
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
