import {
  astFromValue,
  doTypesOverlap,
  isCompositeType,
  Kind,
  OperationTypeNode,
  OverlappingFieldsCanBeMergedRule,
  parseType,
  print,
  validate,
  visit,
} from 'graphql';
import type {
  ArgumentNode,
  DirectiveNode,
  DocumentNode,
  FragmentDefinitionNode,
  GraphQLInputType,
  GraphQLSchema,
  NameNode,
  OperationDefinitionNode,
  SelectionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql';
import type { Operation } from './expect-same.ts';

/** A literal, or the name of a variable. */
export interface Condition {
  directive: string;
  value: boolean | string;
}

export interface DraftArgument {
  name: string;
  type: GraphQLInputType;
  value: unknown;
  byVariable: boolean;
}

export interface DraftField {
  kind: 'field';
  name: string;
  alias: string | null;
  args: DraftArgument[];
  conditions: Condition[];
  /** Of an object: its type, and what is selected. */
  inner: { type: string; selections: DraftSelection[] } | null;
}

export type DraftSelection =
  | DraftField
  | { kind: 'fragment'; on: string | null; named: boolean; conditions: Condition[]; selections: DraftSelection[] }
  /** Spreads a named fragment that was written before, if one fits. */
  | { kind: 'repeat'; of: number };

export interface Draft {
  /** Default: a query without a name. */
  operation?: OperationTypeNode;
  name?: string;
  selections: DraftSelection[];
  /** Values of the variables in conditions. */
  flags: Readonly<Record<string, boolean>>;
}

/** Makes a valid operation of a draft: aliases that cannot be merged get a name of their own. */
export function writeQuery(schema: GraphQLSchema, draft: Draft): Operation {
  const { operation = OperationTypeNode.QUERY, name: operationName, selections: drafts, flags } = draft;
  const fragments: FragmentDefinitionNode[] = [];
  const used = new Map<string, { type: string; value: unknown }>();

  const set = (list: readonly DraftSelection[], parent: string): SelectionSetNode => ({
    kind: Kind.SELECTION_SET,
    selections: list.map((selection) => write(selection, parent)),
  });

  function write(selection: DraftSelection, parent: string): SelectionNode {
    if (selection.kind === 'repeat') return repeat(selection.of, parent);
    const directives = selection.conditions.map(condition);
    if (selection.kind === 'field') {
      const { alias, inner } = selection;
      return {
        kind: Kind.FIELD,
        name: name(selection.name),
        ...(alias === null ? {} : { alias: name(alias) }),
        arguments: selection.args.map(argument),
        directives,
        ...(inner === null ? {} : { selectionSet: set(inner.selections, inner.type) }),
      };
    }
    const selectionSet = set(selection.selections, selection.on ?? parent);
    if (selection.on === null) return { kind: Kind.INLINE_FRAGMENT, directives, selectionSet };
    const typeCondition = { kind: Kind.NAMED_TYPE, name: name(selection.on) } as const;
    if (!selection.named) return { kind: Kind.INLINE_FRAGMENT, typeCondition, directives, selectionSet };
    const fragment = name(`F${fragments.length}`);
    fragments.push({ kind: Kind.FRAGMENT_DEFINITION, name: fragment, typeCondition, selectionSet });
    return { kind: Kind.FRAGMENT_SPREAD, name: fragment, directives };
  }

  /** Only what is complete is in the list, so that no fragment comes to hold itself. */
  function repeat(of: number, parent: string): SelectionNode {
    const fitting = fragments.filter(({ typeCondition }) => overlap(schema, typeCondition.name.value, parent));
    const fragment = fitting[of % Math.max(fitting.length, 1)];
    if (fragment === undefined) return { kind: Kind.FIELD, name: name('__typename') };
    return { kind: Kind.FRAGMENT_SPREAD, name: fragment.name };
  }

  function condition({ directive, value }: Condition): DirectiveNode {
    const given: ValueNode =
      typeof value === 'boolean' ? { kind: Kind.BOOLEAN, value } : variable(value, 'Boolean!', flags[value]);
    return {
      kind: Kind.DIRECTIVE,
      name: name(directive),
      arguments: [{ kind: Kind.ARGUMENT, name: name('if'), value: given }],
    };
  }

  function argument({ name: of, type, value, byVariable }: DraftArgument): ArgumentNode {
    const literal = astFromValue(value, type);
    const given = byVariable || !literal ? variable(`v${used.size}`, String(type), value) : literal;
    return { kind: Kind.ARGUMENT, name: name(of), value: given };
  }

  function variable(called: string, type: string, value: unknown): ValueNode {
    used.set(called, { type, value });
    return { kind: Kind.VARIABLE, name: name(called) };
  }

  const query: OperationDefinitionNode = {
    kind: Kind.OPERATION_DEFINITION,
    operation,
    ...(operationName === undefined ? {} : { name: name(operationName) }),
    selectionSet: set(drafts, schema.getRootType(operation)?.name ?? ''),
    variableDefinitions: [...used].map(([called, { type }]) => ({
      kind: Kind.VARIABLE_DEFINITION,
      variable: { kind: Kind.VARIABLE, name: name(called) },
      type: parseType(type),
    })),
  };
  return {
    query: print(mergeable(schema, { kind: Kind.DOCUMENT, definitions: [query, ...fragments] })),
    variables: Object.fromEntries([...used].map(([called, { value }]) => [called, value])),
  };
}

/** Gives names of their own to fields that cannot be merged with others of their name. */
function mergeable(schema: GraphQLSchema, document: DocumentNode): DocumentNode {
  let renamed = 0;
  for (let valid = document; ;) {
    const last = validate(schema, valid, [OverlappingFieldsCanBeMergedRule]).map(({ nodes }) => nodes?.at(-1));
    if (last.length === 0) return valid;
    const conflicting = new Set<unknown>(last);
    valid = visit(valid, {
      Field: (node) => {
        if (!conflicting.has(node)) return undefined;
        renamed += 1;
        return { ...node, alias: name(`own${renamed}`) };
      },
    });
  }
}

function overlap(schema: GraphQLSchema, one: string, other: string): boolean {
  const [left, right] = [schema.getType(one), schema.getType(other)];
  return isCompositeType(left) && isCompositeType(right) && doTypesOverlap(schema, left, right);
}

const name = (value: string): NameNode => ({ kind: Kind.NAME, value });
