import type { OperationDefinitionNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Session } from '../engine.ts';
import { usesIntrospection } from '../operations/introspection.ts';
import type { LoadedSupergraph } from '../supergraph/load-supergraph.ts';
import { accessKey, createAccess, rightsOf, rightsOfAccess } from './access.ts';
import type { Access, Rights } from './access.ts';
import type { HeldPolicies } from './evaluate-policies.ts';
import { filterOperation } from './filter-operation.ts';
import type { FragmentMap } from './filter-operation.ts';
import type { Principal } from './principal.ts';

/** Who may see what of one supergraph; remembered by principal and by rights. */
export interface Accesses {
  /** A caller's access for an operation. A promise only where policies have to be evaluated. */
  of(session: Session, operation: OperationDefinitionNode, fragments: FragmentMap): Access | Promise<Access>;
  /** Whether policies have a say in what such a caller may see of an operation. */
  dependsOnPolicies(session: Session, operation: OperationDefinitionNode, fragments: FragmentMap): boolean;
  /** A caller's access without any policy. */
  withoutPolicies(principal: Principal): Access;
  /** @throws SyntaxError or ZodError on what is no access key */
  byKey(key: string): Access;
}

export interface AccessesOptions {
  heldPolicies: HeldPolicies;
  cacheSize: number;
}

const NONE: readonly string[] = [];
const NO_RIGHTS: Rights = { authenticated: false, scopes: NONE, policies: NONE };

export function createAccesses(
  supergraph: Pick<LoadedSupergraph, 'schema' | 'annotations'>,
  { heldPolicies, cacheSize }: AccessesOptions,
): Accesses {
  const { schema, annotations } = supergraph;
  const known = new LRUCache<string, Access>({ max: cacheSize });
  const plain = new WeakMap<Principal, Access>();
  /** Of an operation, by what the caller may see without policies. */
  const needed = new WeakMap<OperationDefinitionNode, Map<string, readonly string[]>>();

  const isRestricted = [...annotations.types.values()].some(
    ({ requirement, fields }) =>
      requirement !== null || [...fields.values()].some((field) => field.requirement !== null),
  );

  function forRights(rights: Rights): Access {
    const key = accessKey(rights);
    let access = known.get(key);
    if (access === undefined) {
      access = createAccess(rights, supergraph);
      known.set(key, access);
    }
    return access;
  }

  function withoutPolicies(principal: Principal): Access {
    let access = plain.get(principal);
    if (access === undefined) {
      access = forRights(isRestricted ? rightsOf(principal, annotations) : NO_RIGHTS);
      plain.set(principal, access);
    }
    return access;
  }

  /** The policies on which it depends what this caller may see of the operation; of the schema, all. */
  function policiesOf(session: Session, operation: OperationDefinitionNode, fragments: FragmentMap): readonly string[] {
    const { key } = withoutPolicies(session.principal);
    let byAccess = needed.get(operation);
    if (byAccess === undefined) needed.set(operation, (byAccess = new Map()));
    let policies = byAccess.get(key);
    if (policies === undefined) {
      const found = new Set<string>(usesIntrospection(operation, fragments) ? annotations.policies : NONE);
      const onPolicies = (asked: readonly string[]) => {
        for (const policy of asked) found.add(policy);
      };
      const access = createAccess(rightsOfAccess(key), { ...supergraph, onPolicies });
      filterOperation(operation, fragments, { schema, access, isThorough: true });
      policies = [...found].toSorted();
      byAccess.set(key, policies);
    }
    return policies;
  }

  const withPolicies = (principal: Principal, policies: readonly string[]): Access =>
    policies.length === 0 ? withoutPolicies(principal) : forRights(rightsOf(principal, annotations, policies));

  return {
    of(session, operation, fragments) {
      const { principal } = session;
      if (annotations.policies.size === 0) return withoutPolicies(principal);
      const policies = policiesOf(session, operation, fragments);
      if (policies.length === 0) return withoutPolicies(principal);
      const held = heldPolicies(policies, session);
      return held instanceof Promise
        ? held.then((each) => withPolicies(principal, each))
        : withPolicies(principal, held);
    },
    dependsOnPolicies: (session, operation, fragments) =>
      annotations.policies.size > 0 && policiesOf(session, operation, fragments).length > 0,
    withoutPolicies,
    byKey(key) {
      const rights = rightsOfAccess(key);
      // It may be from another supergraph.
      const scopes = rights.scopes.filter((scope) => annotations.scopes.has(scope));
      return forRights(isRestricted ? { ...rights, scopes } : NO_RIGHTS);
    },
  };
}
