import { createHash } from 'node:crypto';
import type { AudioFormat } from '@timbre/speech/codecs/formats';

/** Raised whenever the same request would sound different: splitting, shaping, joining, encoding. */
const PIPELINE_VERSION = 1;

/** Everything that the sound depends on, the tenant apart, which stands beside the hash in the cache's key. */
export interface RenderingContent {
  voiceId: string;
  voiceRevision: number;
  profile: unknown;
  modelId: string;
  text: string;
  format: AudioFormat;
  speed: number;
}

/** The content address of a rendering: SHA-256, lower-case hex. */
export function contentHash(content: RenderingContent): string {
  const { voiceId, voiceRevision, profile, modelId, text, format, speed } = content;
  const canonical = JSON.stringify([
    PIPELINE_VERSION,
    voiceId,
    voiceRevision,
    sorted(profile),
    modelId,
    text,
    format,
    speed,
  ]);
  return createHash('sha256').update(canonical).digest('hex');
}

/** Keys in order: jsonb gives objects back in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
