import type { Connection } from '@timbre/platform/cursor';
import type { consents, samples, voices } from '@timbre/db/voices/tables';
import type { VoiceScope } from './repos/voice-scope.ts';

export type VoiceRow = typeof voices.$inferSelect;
export type SampleRow = typeof samples.$inferSelect;
export type ConsentRow = typeof consents.$inferSelect;

/** A person, as far as this subgraph knows them. */
export interface UserRef {
  id: string;
}

/**
 * A page, and what it is a page of: counting that is left to `totalCount`, should it be selected. `all`: how many there
 * are, where the page shows all of them.
 */
export type VoicePage = Connection<VoiceRow> & { scope: VoiceScope; all: number | null };
export type VoicePageEdge = VoicePage['edges'][number];
