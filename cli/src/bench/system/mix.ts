import {
  GenerationByIdDocument,
  GenerationEventsDocument,
  MeDocument,
  ModelsDocument,
  MyGenerationsDocument,
  MyVoicesDocument,
  NodeByIdDocument,
  PlansDocument,
  QuotaChangedDocument,
  UpdateProfileDocument,
  UpdateVoiceDocument,
  VoiceByIdDocument,
  VoiceLibraryDocument,
  VoiceStatusChangedDocument,
} from '../../generated/graphql.ts';
import type { SeededPrincipal } from './seed.ts';

export interface MixedOperation {
  name: string;
  query: string;
  /** Of a hundred requests. */
  share: number;
  /** `pick` gives an index below `count`, small ones far more often: what was made last is looked at most. */
  variables(principal: SeededPrincipal, pick: (count: number) => number): Record<string, unknown>;
}

const operation = (
  name: string,
  document: { toString(): string },
  share: number,
  variables: MixedOperation['variables'] = () => ({}),
): MixedOperation => ({ name, query: String(document), share, variables });

const at = (ids: readonly string[], index: number): string => ids[index] ?? '';
const PAGES = [20, 10, 50];

/**
 * What a hundred requests of people who use the product are: 95 reads, 5 writes, nothing that speaks. The documents are those of
 * `schema/operations`.
 */
export const MIX: readonly MixedOperation[] = [
  operation('Me', MeDocument, 22),
  operation('Plans', PlansDocument, 4),
  operation('Models', ModelsDocument, 6),
  operation('VoiceLibrary', VoiceLibraryDocument, 14, (_, pick) => ({ first: PAGES[pick(PAGES.length)] })),
  operation('MyVoices', MyVoicesDocument, 12, () => ({ first: 20 })),
  operation('VoiceById', VoiceByIdDocument, 8, ({ voices }, pick) => ({ id: at(voices, pick(voices.length)) })),
  operation('MyGenerations', MyGenerationsDocument, 13, (_, pick) => ({ first: PAGES[pick(PAGES.length)] })),
  operation('GenerationById', GenerationByIdDocument, 14, ({ generations }, pick) => ({
    id: at(generations, pick(generations.length)),
  })),
  operation('NodeById', NodeByIdDocument, 2, ({ generations }, pick) => ({
    id: at(generations, pick(generations.length)),
  })),
  operation('UpdateProfile', UpdateProfileDocument, 3, (_, pick) => ({ input: { displayName: `Name ${pick(1000)}` } })),
  operation('UpdateVoice', UpdateVoiceDocument, 2, ({ voices }, pick) => ({
    input: { voiceId: at(voices, pick(voices.length)), description: `Description ${pick(1000)}` },
  })),
];

export interface IdleSubscription {
  query: string;
  variables: Record<string, unknown>;
}

/** The `index`th subscription of a principal: each other than the last, and nothing happens on any. */
export function idleSubscription({ queued, processing }: SeededPrincipal, index: number): IdleSubscription {
  const round = Math.floor(index / 4);
  if (index % 4 === 0) return { query: String(QuotaChangedDocument), variables: {} };
  if (index % 4 === 1) {
    return {
      query: String(VoiceStatusChangedDocument),
      variables: { voiceId: at(processing, round % processing.length) },
    };
  }
  const generation = round * 2 + (index % 4) - 2;
  return {
    query: String(GenerationEventsDocument),
    variables: { id: at(queued, generation % queued.length), afterSequence: 0 },
  };
}
