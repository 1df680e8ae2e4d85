/**
 * The process that espeak-ng (GPL-3.0) runs in: its synthesis is synchronous, and the rest of the product stays apart from
 * it. Started by process-pool.ts; ends when its parent does.
 */
import { AppError } from '@timbre/platform/errors';

import { DEFAULT_PROFILE } from '../engine.ts';
import { loadEspeak } from './espeak.ts';
import type { EngineReply, EngineRequest } from './messages.ts';
import { Renderer, UnknownVoiceError } from './renderer.ts';

const reply = (message: EngineReply): void => {
  // Without a channel the parent is gone, and 'disconnect' ends this process.
  if (process.connected) process.send?.(message);
};

process.on('disconnect', () => process.exit(0));

const espeak = await loadEspeak();
const renderer = new Renderer(espeak);
// The first synthesis compiles what all others run: nobody should wait for it.
renderer.render('Ready.', DEFAULT_PROFILE, 1);

process.on('message', (message: EngineRequest) => {
  void answer(message);
});
reply({ kind: 'ready', languages: espeak.languages, variants: [...espeak.variants] });

async function answer(request: EngineRequest): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === 'synthesize') {
      reply({ kind: 'speech', id, speech: renderer.render(request.text, request.profile, request.speed) });
      return;
    }
    const { fitVoice } = await import('../matching/fit-voice.ts');
    const voice = await fitVoice({
      recordings: request.recordings,
      language: request.language,
      variants: espeak.variants,
      speak: (text, profile) => renderer.sketch(text, profile),
      onProgress: (progress) => reply({ kind: 'progress', id, progress }),
    });
    reply({ kind: 'fitted', id, voice });
  } catch (error) {
    reply({ kind: 'failed', id, ...described(error) });
  }
}

function described(error: unknown): { code: string; message: string } {
  if (error instanceof AppError) return { code: error.code, message: error.message };
  if (error instanceof UnknownVoiceError) return { code: 'BAD_USER_INPUT', message: error.message };
  // A WASM trap leaves espeak in an unknown state: the process is not to be used again.
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  setImmediate(() => process.exit(1));
  return { code: 'ENGINE_UNAVAILABLE', message: 'The speech engine failed while it worked on this request.' };
}
