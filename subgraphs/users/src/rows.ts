import type { apiKeys, users } from '@timbre/db/users/tables';
import type { Connection } from '@timbre/platform/cursor';

export type UserRow = typeof users.$inferSelect;

export type ApiKeyRow = typeof apiKeys.$inferSelect;

export type ApiKeyPage = Connection<ApiKeyRow>;

export type ApiKeyPageEdge = ApiKeyPage['edges'][number];

/** A node that another subgraph owns: the type's name and the key are all this one knows. */
export interface NodeRef {
  __typename: 'Voice' | 'Generation';
  id: string;
}
