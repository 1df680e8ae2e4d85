import { GraphQLError, Lexer, Source, TokenKind } from 'graphql';

/**
 * A document without what says nothing: white space, comments, commas, and the order of its operations and fragments
 * (clients that put fragments together at run time do it in any order). The order of fields stays. It is made of tokens,
 * since what anybody sends must not be parsed before its depth is known.
 *
 * @returns null where it is no document, or longer than `maxTokens`
 */
export function canonicalDocument(text: string, maxTokens = Number.POSITIVE_INFINITY): string | null {
  const lexer = new Lexer(new Source(text));
  const definitions: string[] = [];
  let definition = '';
  let depth = 0;
  try {
    for (let tokens = 1; lexer.advance().kind !== TokenKind.EOF; tokens += 1) {
      if (tokens > maxTokens) return null;
      const { kind, start, end, value } = lexer.token;
      definition += kind === TokenKind.BLOCK_STRING ? `"""${JSON.stringify(value)} ` : `${text.slice(start, end)} `;
      // Braces stand in default values too, but those are within parentheses.
      if (kind === TokenKind.BRACE_L || kind === TokenKind.PAREN_L) depth += 1;
      if (kind === TokenKind.BRACE_R || kind === TokenKind.PAREN_R) depth -= 1;
      if (kind === TokenKind.BRACE_R && depth === 0) {
        definitions.push(definition);
        definition = '';
      }
    }
  } catch (error) {
    if (error instanceof GraphQLError) return null;
    throw error;
  }
  if (definition !== '') definitions.push(definition);
  return definitions.toSorted().join('\n');
}

export function countTokens(text: string): number {
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  while (lexer.advance().kind !== TokenKind.EOF) tokens += 1;
  return tokens;
}
