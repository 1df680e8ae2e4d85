import { Kind, valueFromAST, visit } from 'graphql';
import type { FieldNode, GraphQLField, ValueNode } from 'graphql';
import { refusal } from '../operations/refusal.ts';
import type { ListSize } from '../supergraph/annotations.ts';
import type { Size, Variables } from './term.ts';

type Read = { constant: unknown } | ((variables: Variables) => unknown);

/** Of what a list may be said to have: no list is longer. */
const MAX_SIZE = 2 ** 31 - 1;

/**
 * How many items a field's `@listSize` promises: its largest slicing argument (defaults and variables included; of a
 * list its length), else its assumed size, else nothing. What is below zero counts as zero, what is no number as nothing.
 *
 * What is returned throws OperationRefused where exactly one slicing argument is required and another number is given.
 */
export function compileListSize(listSize: ListSize, field: GraphQLField<unknown, unknown>, node: FieldNode): Size {
  const { slicingArguments, assumedSize, requireOneSlicingArgument } = listSize;
  const assumed = sizeOf(assumedSize);
  if (slicingArguments.length === 0) return assumed;
  const reads = slicingArguments.map((path) => compileRead(path, field, node));
  const sizeFor = (variables: Variables): number | null => {
    let largest: number | null = null;
    let given = 0;
    for (const read of reads) {
      const size = sizeOf(typeof read === 'function' ? read(variables) : read.constant);
      if (size === null) continue;
      given += 1;
      if (largest === null || size > largest) largest = size;
    }
    if (requireOneSlicingArgument && given !== 1) {
      throw refusal(
        'GRAPHQL_VALIDATION_FAILED',
        `Field "${field.name}" needs exactly one of the arguments ${slicingArguments.join(', ')}; ${given} were given.`,
      );
    }
    return largest ?? assumed;
  };
  const isOpen = requireOneSlicingArgument || reads.some((read) => typeof read === 'function');
  return isOpen ? sizeFor : sizeFor({});
}

/** Reads a slicing argument, a path of names in dots, off the arguments of a field. */
function compileRead(path: string, field: GraphQLField<unknown, unknown>, node: FieldNode): Read {
  const [name, ...below] = path.split('.');
  const argument = field.args.find((candidate) => candidate.name === name);
  if (argument === undefined) return { constant: undefined };
  const otherwise = dig(argument.defaultValue, below);
  const given = node.arguments?.find((candidate) => candidate.name.value === name)?.value;
  if (given === undefined) return { constant: otherwise };
  if (given.kind === Kind.VARIABLE) {
    const variable = given.name.value;
    return (variables) => (variables[variable] === undefined ? otherwise : dig(variables[variable], below));
  }
  if (!hasVariables(given)) return { constant: dig(valueFromAST(given, argument.type), below) };
  return (variables) => dig(valueFromAST(given, argument.type, variables), below);
}

function dig(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined), value);
}

function sizeOf(value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'number' ? Math.min(Math.max(Math.ceil(value), 0), MAX_SIZE) : null;
}

export function hasVariables(value: ValueNode): boolean {
  let found = false;
  visit(value, { Variable: () => void (found = true) });
  return found;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
