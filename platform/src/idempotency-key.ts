const MAX_LENGTH = 200;

/** What is wrong with a client's idempotency key; null where it will do. */
export function idempotencyKeyProblem(key: string): { code: 'INVALID_IDEMPOTENCY_KEY'; message: string } | null {
  if (key.length >= 1 && key.length <= MAX_LENGTH && /^[\x21-\x7e]+$/.test(key)) return null;
  return {
    code: 'INVALID_IDEMPOTENCY_KEY',
    message: `An idempotency key has 1 to ${MAX_LENGTH} visible ASCII characters without spaces; ${key.length} characters were sent.`,
  };
}
