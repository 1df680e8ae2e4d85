import type { LimiterOptions, PromptLimiter } from '@timbre/platform/limiter/limiter';
import type { Policy } from '../engine.ts';
import { refusal } from '../operations/refusal.ts';
import type { OperationRefused } from '../operations/refusal.ts';
import type { Callers } from './callers.ts';

/** Per second, counted in whole seconds; below one, one in as many seconds as it takes. */
export interface RateOptions {
  /** Operations of one principal, over all transports, tokens and API keys. */
  perPrincipal?: number;
  /** Operations of all who are anonymous at one address. */
  perAddress?: number;
  /** Of one principal or address, by the operation's name. */
  operations?: Readonly<Record<string, number>>;
}

interface Rate {
  perSecond: number;
  limiter: PromptLimiter;
}

/**
 * Refuses with RATE_LIMITED what is asked more often than it may be. The name of an operation counts as it stands in the
 * document that is run; it is the client's choice, so that only documents that are trusted are held by it.
 */
export function createRateLimits(
  options: RateOptions,
  { callers, limiter }: { callers: Callers; limiter: (options: LimiterOptions) => PromptLimiter },
): Policy {
  const rateOf = (name: string, perSecond: number): Rate => {
    const points = Math.max(1, Math.floor(perSecond));
    return {
      perSecond,
      limiter: limiter({ name, points, durationSeconds: perSecond >= 1 ? 1 : Math.ceil(1 / perSecond) }),
    };
  };
  const { perPrincipal, perAddress } = options;
  const ofPrincipals = perPrincipal === undefined ? null : rateOf('requests', perPrincipal);
  const ofAddresses = perAddress === undefined ? null : rateOf('anonymous', perAddress);
  const ofOperations = new Map(
    Object.entries(options.operations ?? {}).map(([name, perSecond]) => [name, rateOf(`operation:${name}`, perSecond)]),
  );

  return (next) => ({
    ...next,
    async prepare(request, session) {
      const { key } = callers.of(session);
      const rate = session.principal.subject === null ? ofAddresses : ofPrincipals;
      if (rate !== null) consume(rate, key, 'requests');
      const prepared = await next.prepare(request, session);
      if (ofOperations.size > 0) {
        const name = prepared.operation.name?.value;
        const named = name === undefined ? undefined : ofOperations.get(name);
        if (named !== undefined) consume(named, key, `operation ${name}`);
      }
      return prepared;
    },
  });
}

/** @throws OperationRefused */
function consume({ perSecond, limiter }: Rate, key: string, what: string): void {
  const { allowed, retryAfterMs } = limiter.consume(key);
  if (!allowed) throw tooOften(what, perSecond, retryAfterMs);
}

function tooOften(limit: string, perSecond: number, retryAfterMs: number): OperationRefused {
  const allowed = perSecond >= 1 ? `${perSecond} in a second` : `one in ${Math.ceil(1 / perSecond)} seconds`;
  return refusal(
    'RATE_LIMITED',
    `Too many requests: the limit is ${allowed}${limit === 'requests' ? '' : ` of the ${limit}`}.`,
    { details: { limit, perSecond, retryAfterMs } },
    { status: 429, headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } },
  );
}
