import type { FittedVoice, LocalVoiceProfile, Recording, Speech } from '../engine.ts';

/** What the engine asks of its process. One request at a time. */
export type EngineRequest =
  | { kind: 'synthesize'; id: number; text: string; profile: LocalVoiceProfile; speed: number }
  | { kind: 'fit'; id: number; recordings: Recording[]; language: string };

/** What the process answers; sound travels as typed arrays (structured clone), not as JSON. */
export type EngineReply =
  | { kind: 'ready'; languages: string[]; variants: string[] }
  | { kind: 'speech'; id: number; speech: Speech }
  | { kind: 'progress'; id: number; progress: number }
  | { kind: 'fitted'; id: number; voice: FittedVoice }
  | { kind: 'failed'; id: number; code: string; message: string };
