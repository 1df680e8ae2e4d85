import type { TokenClaims } from './verify-token.ts';

/** Who a verified token stands for in the system. */
export interface ResolvedPrincipal {
  userId: string;
  roles: readonly string[];
  plan: string | null;
  blocked: boolean;
  /** The token or its session has been ended. */
  revoked?: boolean;
}

export interface PrincipalResolver {
  /** @throws AppError SERVICE_UNAVAILABLE */
  resolve(claims: TokenClaims, requestId: string): Promise<ResolvedPrincipal>;
}
