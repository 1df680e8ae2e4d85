import type { users } from '@timbre/db/users/tables';

export type UserRow = typeof users.$inferSelect;

/** A node that another subgraph owns: the type's name and the key are all this one knows. */
export interface NodeRef {
  __typename: 'Voice' | 'Generation';
  id: string;
}
