import { Kind, OperationTypeNode, visit } from 'graphql';
import type {
  ASTNode,
  DirectiveNode,
  DocumentNode,
  FragmentSpreadNode,
  InlineFragmentNode,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { refusal } from './refusal.ts';
import { createSelectionBudget } from './selection-budget.ts';

/** An operation of which each deferred fragment can be told from the others. */
export interface LabeledOperation {
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  /** The clients' labels by those that stand in the operation now. */
  labels: ReadonlyMap<string, string | undefined>;
}

type Variables = Readonly<Record<string, unknown>>;

/** Whether anything in a document is deferred, perhaps. */
export function hasDefer(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive(directive) {
      found ||= isDefer(directive);
    },
  });
  return found;
}

/** What the values of variables decide about what is deferred, as a key; without variables nothing is. */
export function deferConditions(
  operation: OperationDefinitionNode,
  fragments: FragmentMap,
  coerced: Variables | null,
): string {
  if (coerced === null) return 'whole';
  const decided: string[] = [];
  for (const root of [operation, ...fragments.values()]) {
    visit(root, {
      Directive(directive) {
        if (isDefer(directive)) decided.push(isActive(directive, coerced) ? '1' : '0');
      },
    });
  }
  return decided.join('');
}

/** The operation as if `@defer` had not been written. */
export function withoutDefer(operation: OperationDefinitionNode, fragments: FragmentMap): LabeledOperation {
  const strip = <T extends ASTNode>(node: T): T =>
    visit(node, { Directive: (directive) => (isDefer(directive) ? null : undefined) });
  return {
    operation: strip(operation),
    fragments: new Map([...fragments].map(([name, fragment]) => [name, strip(fragment)])),
    labels: new Map(),
  };
}

/**
 * Gives each deferred fragment a label of its own, and decides now which are: for every condition that is left
 * open the planner makes two plans. Named fragments are written out where they are spread: a deferred one may be
 * spread in several places, and each is delivered by itself.
 *
 * @throws OperationRefused where the root of a mutation or anything of a subscription is deferred, or with
 * OPERATION_LIMIT_EXCEEDED where too much is written out
 */
export function labelDefers(
  operation: OperationDefinitionNode,
  fragments: FragmentMap,
  coerced: Variables,
): LabeledOperation {
  const labels = new Map<string, string | undefined>();
  const spend = createSelectionBudget();

  const expandFragment = (selection: InlineFragmentNode | FragmentSpreadNode, level: number, atRoot: boolean) => {
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
    if (fragment === undefined) return selection;
    const selectionSet = expand(fragment.selectionSet, level + 1, atRoot);
    const directives = selection.directives?.filter((directive) => !isDefer(directive)) ?? [];
    const defer = selection.directives?.find((directive) => isDefer(directive) && isActive(directive, coerced));
    if (defer !== undefined) checkPlace(operation, atRoot);
    // The planner knows introspection where nothing stands around it.
    if (defer !== undefined && !(atRoot && asksForSchema(selectionSet))) {
      const planLabel = `d${labels.size}`;
      labels.set(planLabel, labelOf(defer));
      directives.push(deferAs(planLabel));
    }
    const inline: InlineFragmentNode = {
      kind: Kind.INLINE_FRAGMENT,
      ...(fragment.typeCondition === undefined ? {} : { typeCondition: fragment.typeCondition }),
      directives,
      selectionSet,
    };
    return inline;
  };

  const expand = (set: SelectionSetNode, level: number, atRoot: boolean): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection) => {
      spend(level);
      if (selection.kind !== Kind.FIELD) return expandFragment(selection, level, atRoot);
      if (selection.selectionSet === undefined) return selection;
      return { ...selection, selectionSet: expand(selection.selectionSet, level + 1, false) };
    }),
  });

  const selectionSet = expand(operation.selectionSet, 1, true);
  return { operation: { ...operation, selectionSet }, fragments: new Map(), labels };
}

function isDefer({ name }: DirectiveNode): boolean {
  return name.value === 'defer';
}

function isActive(directive: DirectiveNode, coerced: Variables): boolean {
  const value = argumentOf(directive, 'if');
  if (value?.kind === Kind.VARIABLE) return coerced[value.name.value] !== false;
  return value?.kind !== Kind.BOOLEAN || value.value;
}

/** A label is static (incremental delivery, `@defer`): one from a variable is none. */
function labelOf(directive: DirectiveNode): string | undefined {
  const value = argumentOf(directive, 'label');
  return value?.kind === Kind.STRING ? value.value : undefined;
}

function argumentOf(directive: DirectiveNode, name: string) {
  return directive.arguments?.find((argument) => argument.name.value === name)?.value;
}

function deferAs(planLabel: string): DirectiveNode {
  const name = (value: string) => ({ kind: Kind.NAME, value }) as const;
  const value = { kind: Kind.STRING, value: planLabel } as const;
  return {
    kind: Kind.DIRECTIVE,
    name: name('defer'),
    arguments: [{ kind: Kind.ARGUMENT, name: name('label'), value }],
  };
}

function checkPlace({ operation }: OperationDefinitionNode, atRoot: boolean): void {
  if (operation === OperationTypeNode.SUBSCRIPTION) {
    throw refusal('GRAPHQL_VALIDATION_FAILED', 'The directive "@defer" cannot be used in a subscription.');
  }
  if (operation === OperationTypeNode.MUTATION && atRoot) {
    throw refusal('GRAPHQL_VALIDATION_FAILED', 'The directive "@defer" cannot be used at the root of a mutation.');
  }
}

function asksForSchema(set: SelectionSetNode): boolean {
  return set.selections.some((selection) => {
    if (selection.kind === Kind.FIELD) return ['__schema', '__type'].includes(selection.name.value);
    return selection.kind === Kind.INLINE_FRAGMENT && asksForSchema(selection.selectionSet);
  });
}
