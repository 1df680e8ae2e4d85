import { getArgumentValues } from 'graphql';
import type { FieldNode, GraphQLField } from 'graphql';
import type { ListSize } from '../supergraph/annotations.ts';
import { refusal } from '../operations/refusal.ts';

type Values = Readonly<Record<string, unknown>>;

/**
 * How many items a field's `@listSize` promises: its largest slicing argument (defaults and
 * variables included), else its assumed size, else nothing. Below zero counts as zero.
 *
 * @throws OperationRefused where exactly one slicing argument is required and another number is given
 */
export function expectedListSize(
  listSize: ListSize,
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  variables: Values,
): number | null {
  if (listSize.slicingArguments.length === 0) return listSize.assumedSize;
  const values = getArgumentValues(field, node, variables);
  const sizes = listSize.slicingArguments
    .map((path) => path.split('.').reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), values))
    .filter((value) => value !== undefined && value !== null);
  if (listSize.requireOneSlicingArgument && sizes.length !== 1) {
    throw refusal(
      'GRAPHQL_VALIDATION_FAILED',
      `Field "${field.name}" needs exactly one of the arguments ${listSize.slicingArguments.join(', ')}; ${sizes.length} were given.`,
    );
  }
  const numbers = sizes.map((value) => (Array.isArray(value) ? value.length : Number(value))).filter(Number.isFinite);
  return numbers.length === 0 ? listSize.assumedSize : Math.max(0, ...numbers);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
