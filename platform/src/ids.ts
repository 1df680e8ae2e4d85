import { uuidv7 } from 'uuidv7';

/**
 * The prefixes of global ids: users, voices, generations, API keys, samples, consents, chunks,
 * plans, holds, audit entries, data requests, invoices, library entries.
 */
export const ID_TYPES = [
  'usr',
  'voi',
  'gen',
  'key',
  'smp',
  'cns',
  'chk',
  'hld',
  'chg',
  'evt',
  'aud',
  'req',
  'inv',
  'sub',
] as const;

export type IdType = (typeof ID_TYPES)[number];

const FORM = new RegExp(
  `^(${ID_TYPES.join('|')})_[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
);

/** A fresh id: prefix, underscore, UUIDv7 (RFC 9562), so that ids of one type sort by creation time. */
export function newId<T extends IdType>(type: T): `${T}_${string}` {
  return `${type}_${uuidv7()}`;
}

/** The type that an id claims to be, or null when it is not of our form (`plan_free` and the like included). */
export function idType(id: string): IdType | null {
  const match = FORM.exec(id);
  return match === null ? null : (ID_TYPES.find((type) => type === match[1]) ?? null);
}

export function isId(type: IdType, id: string): boolean {
  return idType(id) === type;
}
