import { executeSync, Kind, OperationTypeNode } from 'graphql';
import type {
  FieldNode,
  FragmentSpreadNode,
  GraphQLSchema,
  InlineFragmentNode,
  OperationDefinitionNode,
  SelectionSetNode,
  TypeNode,
} from 'graphql';
import type { ErrorPlacement } from '../auth/authorization.ts';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { conditionOf, conditionVariables, createByConditions, isIncluded } from '../operations/by-conditions.ts';
import type { OperationCosts } from '../demand/operation-costs.ts';
import { usageOf } from '../telemetry/used-coordinates.ts';
import type { OperationUsage } from '../telemetry/used-coordinates.ts';
import { asksFor } from './asks-for.ts';
import type { CompiledPlan, FetchStep } from './compile-plan.ts';
import type { Data } from './data.ts';
import type { Path } from './places.ts';
import { compileShape, introspectionSource } from './response-shape.ts';
import type { ObjectShape } from './response-shape.ts';
import { deferSteps } from './run-plan.ts';

/** An operation that can be executed for everybody who may see the same of it, with any variables. */
export interface ExecutableOperation {
  plan: CompiledPlan;
  /** What its response looks like when conditions are decided by these (coerced) variables. */
  shapeFor: (coerced: Variables) => ObjectShape;
  /** Whether it asks for what stands at a place of what was fetched, whatever the types and conditions. */
  asksFor: (path: Path) => boolean;
  /** Where it is said what of it the caller may not see. */
  placement: ErrorPlacement;
  /** Whether the errors of a fetch could quote what the caller may not see: a key that only the plan asks for. */
  hides: (step: FetchStep) => boolean;
  /** What introspection puts among what is fetched; null where the operation asks for none. */
  introspect: ((variables: Variables) => Data) | null;
  /** Null where costs are not counted. */
  costs: OperationCosts | null;
  /** What of the schema the client's document uses: made anew by each call. */
  usage: () => OperationUsage;
}

export interface ExecutableOptions {
  schema: GraphQLSchema;
  /** As the client sent it. */
  operation: OperationDefinitionNode;
  fragments: FragmentMap;
  /** Fields that were taken out of what was planned. */
  denied: ReadonlySet<FieldNode>;
  /** Fields that would have been taken out, were it not a dry run. */
  reported: ReadonlySet<FieldNode>;
  hides: ExecutableOperation['hides'];
  /** What introspection tells of. */
  visibleSchema: () => GraphQLSchema;
  placement: ErrorPlacement;
  plan: CompiledPlan;
  sourceOf: (field: FieldNode) => string;
  /** The clients' labels of deferred fragments, by the plan's. */
  deferLabels: ReadonlyMap<string, string | undefined>;
  costs: OperationCosts | null;
}

type Variables = Readonly<Record<string, unknown>>;

export function makeExecutable(options: ExecutableOptions): ExecutableOperation {
  const { plan, operation, fragments, costs } = options;
  const conditions = conditionVariables([operation, ...fragments.values()], ['skip', 'include', 'defer']);

  return {
    plan,
    placement: options.placement,
    hides: options.hides,
    costs,
    asksFor: (path) => asksFor(options, path),
    introspect: introspection(options),
    usage: () => usageOf(options),
    shapeFor: createByConditions(conditions, (coerced) => shapeOf(options, coerced)),
  };
}

/** Whether something is asked for, with these (coerced) variables, and the plan is to fetch nothing. */
export function isUnanswerable({ plan, shapeFor }: ExecutableOperation, coerced: Variables): boolean {
  if (plan.step !== null || plan.primary !== null) return false;
  const fields = shapeFor(coerced).fieldsOf(undefined)?.fields ?? [];
  return fields.some(({ denied, constant, value }) => !denied && constant === null && value.kind !== 'any');
}

function shapeOf(options: ExecutableOptions, coerced: Variables): ObjectShape {
  const delivered = new Set<string>();
  const addLabels = (step: CompiledPlan['step']): void => {
    for (const { deferred } of deferSteps(step, coerced)) {
      for (const part of deferred) {
        delivered.add(part.label);
        addLabels(part.step);
      }
    }
  };
  addLabels(options.plan.step);
  return compileShape({
    ...options,
    costs: options.costs?.shapes ?? null,
    isIncluded: (selection) => isIncluded(selection, coerced),
    deferLabelOf(fragment) {
      const planLabel = planLabelOf(fragment, coerced);
      // The planner defers nothing where that would save nothing: such a fragment belongs to what is around it.
      if (planLabel === null || !delivered.has(planLabel)) return null;
      return { planLabel, label: options.deferLabels.get(planLabel) };
    },
  });
}

function planLabelOf(fragment: InlineFragmentNode | FragmentSpreadNode, coerced: Variables): string | null {
  const defer = fragment.directives?.find(({ name }) => name.value === 'defer');
  if (defer === undefined || conditionOf(defer, coerced) === false) return null;
  const label = defer.arguments?.find(({ name }) => name.value === 'label')?.value;
  return label?.kind === Kind.STRING ? label.value : null;
}

/** Introspection is answered here, by graphql-js on the part of the schema that the caller may use. */
function introspection({ visibleSchema, operation, fragments }: ExecutableOptions): ExecutableOperation['introspect'] {
  if (operation.operation !== OperationTypeNode.QUERY) return null;
  const fields: FieldNode[] = [];
  const collect = (set: SelectionSetNode) => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        if (selection.name.value === '__schema' || selection.name.value === '__type') fields.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else {
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) collect(fragment.selectionSet);
      }
    }
  };
  collect(operation.selectionSet);
  if (fields.length === 0) return null;
  const schema = visibleSchema();
  const document = {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        ...operation,
        // Others may be of types that the caller may not use, and are of no use here.
        variableDefinitions: (operation.variableDefinitions ?? []).filter(({ type }) => isKnown(type, schema)),
        selectionSet: { kind: Kind.SELECTION_SET, selections: fields },
      } as const,
      ...fragments.values(),
    ],
  } as const;
  return (variables) => {
    const { data } = executeSync({ schema, document, variableValues: variables });
    return Object.fromEntries(Object.entries(data ?? {}).map(([name, value]) => [introspectionSource(name), value]));
  };
}

function isKnown(type: TypeNode, schema: GraphQLSchema): boolean {
  return type.kind === Kind.NAMED_TYPE ? schema.getType(type.name.value) !== undefined : isKnown(type.type, schema);
}
