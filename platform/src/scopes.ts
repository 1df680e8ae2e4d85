/** What a token of an ordinary user may carry. */
export const USER_SCOPES = [
  'profile:read',
  'profile:write',
  'keys:manage',
  'account:delete',
  'voices:read',
  'voices:write',
  'tts:read',
  'tts:write',
  'billing:read',
  'billing:write',
] as const;

/** What only staff may carry. */
export const STAFF_SCOPES = ['admin:*', 'audit:read'] as const;

export type UserScope = (typeof USER_SCOPES)[number];
export type StaffScope = (typeof STAFF_SCOPES)[number];
