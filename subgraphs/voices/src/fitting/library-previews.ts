import type { Logger } from '@timbre/platform/logger';
import { VoiceProfile, type SpeechEngine } from '@timbre/speech/engine';
import { libraryWithoutPreview, writeLibraryPreview } from '../library.ts';
import { announceLibrary, type Resources } from '../services/resources.ts';
import { makePreview } from './make-preview.ts';

/** Makes the library's previews that do not exist yet, once for all; a voice that fails is left to the next time. */
export async function makeLibraryPreviews(
  { db, bus, store, engine, log }: Pick<Resources, 'db' | 'bus' | 'store'> & { engine: SpeechEngine; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  for (const voice of await libraryWithoutPreview(db)) {
    if (signal.aborted) return;
    try {
      const profile = VoiceProfile.parse(voice.profile);
      await makePreview({ engine, store }, { key: voice.previewKey, profile, signal });
      await writeLibraryPreview(db, voice);
      await announceLibrary(bus);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, voiceId: voice.id }, 'no preview of this library voice');
    }
  }
}
