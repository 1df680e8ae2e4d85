import { isData, isList, setOwn } from './data.ts';
import type { Data } from './data.ts';
import type { FieldShape, ObjectShape, ValueShape } from './response-shape.ts';

/** What completion found wrong, in the client's terms. */
export interface CompletionError {
  /** `unanswered`: a root field that was in no answer. */
  kind: 'unauthorized' | 'unanswered' | 'invalid';
  message: string;
  path: (string | number)[];
}

export interface Completion {
  errors: CompletionError[];
  /** Where completion is; empty between calls. */
  path: (string | number)[];
}

/** A list of a thousand objects with one forbidden field each says so a hundred times. */
const MAX_ERRORS = 100;

export function startCompletion(at: readonly (string | number)[] = []): Completion {
  return { errors: [], path: [...at] };
}

/**
 * Makes the response of what was fetched, in one pass and into new objects (GraphQL specification, section 6.4.3):
 * leaves are checked, what was not asked for stays behind, and a null where none may be makes its parent null.
 */
export function completeObject(shape: ObjectShape, data: Data, completion: Completion): Data | null {
  const shaped = shape.fieldsOf(data['__typename']);
  if (shaped === null) {
    report(completion, 'invalid', `The subgraph sent an object that is no ${shape.type.name}.`);
    return null;
  }
  const result: Data = {};
  for (const field of shaped.fields) {
    const value = field.constant ?? completeField(field, data, completion);
    if (value === null && field.nonNull) return null;
    if (field.name === '__proto__') setOwn(result, field.name, value);
    else result[field.name] = value;
  }
  return result;
}

function completeField(field: FieldShape, data: Data, completion: Completion): unknown {
  const { path } = completion;
  const raw = data[field.source];
  if (field.denied || field.reported) {
    path.push(field.name);
    report(completion, 'unauthorized', 'Unauthorized field or type');
    path.pop();
    if (field.denied) return null;
  }
  if (raw === null || raw === undefined) {
    reportMissing(field, raw, completion);
    return null;
  }
  if (field.value.kind === 'leaf') {
    const leaf = field.value.serialize(raw);
    if (leaf !== undefined) return leaf;
  }
  path.push(field.name);
  const value = completeValue(field.value, raw, field, completion);
  path.pop();
  return value;
}

function reportMissing(field: FieldShape, raw: null | undefined, completion: Completion): void {
  const { path } = completion;
  // At the root, nothing that was there before can be the reason why a field was not answered.
  const isUnanswered = raw === undefined && path.length === 0;
  if (!isUnanswered && !field.nonNull) return;
  path.push(field.name);
  if (isUnanswered) report(completion, 'unanswered', `No subgraph answered the field ${field.coordinate}.`);
  else report(completion, 'invalid', `Cannot return null for non-nullable field ${field.coordinate}.`);
  path.pop();
}

function completeValue(shape: ValueShape, raw: unknown, field: FieldShape, completion: Completion): unknown {
  if (shape.kind === 'any') return raw;
  if (shape.kind === 'object' && isData(raw)) return completeObject(shape.object, raw, completion);
  if (shape.kind === 'list' && isList(raw)) return completeList(shape, raw, field, completion);
  const leaf = shape.kind === 'leaf' ? shape.serialize(raw) : undefined;
  if (leaf !== undefined) return leaf;
  const expected = shape.kind === 'leaf' ? `valid ${shape.type}` : shape.kind;
  report(completion, 'invalid', `The subgraph sent no ${expected} for ${field.coordinate}.`);
  return null;
}

function completeList(
  { item, itemNonNull }: Extract<ValueShape, { kind: 'list' }>,
  raw: readonly unknown[],
  field: FieldShape,
  completion: Completion,
): unknown[] | null {
  const { path } = completion;
  const result: unknown[] = [];
  for (let index = 0; index < raw.length; index += 1) {
    const value = raw[index];
    path.push(index);
    const missing = value === null || value === undefined;
    if (missing && itemNonNull) {
      report(completion, 'invalid', `Cannot return null for non-nullable field ${field.coordinate}.`);
    }
    const completed = missing ? null : completeValue(item, value, field, completion);
    path.pop();
    if (completed === null && itemNonNull) return null;
    result.push(completed);
  }
  return result;
}

function report({ errors, path }: Completion, kind: CompletionError['kind'], message: string): void {
  if (errors.length < MAX_ERRORS) errors.push({ kind, message, path: [...path] });
}
