import { isData, isList } from './data.ts';
import type { Path } from './places.ts';
import type { FieldShape, FieldsShape, ObjectShape, ValueShape } from './response-shape.ts';

/**
 * A place in what was fetched, in the client's terms. Fetches also ask for keys and required fields: what is wrong
 * with one of those is wrong with the object around it, and so the path ends there.
 */
export function clientPath(shape: ObjectShape, data: unknown, path: Path): Path {
  const known: (string | number)[] = [];
  let at: ValueShape = { kind: 'object', object: shape };
  let value: unknown = data;
  for (const step of path) {
    if (typeof step === 'number') {
      if (at.kind !== 'list') break;
      at = at.item;
      value = isList(value) ? value[step] : undefined;
      known.push(step);
    } else {
      const field: FieldShape | undefined = at.kind === 'object' ? fieldAt(at.object, value, step) : undefined;
      if (field === undefined) break;
      at = field.value;
      value = isData(value) ? value[step] : undefined;
      known.push(field.name);
    }
  }
  return known;
}

function fieldAt(shape: ObjectShape, value: unknown, source: string): FieldShape | undefined {
  const type = isData(value) ? value['__typename'] : undefined;
  const own = shape.fieldsOf(type);
  // Of what has become null the type is not known any more: any that has such a field says what it is called.
  const candidates = own === null ? shape.typeNames.map((name) => shape.fieldsOf(name)) : [own];
  for (const candidate of candidates) {
    const field = candidate === null ? undefined : fieldIn(candidate, value, source);
    if (field !== undefined) return field;
  }
  return undefined;
}

function fieldIn({ fields, deferred }: FieldsShape, value: unknown, source: string): FieldShape | undefined {
  const field = fields.find((each) => each.source === source && !each.denied && each.constant === null);
  if (field !== undefined) return field;
  for (const { object } of deferred) {
    const later = fieldAt(object, value, source);
    if (later !== undefined) return later;
  }
  return undefined;
}
