import { createHash } from 'node:crypto';
import { isData, isList } from '../execution/data.ts';
import type { SubgraphRequest } from '../subgraphs/subgraph-transport.ts';
import { canonicalJson } from './canonical-json.ts';

/** How what is looked for is told apart from other answers to the same operation. */
export interface PartKeys {
  /** What is the same for all parts: JSON, or nothing. */
  given: string;
  /** Of the whole of a root fetch, or of each entity. */
  keys: readonly string[];
}

const REPRESENTATIONS = 'representations';
/** Longer ones are hashed. */
const MAX_KEY = 200;

/** The order in which objects have their keys tells nothing apart; everything else does. */
export function partKeysOf(kind: 'root' | 'entities', { variables = {} }: SubgraphRequest): PartKeys {
  const representations = kind === 'root' ? undefined : variables[REPRESENTATIONS];
  if (!isList(representations)) return { given: '', keys: [shortened(canonicalJson(variables))] };
  const { [REPRESENTATIONS]: _, ...others } = variables;
  return { given: hasKeys(others) ? canonicalJson(others) : '', keys: keysOf(representations) };
}

/**
 * Most representations are a type and an id: these are told apart by their lengths and what they are, which no other
 * can be read as, whatever they hold. JSON begins with no digit.
 */
function keysOf(representations: readonly unknown[]): string[] {
  let [lastType, lastField, begin] = ['', '', '0 0 '];
  return representations.map((representation) => {
    const field = isData(representation) ? onlyFieldOf(representation) : null;
    if (field === null || !isData(representation)) return shortened(canonicalJson(representation));
    const { __typename: type, [field]: value } = representation;
    if (typeof type !== 'string' || typeof value !== 'string') return shortened(canonicalJson(representation));
    if (type !== lastType || field !== lastField) {
      [lastType, lastField] = [type, field];
      begin = `${type.length} ${field.length} ${type}${field}`;
    }
    return shortened(begin + value);
  });
}

/** Beside `__typename`; null where there are others. */
function onlyFieldOf(representation: Readonly<Record<string, unknown>>): string | null {
  let only: string | null = null;
  for (const field in representation) {
    if (field === '__typename') continue;
    if (only !== null) return null;
    only = field;
  }
  return only;
}

function hasKeys(values: object): boolean {
  for (const _ in values) return true;
  return false;
}

function shortened(key: string): string {
  return key.length <= MAX_KEY ? key : `#${createHash('sha256').update(key).digest('base64url')}`;
}
