import { randomUUID } from 'node:crypto';

/** A caller's own request id where it is of a form that is harmless in logs and headers, else a new one. */
export function requestIdFrom(sent: unknown): string {
  return typeof sent === 'string' && /^[\w.-]{1,64}$/.test(sent) ? sent : randomUUID();
}
