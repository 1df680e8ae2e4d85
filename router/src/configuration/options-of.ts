import type { RouterOptions } from '../router-options.ts';
import type { RouterConfiguration } from './router-configuration.ts';

/** What a configuration says, as options of a router; who is trusted and documents have to be looked up first. */
export function optionsOf(configuration: RouterConfiguration): Partial<RouterOptions> {
  const { introspection, headers, subgraphs, subscriptions, ...rest } = configuration;
  const { documents: _documents, authentication: _authentication, lameDuckMs: _lameDuckMs, ...same } = rest;
  return {
    ...same,
    ...subscriptions,
    ...(introspection !== undefined && { mayIntrospect: mayIntrospect(introspection) }),
    ...(headers !== undefined && { propagateHeaders: headers.propagate }),
    ...(subgraphs !== undefined && { http: subgraphs }),
  };
}

function mayIntrospect(
  introspection: NonNullable<RouterConfiguration['introspection']>,
): NonNullable<RouterOptions['mayIntrospect']> {
  if (typeof introspection === 'boolean') return () => introspection;
  return ({ scopes }) => scopes.includes(introspection.scope);
}
