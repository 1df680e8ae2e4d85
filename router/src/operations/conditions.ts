import { Kind, visit } from 'graphql';
import type { ASTNode, DirectiveNode, OperationDefinitionNode } from 'graphql';
import type { FragmentMap } from '../auth/filter-operation.ts';
import { refusal } from './refusal.ts';

/**
 * Checks the variables of `@skip` and `@include`. A nullable variable with a default may stand there,
 * and an explicit null passes coercion (spec, section 5.8.5); the planner and the executor rely on booleans.
 *
 * @throws OperationRefused with BAD_USER_INPUT
 */
export function checkConditions(
  operation: OperationDefinitionNode,
  fragments: FragmentMap,
  variables: Readonly<Record<string, unknown>>,
): void {
  if (!Object.values(variables).includes(null)) return;
  const check = (root: ASTNode) =>
    visit(root, {
      Directive(node: DirectiveNode) {
        if (node.name.value !== 'skip' && node.name.value !== 'include') return;
        const value = node.arguments?.find((argument) => argument.name.value === 'if')?.value;
        if (value?.kind === Kind.VARIABLE && variables[value.name.value] === null) {
          throw refusal(
            'BAD_USER_INPUT',
            `The variable "$${value.name.value}" of @${node.name.value} must not be null.`,
          );
        }
      },
    });
  check(operation);
  for (const fragment of fragments.values()) check(fragment);
}
