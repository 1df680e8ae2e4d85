import { Kind, visit } from 'graphql';
import type { ASTNode, DirectiveNode, SelectionNode } from 'graphql';

type Variables = Readonly<Record<string, unknown>>;

/** Of one operation at once: clients use few of the combinations that its conditions allow. */
const REMEMBERED = 16;

/** Makes something of an operation once for each combination of its conditions, by coerced variables. */
export function createByConditions<T>(
  names: readonly string[],
  make: (coerced: Variables) => T,
): (coerced: Variables) => T {
  const known = new Map<string, T>();
  return (coerced) => {
    const key = names.length === 0 ? '' : names.map((name) => (coerced[name] === true ? '1' : '0')).join('');
    let made = known.get(key);
    if (made === undefined) {
      made = make(coerced);
      if (known.size >= REMEMBERED) known.clear();
      known.set(key, made);
    }
    return made;
  };
}

/** The variables that conditions of these directives are decided by. */
export function conditionVariables(roots: readonly ASTNode[], directives: readonly string[]): string[] {
  const names = new Set<string>();
  for (const root of roots) {
    visit(root, {
      Directive({ name, arguments: args }) {
        if (!directives.includes(name.value)) return;
        const value = args?.find((argument) => argument.name.value === 'if')?.value;
        if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
      },
    });
  }
  return [...names];
}

export function isIncluded({ directives }: SelectionNode, coerced: Variables): boolean {
  if (directives === undefined || directives.length === 0) return true;
  return directives.every((directive) => {
    if (directive.name.value === 'skip') return conditionOf(directive, coerced) !== true;
    if (directive.name.value === 'include') return conditionOf(directive, coerced) !== false;
    return true;
  });
}

export function conditionOf(directive: DirectiveNode, coerced: Variables): unknown {
  const value = directive.arguments?.find(({ name }) => name.value === 'if')?.value;
  if (value?.kind === Kind.VARIABLE) return coerced[value.name.value];
  return value?.kind === Kind.BOOLEAN ? value.value : undefined;
}
