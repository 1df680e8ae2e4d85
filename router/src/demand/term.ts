/** Coerced. */
export type Variables = Readonly<Record<string, unknown>>;

/** A number that is known when an operation is compiled, or only with its variables. */
export type Term = number | ((variables: Variables) => number);

/** Of a list, where something is said about it. */
export type Size = number | null | ((variables: Variables) => number | null);

/** No cost is more: beyond it, numbers are no longer whole in JSON, nor in Redis. */
export const MAX_COST = Number.MAX_SAFE_INTEGER;

export function valueOf(term: Term, variables: Variables): number {
  return typeof term === 'number' ? term : term(variables);
}

export function sum(terms: readonly Term[]): Term {
  let known = 0;
  const open: ((variables: Variables) => number)[] = [];
  for (const term of terms) {
    if (typeof term === 'number') known += term;
    else open.push(term);
  }
  if (open.length === 0) return bounded(known);
  return (variables) => {
    let total = known;
    for (const term of open) total += term(variables);
    return bounded(total);
  };
}

export function product(a: Term, b: Term): Term {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') return bounded(a * b);
  return (variables) => bounded(valueOf(a, variables) * valueOf(b, variables));
}

export function largest(terms: readonly Term[]): Term {
  const known = terms.filter((term) => typeof term === 'number');
  if (known.length === terms.length) return Math.max(...known);
  return (variables) => Math.max(...terms.map((term) => valueOf(term, variables)));
}

/** The first size that is known, each of several being their largest. */
export function firstSize(candidates: readonly (readonly Size[])[], otherwise: number): Term {
  const rest = candidates.map((sizes) => sizes.filter((size) => size !== null)).filter((sizes) => sizes.length > 0);
  const [first, ...others] = rest;
  if (first === undefined) return otherwise;
  const numbers = first.filter((size) => typeof size === 'number');
  if (numbers.length === first.length) return Math.max(...numbers);
  const fallback = firstSize(others, otherwise);
  return (variables) => {
    let longest: number | null = null;
    for (const size of first) {
      const value = typeof size === 'number' ? size : size(variables);
      if (value !== null && (longest === null || value > longest)) longest = value;
    }
    return longest ?? valueOf(fallback, variables);
  };
}

/** Weights may be negative, costs not. */
export function bounded(cost: number): number {
  return Math.min(Math.max(cost, 0), MAX_COST);
}
