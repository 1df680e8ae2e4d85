import { Kind } from 'graphql';
import type { DirectiveNode, SelectionNode } from 'graphql';

/** Without conditions that are decided; null where one leaves the selection out. */
export function decided<Selection extends SelectionNode>(selection: Selection): Selection | null {
  const directives = selection.directives?.filter((directive) => conditionIn(directive) === null);
  if (directives === undefined || directives.length === selection.directives?.length) return selection;
  const isIn = selection.directives?.every((directive) => conditionIn(directive) !== false);
  return isIn === true ? { ...selection, directives } : null;
}

/** Whether a directive with a literal condition lets a selection in; null for any other. */
function conditionIn({ name, arguments: args }: DirectiveNode): boolean | null {
  const condition = args?.find((argument) => argument.name.value === 'if')?.value;
  if (condition?.kind !== Kind.BOOLEAN) return null;
  if (name.value === 'include') return condition.value;
  return name.value === 'skip' ? !condition.value : null;
}
