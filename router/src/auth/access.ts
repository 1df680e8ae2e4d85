import { getNamedType, isAbstractType, isCompositeType } from 'graphql';
import type { GraphQLCompositeType, GraphQLField, GraphQLSchema } from 'graphql';
import { z } from 'zod';
import type { AnnotationTable, Requirement } from '../supergraph/annotations.ts';
import { ANONYMOUS_PRINCIPAL, holdsScope, isAuthenticated } from './principal.ts';
import type { Principal } from './principal.ts';

/** What one kind of principal may see of a supergraph. Answers are remembered: keep it as long as its key. */
export interface Access {
  /** The same for all principals that may see the same: authenticated or not, and the scopes and policies that count. */
  key: string;
  /** Whether the field may be read from a value of this static type, and what it returns looked at. */
  mayRead(parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>): boolean;
}

/** A principal's key among {@link Access}es, without making one. */
export function accessKey(principal: Principal, annotations: AnnotationTable): string {
  if (annotations.types.size === 0) return '';
  const held = new Set(principal.scopes);
  const scopes = [...annotations.scopes].filter((scope) => holdsScope(held, scope)).toSorted();
  const policies = [...annotations.policies].filter((policy) => principal.policies.includes(policy)).toSorted();
  return JSON.stringify([isAuthenticated(principal), scopes, policies]);
}

const keySchema = z.tuple([z.boolean(), z.array(z.string()), z.array(z.string())]);

/** Somebody with just the rights that an access key names. @throws SyntaxError or ZodError on what is no such key */
export function principalOfAccess(key: string): Principal {
  if (key === '') return ANONYMOUS_PRINCIPAL;
  const [authenticated, scopes, policies] = keySchema.parse(JSON.parse(key));
  return { ...ANONYMOUS_PRINCIPAL, subject: authenticated ? '' : null, scopes, policies };
}

export function createAccess(
  principal: Principal,
  { schema, annotations }: { schema: GraphQLSchema; annotations: AnnotationTable },
): Access {
  const scopes = new Set(principal.scopes);
  const policies = new Set(principal.policies);
  const authenticated = isAuthenticated(principal);
  const decided = new Map<string, boolean>();

  const meets = (requirement: Requirement | null | undefined): boolean => {
    if (requirement === null || requirement === undefined) return true;
    if (requirement.authenticated && !authenticated) return false;
    if (requirement.scopes !== null) {
      if (!requirement.scopes.some((group) => group.every((scope) => holdsScope(scopes, scope)))) return false;
    }
    return requirement.policies?.some((group) => group.every((policy) => policies.has(policy))) ?? true;
  };

  const mayUseType = (name: string): boolean => meets(annotations.types.get(name)?.requirement);

  const mayReadOwn = (type: string, field: string): boolean =>
    mayUseType(type) && meets(annotations.types.get(type)?.fields.get(field)?.requirement);

  const decide = (parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>): boolean => {
    if (!mayReadOwn(parent.name, field.name)) return false;
    // Which of the possible types it will be is not known yet: all of them must be readable.
    if (isAbstractType(parent)) {
      if (!schema.getPossibleTypes(parent).every((type) => mayReadOwn(type.name, field.name))) return false;
    }
    const returned = getNamedType(field.type);
    if (!mayUseType(returned.name)) return false;
    if (!isCompositeType(returned) || !isAbstractType(returned)) return true;
    const possible = schema.getPossibleTypes(returned);
    return possible.length === 0 || possible.some((type) => mayUseType(type.name));
  };

  return {
    key: accessKey(principal, annotations),
    mayRead(parent, field) {
      const coordinate = `${parent.name}.${field.name}`;
      let allowed = decided.get(coordinate);
      if (allowed === undefined) {
        allowed = decide(parent, field);
        decided.set(coordinate, allowed);
      }
      return allowed;
    },
  };
}
