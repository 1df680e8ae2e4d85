import { isAbstractType, isCompositeType, isObjectType, Kind } from 'graphql';
import type { GraphQLSchema } from 'graphql';
import { isData, isList } from '../execution/data.ts';
import type { Data } from '../execution/data.ts';
import type { CompiledPlan } from '../execution/compile-plan.ts';
import { compileShape } from '../execution/response-shape.ts';
import type { ObjectShape, ShapeOptions } from '../execution/response-shape.ts';
import type { SubgraphOperation } from '../subgraphs/subgraph-transport.ts';
import { costOfFields } from './actual-cost.ts';
import type { ShapeCosts } from './actual-cost.ts';
import { fetchDocument, fetchSteps } from './fetch-documents.ts';
import type { FetchDocument } from './fetch-documents.ts';
import type { FetchCosts } from './operation-costs.ts';
import type { Variables } from './term.ts';

export interface FetchMeasure {
  schema: GraphQLSchema;
  costs: ShapeCosts;
  /** What an entity counts by itself; null: what its type weighs. */
  entityWeight: number | null;
  /** Of a fetch of a mutation's fields. */
  mutation: number;
}

type Measure = (data: Data, coerced: Variables) => number;

/** Weighs what subgraphs answer, each fetch by what it asked for. */
export function createFetchActual(plan: CompiledPlan, measure: FetchMeasure): FetchCosts['actualOf'] {
  const steps = new Map(fetchSteps(plan).map((step) => [step.operation, step]));
  const measures = new Map<SubgraphOperation, Measure>();
  return (operation, data, coerced) => {
    let weigh = measures.get(operation);
    if (weigh === undefined) {
      const step = steps.get(operation);
      if (step === undefined) return 0;
      weigh = compile(fetchDocument(step), measure);
      measures.set(operation, weigh);
    }
    return weigh(data, coerced) + (operation.kind === 'mutation' ? measure.mutation : 0);
  };
}

function compile(document: FetchDocument, measure: FetchMeasure): Measure {
  const { operation, fragments, entities } = document;
  const options: ShapeOptions = {
    schema: measure.schema,
    operation,
    fragments,
    denied: new Set(),
    reported: new Set(),
    sourceOf: (field) => field.alias?.value ?? field.name.value,
    // What is not there costs nothing.
    isIncluded: () => true,
    deferLabelOf: () => null,
    costs: measure.costs,
  };
  if (entities === null) {
    const shape = compileShape(options);
    return (data, coerced) => costOfFields(shape, data, coerced);
  }
  const shapeFor = shapesOfEntities(document, options, measure);
  return (data, coerced) => {
    let total = 0;
    const found = data['_entities'];
    for (const entity of isList(found) ? found : []) {
      if (!isData(entity)) continue;
      const { weight, shape } = shapeFor(entity['__typename']);
      total += (measure.entityWeight ?? weight) + (shape === null ? 0 : costOfFields(shape, entity, coerced));
    }
    return total;
  };
}

interface EntityShape {
  weight: number;
  shape: ObjectShape | null;
}

function shapesOfEntities(
  { entities }: FetchDocument,
  options: ShapeOptions,
  { schema, costs }: FetchMeasure,
): (typename: unknown) => EntityShape {
  const known = new Map<unknown, EntityShape>();
  const make = (typename: unknown): EntityShape => {
    const type = typeof typename === 'string' ? schema.getType(typename) : undefined;
    const inner = (entities?.selections ?? []).flatMap((each) => {
      if (each.kind !== Kind.INLINE_FRAGMENT || each.typeCondition === undefined) return [];
      const condition = schema.getType(each.typeCondition.name.value);
      const applies =
        condition === type ||
        type === undefined ||
        (isAbstractType(condition) && isObjectType(type) && schema.isSubType(condition, type));
      return applies && isCompositeType(condition) ? [{ condition, set: each.selectionSet }] : [];
    });
    const of = isCompositeType(type) ? type : inner.at(0)?.condition;
    if (of === undefined) return { weight: 1, shape: null };
    const set = { kind: Kind.SELECTION_SET, selections: inner.flatMap((each) => each.set.selections) } as const;
    return { weight: costs.ofType(of), shape: compileShape(options, { type: of, set }) };
  };
  return (typename) => {
    let shape = known.get(typename);
    if (shape === undefined) {
      shape = make(typename);
      known.set(typename, shape);
    }
    return shape;
  };
}
