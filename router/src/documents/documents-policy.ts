import { hash } from 'node:crypto';
import type { Cache } from '@timbre/platform/cache/cache';
import type { Logger } from '@timbre/platform/logger';
import { LRUCache } from 'lru-cache';
import { holdsScope } from '../auth/principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { Policy, Session } from '../engine.ts';
import type { OperationLimits } from '../limits/operation-limits.ts';
import type { OperationRequest } from '../operations/prepare-operation.ts';
import { refusal } from '../operations/refusal.ts';
import { createAutomaticDocuments } from './automatic-documents.ts';
import { createIntrospectionOnly } from './introspection-only.ts';
import { persistedQueryId } from './persisted-query.ts';
import { readTrustedDocuments } from './trusted-documents.ts';

export interface DocumentsOptions {
  /**
   * Automatic persisted queries: what a client has sent once, it may name. Kept in this process and, where a cache is given,
   * for all that share it. Null: off. Never for those who may send trusted documents only.
   */
  automatic: { shared?: Cache } | null;
  /** Null: nothing is known beforehand. */
  trusted: TrustedOptions | null;
}

export interface TrustedOptions {
  /** Apollo's persisted query manifest, or operations in GraphQL. */
  manifest: string;
  /**
   * `off`: its ids are answered and so is everything else; `log`: everything else is logged; `enforce`: it is refused;
   * `enforce-ids`: the trusted documents too are refused, where they are not named by their ids.
   */
  mode: TrustedMode;
  /** Who holds it may send anything. */
  freeformScope?: string;
}

export type TrustedMode = 'off' | 'log' | 'enforce' | 'enforce-ids';

export interface DocumentsPolicyContext {
  limits: OperationLimits;
  mayIntrospect: (principal: Principal) => boolean;
  log: Logger;
}

export interface DocumentsPolicy {
  policy: Policy;
  /** Puts another manifest in the place of the present one. @throws Error that says what is wrong with it */
  replace(manifest: string): void;
  /** Of the trusted operations. */
  names(): ReadonlySet<string>;
}

/** Unknown documents that have been logged, by their text. */
const MAX_LOGGED = 1_000;
/** Characters of a name that the client has chosen. */
const MAX_LOGGED_NAME = 128;

/**
 * From what a client names to the document, and whether it may be run: the semantics and the codes of the Apollo Router's
 * persisted queries (apollographql.com/docs/graphos/platform/security/persisted-queries), but that a principal with the
 * scope for it is exempt from the list, and may use automatic persisted queries beside it.
 */
export function createDocumentsPolicy(options: DocumentsOptions, context: DocumentsPolicyContext): DocumentsPolicy {
  const automatic = options.automatic === null ? null : createAutomaticDocuments(options.automatic.shared ?? null);
  const { mode = 'off', freeformScope, manifest = null } = options.trusted ?? {};
  const restricts = mode === 'enforce' || mode === 'enforce-ids';
  const isExempt = holdersOf(freeformScope);
  const introspectsOnly = createIntrospectionOnly(context.limits);
  const logged = new LRUCache<string, true>({ max: MAX_LOGGED });
  let trusted = manifest === null ? null : readTrustedDocuments(manifest);

  function logUnknown(text: string, { operationName }: OperationRequest, { client, requestId }: Session): void {
    const id = hash('sha256', text);
    if (logged.has(id)) return;
    logged.set(id, true);
    const name = operationName?.slice(0, MAX_LOGGED_NAME);
    context.log.warn(
      { sha256: id, operationName: name, client, requestId },
      'a document is not among the trusted ones',
    );
  }

  function mayBeAsked(text: string, { principal }: Session): boolean {
    return context.mayIntrospect(principal) && introspectsOnly(text);
  }

  /** @throws OperationRefused where a document that was not named by an id of the list may not be run */
  function checkText(text: string, request: OperationRequest, session: Session): void {
    if (trusted === null || mode === 'off' || isExempt(session.principal)) return;
    if (mode === 'enforce-ids') {
      if (!mayBeAsked(text, session)) throw idRequired();
    } else if (!trusted.has(text) && !mayBeAsked(text, session)) {
      if (mode === 'enforce') throw notTrusted();
      logUnknown(text, request, session);
    }
  }

  /** @throws OperationRefused */
  async function documentOf(id: string, request: OperationRequest, session: Session): Promise<string> {
    const body = trusted?.byId(id);
    if (body !== undefined) return body;
    if (automatic === null || (restricts && !isExempt(session.principal))) throw notInList(id);
    const text = await automatic.find(id);
    if (text === null) throw notFound();
    checkText(text, request, session);
    return text;
  }

  const policy: Policy = (next) => ({
    ...next,
    async prepare(request, session) {
      const { query } = request;
      const id = persistedQueryId(request.extensions);
      if (id === null) {
        if (query !== undefined) checkText(query, request, session);
        return next.prepare(request, session);
      }
      if (query === undefined) {
        return next.prepare({ ...request, query: await documentOf(id, request, session) }, session);
      }
      if (automatic === null || (restricts && !isExempt(session.principal))) throw idAndBody();
      automatic.check(id, query);
      checkText(query, request, session);
      const prepared = await next.prepare(request, session);
      automatic.remember(id, query);
      return prepared;
    },
  });
  return {
    policy,
    replace(text) {
      trusted = readTrustedDocuments(text);
    },
    names: () => trusted?.names ?? new Set(),
  };
}

/** Remembered by principal, which is the same object from request to request. */
function holdersOf(scope: string | undefined): (principal: Principal) => boolean {
  if (scope === undefined) return () => false;
  const known = new WeakMap<Principal, boolean>();
  return (principal) => {
    let holds = known.get(principal);
    if (holds === undefined) {
      holds = holdsScope(new Set(principal.scopes), scope);
      known.set(principal, holds);
    }
    return holds;
  };
}

/** Apollo's clients look for just this message, in a response with status 200; then they send the document. */
const notFound = () => refusal('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', {}, { status: 200 });

const notInList = (id: string) =>
  refusal(
    'PERSISTED_QUERY_NOT_IN_LIST',
    'There is no trusted document with this id.',
    { details: { id } },
    { status: 404 },
  );

const notTrusted = () =>
  refusal('QUERY_NOT_IN_SAFELIST', 'The document is not among the trusted ones.', {}, { status: 403 });

const idRequired = () =>
  refusal(
    'PERSISTED_QUERY_ID_REQUIRED',
    'Documents are not taken here: name a trusted one by its id, in "extensions.persistedQuery".',
    {},
    { status: 400 },
  );

const idAndBody = () =>
  refusal(
    'CANNOT_SEND_PQ_ID_AND_BODY',
    'Send the id of a trusted document or a document, not both.',
    {},
    {
      status: 400,
    },
  );
