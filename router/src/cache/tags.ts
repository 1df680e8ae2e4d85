import { createHash } from 'node:crypto';
import type { Data } from '../execution/data.ts';
import { canonicalJson } from './canonical-json.ts';

/* What an entry is made of, as strings: what changes is named by the same. No part before the last can hold a colon. */

/** Longer parts are hashed. */
const MAX_LENGTH = 100;

/** Everything of a subgraph. */
export const subgraphTag = (subgraph: string) => `s:${subgraph}`;

/** What has objects of a type, of a subgraph. */
export const typeTag = (subgraph: string, type: string) => `t:${type}:${subgraph}`;

/** What everybody sees and has objects of a type, other than the one entity that it is about. */
export const containsTag = (type: string) => `in:${type}`;

/** What has entities of a type of which not every key is known. */
export const partlyTag = (type: string) => `u:${type}`;

/** What bears a `@cacheTag` of a subgraph. */
export const cacheTag = (subgraph: string, tag: string) => `c:${subgraph}:${shortened(tag)}`;

/** What has an entity, by one of its keys. */
export function entityTag(type: string, key: Data): string {
  return `e:${type}:${shortened(canonicalJson(key))}`;
}

function shortened(text: string): string {
  return text.length <= MAX_LENGTH ? text : `#${createHash('sha256').update(text).digest('base64url')}`;
}
