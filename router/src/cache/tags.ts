import { createHash } from 'node:crypto';
import type { Data } from '../execution/data.ts';
import { canonicalJson } from './canonical-json.ts';

/* What an entry is made of, as strings: what changes is named by the same. No part before the last can hold a colon. */

/** Longer keys are hashed. */
const MAX_KEY = 100;

/** Everything of a subgraph. */
export const subgraphTag = (subgraph: string) => `s:${subgraph}`;

/** What has objects of a type, of a subgraph. */
export const typeTag = (subgraph: string, type: string) => `t:${type}:${subgraph}`;

/** What everybody sees and has objects of a type, other than the one entity that it is about. */
export const containsTag = (type: string) => `in:${type}`;

/** What has entities of a type of which not every key is known. */
export const partlyTag = (type: string) => `u:${type}`;

/** What has an entity, by one of its keys. */
export function entityTag(type: string, key: Data): string {
  const text = canonicalJson(key);
  const short = text.length <= MAX_KEY ? text : createHash('sha256').update(text).digest('base64url');
  return `e:${type}:${short}`;
}
