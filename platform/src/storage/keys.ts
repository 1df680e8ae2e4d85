/** Where uploads wait until they are accepted. */
export const INCOMING = 'incoming/';

const MAX_KEY_LENGTH = 512;
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._=-]{0,127}$/;

/** Whether a key is of our form: no empty, hidden or `..` segment can be, so none leads out of the store. */
export function isObjectKey(key: string): boolean {
  return key.length <= MAX_KEY_LENGTH && key.split('/').every((segment) => SEGMENT.test(segment));
}

/** @throws RangeError: keys are made by us, never by a client. */
export function checkObjectKey(key: string): string {
  if (!isObjectKey(key)) throw new RangeError(`Not an object key: ${JSON.stringify(key)}`);
  return key;
}

/** @throws RangeError when it is no prefix of whole segments: `voices/voi_1` would also name `voices/voi_12`. */
export function checkObjectPrefix(prefix: string): string {
  if (!prefix.endsWith('/') || !isObjectKey(prefix.slice(0, -1))) {
    throw new RangeError(`Not a prefix of object keys that ends with "/": ${JSON.stringify(prefix)}`);
  }
  return prefix;
}
