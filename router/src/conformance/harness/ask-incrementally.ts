import { z } from 'zod';
import { isArgs } from './domain.ts';
import { pathsOf } from './expect-same.ts';
import type { Operation } from './expect-same.ts';

const partSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.looseObject({ path: z.array(z.union([z.string(), z.number()])).optional() })).optional(),
  incremental: z
    .array(
      z.object({
        data: z.record(z.string(), z.unknown()).nullish(),
        path: z.array(z.union([z.string(), z.number()])),
        errors: z.array(z.looseObject({ path: z.array(z.union([z.string(), z.number()])).optional() })).optional(),
      }),
    )
    .optional(),
  hasNext: z.boolean().optional(),
});

export interface Incremental {
  /** All that was delivered, put together. */
  data: Record<string, unknown> | null;
  /** Of the errors of all parts. */
  paths: string[];
  /** How many payloads there were, the first included. */
  parts: number;
}

/** Asks as a client that takes deferred parts (`multipart/mixed; deferSpec=20220824`) and puts them together. */
export async function askIncrementally(url: string, operation: Operation): Promise<Incremental> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824, application/json' },
    body: JSON.stringify(operation),
  });
  return putTogether(await partsOf(response));
}

/** The payloads of a response: of a multipart one, each; of any other, the one. */
export async function partsOf(response: Response): Promise<unknown[]> {
  const boundary = /boundary="?([^";]+)"?/.exec(response.headers.get('content-type') ?? '')?.[1];
  const text = await response.text();
  const bodies = boundary === undefined ? [text] : text.split(`--${boundary}`).flatMap(bodyOf);
  return bodies.map((body) => JSON.parse(body));
}

export function putTogether(payloads: readonly unknown[]): Incremental {
  const parts = payloads.map((payload) => partSchema.parse(payload));
  const data = parts[0]?.data ?? null;
  const errors = parts.flatMap((part) => part.errors ?? []);
  for (const { path, data: late, errors: lateErrors = [] } of parts.flatMap((part) => part.incremental ?? [])) {
    errors.push(...lateErrors);
    const place: unknown = path.reduce<unknown>(valueIn, data);
    if (isArgs(place) && isArgs(late)) merge(place, late);
  }
  return { data, paths: pathsOf(errors), parts: parts.length };
}

function bodyOf(part: string): string[] {
  const start = part.indexOf('\r\n\r\n');
  const body = start < 0 ? '' : part.slice(start).trim();
  return body.startsWith('{') ? [body] : [];
}

function valueIn(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  return isArgs(value) ? value[step] : undefined;
}

function merge(target: Record<string, unknown>, source: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (isArgs(known) && isArgs(value)) merge(known, value);
    else if (Array.isArray(known) && Array.isArray(value)) {
      for (const [index, entry] of value.entries())
        if (isArgs(known[index]) && isArgs(entry)) merge(known[index], entry);
    } else target[key] = value;
  }
}
