import { visit } from 'graphql';
import type { ASTNode } from 'graphql';

/** The same without `@defer`; what was given where there is none. A server may always deliver at once what it is asked to defer. */
export function atOnce<Node extends ASTNode>(node: Node): Node {
  return visit(node, { Directive: ({ name }) => (name.value === 'defer' ? null : undefined) });
}
