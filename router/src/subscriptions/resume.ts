import { getArgumentValues, Kind, parse, parseType, print, visit } from 'graphql';
import type {
  DocumentNode,
  FieldNode,
  GraphQLField,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { isRecord } from '../demand/list-size.ts';

/** A subscription that can be asked to go on after an event: which argument takes which field of the last one. */
export interface ResumeRule {
  argument: string;
  field: string;
}

/** By the name of the subscription field. */
export type ResumeRules = Readonly<Record<string, ResumeRule>>;

/** An upstream subscription that is sent again after every reconnect. */
export interface UpstreamOperation {
  query: string;
  /** As of now. */
  variables(): Readonly<Record<string, unknown>>;
  /** Notes an event, so that the next subscribe goes on after it. */
  saw(event: unknown): void;
  /** Where it is; null where no rule says how to go on. */
  place(): Place | null;
}

/** Where a subscription can go on, on another upstream too. */
export interface Place {
  /** The name of the subscription field. */
  root: string;
  after: unknown;
}

const NAME = '__resumeAfter';

/** The part that every subscription of one plan has in common. */
interface Resumable {
  query: string;
  rule: ResumeRule;
  root: FieldNode;
  field: GraphQLField<unknown, unknown>;
}

/** By the operation: parsing and printing for each of very many subscriptions of one plan would cost more than the rest. */
const resumables = new WeakMap<SubgraphOperation, Resumable | null>();

export interface ResumeContext {
  schema: GraphQLSchema;
  coerced: Readonly<Record<string, unknown>>;
  place?: Place | null;
}

/**
 * The subscription of a plan's primary fetch, such that a reconnect neither repeats nor skips
 * events where a rule says how; without a rule it is sent again as it is. It begins where the client wants it to, or
 * at the place where another that it takes the place of is.
 */
export function upstreamOperation(
  fetch: SubgraphOperation,
  variables: Readonly<Record<string, unknown>>,
  rules: ResumeRules,
  { schema, coerced, place = null }: ResumeContext,
): UpstreamOperation {
  let resumable = resumables.get(fetch);
  if (resumable === undefined) {
    resumable = resumableOf(fetch.query, rules, schema);
    resumables.set(fetch, resumable);
  }
  if (resumable === null) {
    return { query: fetch.query, variables: () => variables, saw: () => undefined, place: () => null };
  }

  const { query, rule, root, field } = resumable;
  // The variable takes the place of the client's argument and has its value until the first event.
  let after: unknown =
    place?.root === field.name ? place.after : getArgumentValues(field, root, coerced)[rule.argument];
  const responseName = root.alias?.value ?? root.name.value;
  return {
    query,
    variables: () => ({ ...variables, [NAME]: after ?? null }),
    saw(event) {
      const data = isRecord(event) && isRecord(event['data']) ? event['data'][responseName] : undefined;
      if (isRecord(data)) after = data[NAME] ?? after;
    },
    place: () => ({ root: field.name, after }),
  };
}

function resumableOf(text: string, rules: ResumeRules, schema: GraphQLSchema): Resumable | null {
  const document = parse(text, { noLocation: true });
  const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return null;
  const root = operation.selectionSet.selections.find(({ kind }) => kind === Kind.FIELD);
  const rule = root?.kind === Kind.FIELD ? rules[root.name.value] : undefined;
  if (root?.kind !== Kind.FIELD || rule === undefined) return null;
  const field = schema.getSubscriptionType()?.getFields()[root.name.value];
  const argument = field?.args.find(({ name }) => name === rule.argument);
  if (field === undefined || argument === undefined) return null;
  return { query: print(withResume(document, operation, root, rule, String(argument.type))), rule, root, field };
}

/** The document with the argument from a variable, and with the field that the variable will be taken from. */
function withResume(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  root: FieldNode,
  rule: ResumeRule,
  type: string,
): DocumentNode {
  const name = (value: string) => ({ kind: Kind.NAME, value }) as const;
  const variable = { kind: Kind.VARIABLE, name: name(NAME) } as const;
  const resumed: FieldNode = {
    ...root,
    arguments: [
      ...(root.arguments ?? []).filter((argument) => argument.name.value !== rule.argument),
      { kind: Kind.ARGUMENT, name: name(rule.argument), value: variable },
    ],
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: [
        ...(root.selectionSet?.selections ?? []),
        { kind: Kind.FIELD, alias: name(NAME), name: name(rule.field) },
      ],
    },
  };
  const selectionSet: SelectionSetNode = {
    kind: Kind.SELECTION_SET,
    selections: operation.selectionSet.selections.map((selection) => (selection === root ? resumed : selection)),
  };
  const others = document.definitions.filter((definition) => definition !== operation);
  const used = new Set<string>();
  for (const node of [selectionSet, ...others]) {
    visit(node, { Variable: ({ name: { value } }) => void used.add(value) });
  }
  // A subgraph refuses a variable that nothing uses any more.
  const variableDefinitions = [
    ...(operation.variableDefinitions ?? []).filter((definition) => used.has(definition.variable.name.value)),
    { kind: Kind.VARIABLE_DEFINITION, variable, type: parseType(type) } as const,
  ];
  return { ...document, definitions: [{ ...operation, variableDefinitions, selectionSet }, ...others] };
}
