import { AppError } from '@timbre/platform/errors';
import { spreadLife } from '../spread-life.ts';
import type { Principal } from './principal.ts';
import { makeRevocable } from './revocation.ts';
import type { Revocable } from './revocation.ts';

/** Who a credential stands for, found out anew each time. */
export interface Recognized {
  /** What revocations name it by; see `nameOf`. */
  names: readonly string[];
  /** When it ends, in unix milliseconds, the leeway included; null where it does not. */
  endsAt: number | null;
  /** How long an answer holds at most, in milliseconds. */
  freshMs: number;
  /** @throws AppError UNAUTHENTICATED or FORBIDDEN for good, SERVICE_UNAVAILABLE for now */
  resolve(requestId: string): Principal | Promise<Principal>;
}

/** How long an answer still holds while a new one is not to be had, in milliseconds. */
const GRACE_MS = 30_000;
const ASK_AGAIN_MS = 1_000;

/**
 * A verified credential that is remembered or in use: the principal that it stands for, the same object for as long as
 * it stands for the same, and those who want to know of its end. A class, as there are very many.
 */
export class KnownCredential implements Revocable {
  readonly #recognized: Recognized;
  readonly #now: () => number;
  readonly #onUse: (known: KnownCredential) => void;
  #principal: Principal | null = null;
  #resolvedAt = 0;
  /** Until when the principal may be used without asking, in unix milliseconds. */
  freshUntil = 0;
  #asking: Promise<Principal> | null = null;
  /** Counts doubts: an answer to a question from before one is none. */
  #doubts = 0;
  #isInDoubt = false;
  #watchers: Set<() => void> | null = null;
  revoked = false;
  /** In the cache of its authenticator. */
  isRemembered = true;

  /** `onUse` is called when the first watcher has come and when the last has gone. */
  constructor(recognized: Recognized, options: { now: () => number; onUse: (known: KnownCredential) => void }) {
    this.#recognized = recognized;
    this.#now = options.now;
    this.#onUse = options.onUse;
  }

  get names(): readonly string[] {
    const userId = this.#principal?.userId ?? null;
    return userId === null ? this.#recognized.names : [...this.#recognized.names, userName(userId)];
  }

  get isInUse(): boolean {
    return this.#watchers !== null && this.#watchers.size > 0;
  }

  /** Only while it is fresh. */
  get principal(): Principal | null {
    return this.#principal;
  }

  hasEnded(): boolean {
    const { endsAt } = this.#recognized;
    return endsAt !== null && endsAt <= this.#now();
  }

  /** Who it stands for: as it is known where that is fresh. @throws AppError */
  current(requestId: string): Principal | Promise<Principal> {
    const principal = this.#principal;
    return principal !== null && this.freshUntil > this.#now() ? principal : this.ask(requestId);
  }

  /** Who it stands for now; asked once for all who ask at the same time. @throws AppError */
  ask(requestId: string): Promise<Principal> {
    this.#asking ??= this.#ask(requestId).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** What it stands for may have changed: nothing is taken for granted any more. */
  doubt(): void {
    this.#doubts += 1;
    this.#isInDoubt = true;
    this.freshUntil = 0;
  }

  watch(call: () => void): () => void {
    if (this.revoked) {
      call();
      return () => undefined;
    }
    this.#watchers ??= new Set();
    this.#watchers.add(call);
    if (this.#watchers.size === 1) this.#onUse(this);
    return () => {
      if (this.#watchers?.delete(call) === true && this.#watchers.size === 0) this.#onUse(this);
    };
  }

  async #ask(requestId: string): Promise<Principal> {
    for (;;) {
      const doubts = this.#doubts;
      try {
        const principal = await this.#recognized.resolve(requestId);
        if (doubts === this.#doubts) return this.#take(principal);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (error.code === 'SERVICE_UNAVAILABLE') return this.#graced(error);
        this.#revoke();
        throw error;
      }
    }
  }

  #take(answer: Principal): Principal {
    const { endsAt, freshMs } = this.#recognized;
    const now = this.#now();
    const before = this.#principal;
    const isSame = before !== null && JSON.stringify(before) === JSON.stringify(answer);
    const principal = isSame ? before : Object.freeze(answer);
    this.#principal = principal;
    this.#resolvedAt = now;
    this.#isInDoubt = false;
    const end = endsAt ?? (principal.expiresAt === null ? Infinity : principal.expiresAt * 1000);
    this.freshUntil = Math.min(now + spreadLife(freshMs), end);
    if (isSame) return principal;
    makeRevocable(principal, this);
    // Who holds on to what it stood for must not go on with more than it stands for now.
    if (before !== null && isLess(principal, before)) this.#tellWatchers();
    return principal;
  }

  /** Nobody can say: what was said last holds for a little while, unless it was put in doubt. */
  #graced(error: AppError): Principal {
    const now = this.#now();
    if (this.#principal === null || this.#isInDoubt || now - this.#resolvedAt >= GRACE_MS || this.hasEnded())
      throw error;
    this.freshUntil = now + ASK_AGAIN_MS;
    return this.#principal;
  }

  #revoke(): void {
    this.revoked = true;
    this.freshUntil = 0;
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    if (this.#watchers === null) return;
    const watchers = [...this.#watchers];
    this.#watchers = null;
    this.#onUse(this);
    for (const call of watchers) call();
  }
}

/** Whether a role or a scope is missing, or it is somebody else's. Another plan ends nothing. */
function isLess(now: Principal, before: Principal): boolean {
  return (
    now.userId !== before.userId ||
    before.roles.some((role) => !now.roles.includes(role)) ||
    before.scopes.some((scope) => !now.scopes.includes(scope))
  );
}

/** What a revocation names: by kind, issuer (empty where there is none) and value. */
export function nameOf(kind: string, issuer: string, value: string): string {
  return `${kind}\n${issuer}\n${value}`;
}

export function userName(userId: string): string {
  return nameOf('user', '', userId);
}
