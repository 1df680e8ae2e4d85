import type { CachingLimit } from '@timbre/platform/subgraph-server';
import type { VoiceRow } from '../rows.ts';

/** Changes are told (`announce`); should one not be heard of, it shows after this long. */
const IN_MOTION_SECONDS = 10;

/** Restricts how long an answer with this voice may be kept. Null: there is none, as yet or by now. */
export function limitVoice(caching: CachingLimit, voice: VoiceRow | null): void {
  if (voice === null || (voice.status !== 'READY' && voice.status !== 'FAILED')) caching.restrict(IN_MOTION_SECONDS);
}
