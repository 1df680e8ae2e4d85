import type { ApolloServerPlugin } from '@apollo/server';
import { Kind, OperationTypeNode } from 'graphql';
import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** What is ready to be executed. */
export interface KnownRequest {
  document: DocumentNode;
  variables: Record<string, unknown> | null;
}

interface KnownOperation {
  document: DocumentNode;
  name: string | null;
}

const MAX_KNOWN = 2_000;
/** UTF-16 code units of text. */
const MAX_TEXT = 4_000_000;

/**
 * The documents of one operation that Apollo Server has parsed and found valid, by their text. A router sends the same few
 * again and again, and Apollo's pipeline (a hash of the text, hooks, promises, the negotiation of a form) takes longer than
 * executing most of them.
 */
export class KnownOperations {
  readonly #byText = new LRUCache<string, KnownOperation>({
    max: MAX_KNOWN,
    maxSize: MAX_TEXT,
    sizeCalculation: (_, text) => text.length,
  });

  /** What Apollo Server has executed is known from then on. */
  plugin<Context extends object>(): ApolloServerPlugin<Context> {
    return {
      requestDidStart: async () => ({
        didResolveOperation: async ({ source, document }) => this.#remember(source, document),
      }),
    };
  }

  /** Null for whatever is not known, or has a form that is not the plainest: that is Apollo Server's. */
  find(body: unknown): KnownRequest | null {
    if (!isRecord(body)) return null;
    const { query, operationName, variables, extensions } = body;
    const known = typeof query === 'string' ? this.#byText.get(query) : undefined;
    if (known === undefined || (extensions !== undefined && extensions !== null)) return null;
    if (operationName !== undefined && operationName !== null && operationName !== known.name) return null;
    if (variables === undefined || variables === null) return { document: known.document, variables: null };
    return isRecord(variables) ? { document: known.document, variables } : null;
  }

  #remember(text: string, document: DocumentNode): void {
    const [operation, ...others] = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    if (operation?.kind !== Kind.OPERATION_DEFINITION || others.length > 0) return;
    if (operation.operation === OperationTypeNode.SUBSCRIPTION) return;
    this.#byText.set(text, { document, name: operation.name?.value ?? null });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
