import { z } from 'zod';
import { createDocumentCache, remember } from '../operations/document-cache.ts';
import { canonicalDocument, countTokens } from './canonical-document.ts';
import { manifestOf } from './operation-manifest.ts';

/** The documents that clients were built with. */
export interface TrustedDocuments {
  /** The text of an id; undefined where it is not among them. */
  byId(id: string): string | undefined;
  /** Whether a text is one of them, but for white space, comments and the order of its definitions. */
  has(text: string): boolean;
  readonly size: number;
  /** Of the operations, where the manifest tells them. */
  readonly names: ReadonlySet<string>;
}

const manifestSchema = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string().min(1), name: z.string().optional() })),
});

/** Texts about which it has been asked; of what anybody may send. */
const MAX_ASKED = 1_000;

/**
 * Of Apollo's persisted query manifest (JSON), or of operations in GraphQL: these as Apollo Client sends them and as
 * they are written.
 *
 * @throws SyntaxError, ZodError, GraphQLError or Error that says what is wrong with it
 */
export function readTrustedDocuments(text: string): TrustedDocuments {
  const operations = /^\s*\{\s*"/.test(text) ? fromJson(text) : fromGraphql(text);
  const bodies = new Map<string, string>();
  for (const { id, body } of operations) {
    const other = bodies.get(id);
    if (other !== undefined && other !== body) throw new Error(`Two documents have the id ${id}.`);
    bodies.set(id, body);
  }
  const exact = new Set(bodies.values());
  const canonical = new Set<string>();
  let maxTokens = 0;
  for (const body of exact) {
    maxTokens = Math.max(maxTokens, countTokens(body));
    canonical.add(canonicalDocument(body) ?? body);
  }
  const asked = createDocumentCache<{ trusted: boolean }>(MAX_ASKED);
  return {
    byId: (id) => bodies.get(id),
    has(document) {
      if (exact.has(document)) return true;
      return remember(asked, document, () => {
        const sent = canonicalDocument(document, maxTokens);
        return { trusted: sent !== null && canonical.has(sent) };
      }).trusted;
    },
    size: bodies.size,
    names: new Set(operations.flatMap(({ name }) => name ?? [])),
  };
}

const fromJson = (text: string) => manifestSchema.parse(JSON.parse(text)).operations;

const fromGraphql = (text: string) => [
  ...manifestOf(text, 'apollo-client').operations,
  ...manifestOf(text, 'as-written').operations,
];
