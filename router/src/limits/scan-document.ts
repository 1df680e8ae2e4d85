import { Lexer, Source, TokenKind } from 'graphql';
import { refusal } from '../operations/refusal.ts';
import type { OperationLimits } from './operation-limits.ts';

/** Lists and objects in argument values nest too; no honest value comes near this many levels. */
const VALUE_NESTING = 60;
const OPENING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const CLOSING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/**
 * Counts tokens and nesting without recursion: the parser and the validation rules are recursive,
 * and a document of ten thousand braces would overflow their stack.
 *
 * @throws OperationRefused with OPERATION_LIMIT_EXCEEDED; GraphQLError at a character that starts no token
 */
export function scanDocument(text: string, limits: OperationLimits): void {
  const lexer = new Lexer(new Source(text));
  const maxNesting = limits.maxDepth + VALUE_NESTING;
  let tokens = 0;
  let depth = 0;
  let deepest = 0;
  while (lexer.advance().kind !== TokenKind.EOF && tokens <= limits.maxTokens) {
    tokens += 1;
    if (OPENING.has(lexer.token.kind)) deepest = Math.max(deepest, (depth += 1));
    else if (CLOSING.has(lexer.token.kind)) depth -= 1;
  }
  const cut = tokens > limits.maxTokens;
  if (deepest > maxNesting) throw limitExceeded('depth', limits.maxDepth, deepest, cut);
  if (cut) throw limitExceeded('tokens', limits.maxTokens, tokens, cut);
}

const UNITS = {
  tokens: 'has {n} tokens',
  depth: 'is {n} levels deep',
  aliases: 'has {n} aliases',
  rootFields: 'has {n} root fields',
  fields: 'selects {n} fields when its fragments are spread',
  directives: 'has {n} directives',
  defers: 'defers {n} fragments',
  listLength: 'holds a list of {n} items',
  inputDepth: 'has variables {n} levels deep',
} as const;

/** A refusal that names the limit and what was sent; `atLeast` where counting stopped early. */
export function limitExceeded(limit: keyof typeof UNITS, maximum: number, actual: number, atLeast = false) {
  const count = `${atLeast ? 'at least ' : ''}${actual}`;
  return refusal(
    'OPERATION_LIMIT_EXCEEDED',
    `The operation ${UNITS[limit].replace('{n}', count)}; the limit is ${maximum}.`,
    { details: { limit, maximum, actual } },
  );
}
