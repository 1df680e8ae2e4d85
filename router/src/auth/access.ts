import { getNamedType, isAbstractType, isCompositeType } from 'graphql';
import type { GraphQLAbstractType, GraphQLCompositeType, GraphQLField, GraphQLSchema } from 'graphql';
import { z } from 'zod';
import type { AnnotationTable, Requirement } from '../supergraph/annotations.ts';
import { holdsScope, isAuthenticated } from './principal.ts';
import type { Principal } from './principal.ts';

/** What of a caller decides what it may see of a supergraph. */
export interface Rights {
  authenticated: boolean;
  scopes: readonly string[];
  /** The `@policy`s that hold. */
  policies: readonly string[];
}

/** What callers with the same rights may see of a supergraph. Answers are remembered: keep it as long as its key. */
export interface Access {
  /** The same for all callers who may see the same. */
  key: string;
  /** Whether the field may be read from a value of this static type, and what it returns looked at. */
  mayRead(parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>): boolean;
  /** Whether what is required of a type itself, or of a field of it, is met, whatever the type can be or the field returns. */
  permits(type: string, field?: string): boolean;
  /** Whether objects of this type may be looked at: of an interface or a union, all that it can be. */
  mayUse(type: GraphQLCompositeType): boolean;
}

/** Of a principal, the rights that count on a supergraph: the scopes that it names, as it names them. */
export function rightsOf(
  principal: Principal,
  annotations: AnnotationTable,
  policies: readonly string[] = NONE,
): Rights {
  const held = new Set(principal.scopes);
  return {
    authenticated: isAuthenticated(principal),
    scopes: [...annotations.scopes].filter((scope) => holdsScope(held, scope)).toSorted(),
    policies: policies.toSorted(),
  };
}

const NONE: readonly string[] = [];
const keySchema = z.tuple([z.boolean(), z.array(z.string()), z.array(z.string())]);

export function accessKey({ authenticated, scopes, policies }: Rights): string {
  return JSON.stringify([authenticated, scopes, policies]);
}

/** The rights that an access key names. @throws SyntaxError or ZodError on what is no such key */
export function rightsOfAccess(key: string): Rights {
  const [authenticated, scopes, policies] = keySchema.parse(JSON.parse(key));
  return { authenticated, scopes, policies };
}

/** The policies on which it depends what a caller may see of an operation are among those that are asked about. */
export type AskPolicies = (policies: readonly string[]) => void;

export interface AccessOptions {
  schema: GraphQLSchema;
  annotations: AnnotationTable;
  /** Every policy holds, and is reported: for finding out which have to be evaluated. */
  onPolicies?: AskPolicies;
}

export function createAccess(rights: Rights, { schema, annotations, onPolicies }: AccessOptions): Access {
  const scopes = new Set(rights.scopes);
  const policies = new Set(rights.policies);
  const decided = new Map<string, boolean>();

  const meets = (requirement: Requirement | null | undefined): boolean => {
    if (requirement === null || requirement === undefined) return true;
    if (requirement.authenticated && !rights.authenticated) return false;
    if (requirement.scopes !== null) {
      if (!requirement.scopes.some((group) => group.every((scope) => scopes.has(scope)))) return false;
    }
    if (requirement.policies === null) return true;
    if (onPolicies !== undefined) {
      onPolicies(requirement.policies.flat());
      return true;
    }
    return requirement.policies.some((group) => group.every((policy) => policies.has(policy)));
  };

  const mayUseOwn = (name: string): boolean => meets(annotations.types.get(name)?.requirement);

  const mayReadOwn = (type: string, field: string): boolean => {
    if (!mayUseOwn(type)) return false;
    const annotated = annotations.types.get(type)?.fields.get(field);
    return annotated === undefined || (meets(annotated.requirement) && annotated.transitive.every(meets));
  };

  const possibleTypes = (type: GraphQLAbstractType) => schema.getPossibleTypes(type);

  const decide = (parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>): boolean => {
    if (!mayReadOwn(parent.name, field.name)) return false;
    // Which of the possible types it will be is not known yet: all of them must be readable.
    if (isAbstractType(parent) && !possibleTypes(parent).every((type) => mayReadOwn(type.name, field.name))) {
      return false;
    }
    const returned = getNamedType(field.type);
    if (!mayUseOwn(returned.name)) return false;
    if (!isCompositeType(returned) || !isAbstractType(returned)) return true;
    const possible = possibleTypes(returned);
    return possible.length === 0 || possible.some((type) => mayUseOwn(type.name));
  };

  const remembered = (key: string, decideNow: () => boolean): boolean => {
    let allowed = decided.get(key);
    if (allowed === undefined) {
      allowed = decideNow();
      decided.set(key, allowed);
    }
    return allowed;
  };

  return {
    key: accessKey(rights),
    permits: (type, field) => (field === undefined ? mayUseOwn(type) : mayReadOwn(type, field)),
    mayRead: (parent, field) => remembered(`${parent.name}.${field.name}`, () => decide(parent, field)),
    mayUse: (type) =>
      remembered(type.name, () => {
        if (!mayUseOwn(type.name)) return false;
        return !isAbstractType(type) || possibleTypes(type).every(({ name }) => mayUseOwn(name));
      }),
  };
}
