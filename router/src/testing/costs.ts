import { z } from 'zod';
import type { Answer } from './test-router.ts';

/** Points in a second: next to nothing comes back while a test looks. */
export const SLOW = 0.001;

/** The same budget for everybody. */
export const budget = (limit: number, restoreRate = SLOW) => ({ default: { limit, restoreRate } });

const bodySchema = z.object({ extensions: z.object({ cost: z.record(z.string(), z.unknown()) }) });

/** What an answer says of its cost. */
export const costIn = ({ text }: Answer) => bodySchema.parse(JSON.parse(text)).extensions.cost;

/** In seconds. */
export const retryAfter = ({ headers }: Answer) => Number(headers.get('retry-after'));
