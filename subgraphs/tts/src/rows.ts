import type { chunks, generations, renderings } from '@timbre/db/tts/tables';
import type { Connection } from '@timbre/platform/cursor';

export type { SpeechModel } from '@timbre/speech/engine';

/** An entity that another subgraph owns. */
export interface UserRef {
  id: string;
}

export interface VoiceRef {
  id: string;
  /** Given by the router where a field requires it. */
  status?: string;
}

export type RenderingRow = typeof renderings.$inferSelect;

/** A generation with its sound; the text, which may be long, is read where it is asked for. */
export type GenerationRow = Omit<typeof generations.$inferSelect, 'text'> & { rendering: RenderingRow };

/** A chunk as it is shown: with the rate that its samples count at. */
export type ChunkRow = Pick<
  typeof chunks.$inferSelect,
  'index' | 'state' | 'charStart' | 'charEnd' | 'attempts' | 'startSample' | 'sampleCount'
> & { sampleRate: number | null };

export type SoundingChunkRow = typeof chunks.$inferSelect;

export interface AudioAssetRow {
  url: string;
  expiresAt: Date;
  durationMs: number;
  sizeBytes: number;
  sha256: string;
}

export type GenerationPage = Connection<GenerationRow>;
export type GenerationPageEdge = GenerationPage['edges'][number];

export interface ProgressRow {
  charactersDone: number;
  charactersTotal: number;
  chunksDone: number;
  chunksTotal: number;
  queuePosition: number | null;
}

interface EventBase {
  sequence: number;
  generation: GenerationRow;
}

export interface GenerationProgressedRow extends EventBase {
  __typename: 'GenerationProgressed';
  state: GenerationRow['state'];
  progress: ProgressRow;
}

export interface GenerationChunkReadyRow extends EventBase {
  __typename: 'GenerationChunkReady';
  /** As it was at the event. */
  chunk: ChunkRow;
  audioUrl: string;
  tokens: TokenRow[];
}

export interface GenerationFinishedRow extends EventBase {
  __typename: 'GenerationFinished';
  state: GenerationRow['state'];
}

export type EventRow = GenerationProgressedRow | GenerationChunkReadyRow | GenerationFinishedRow;

export interface TokenRow {
  text: string;
  charStart: number;
  charEnd: number;
  startMs: number;
  endMs: number;
}
