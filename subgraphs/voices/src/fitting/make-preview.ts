import type { ObjectStore } from '@timbre/platform/storage/object-store';
import { createEncoder } from '@timbre/speech/codecs/encoder';
import { FORMATS } from '@timbre/speech/codecs/formats';
import type { SpeechEngine, VoiceProfile } from '@timbre/speech/engine';

const TEXTS: Record<string, string> = {
  en: 'Hello! This is what I sound like. Give me your words, and I will read them to you.',
  de: 'Hallo! So klinge ich. Gib mir deine Worte, und ich lese sie dir vor.',
  fr: 'Bonjour ! Voici ma voix. Donnez-moi vos mots et je vous les lirai.',
  es: '¡Hola! Así es mi voz. Dame tus palabras y te las leeré.',
  it: 'Ciao! Questa è la mia voce. Dammi le tue parole e te le leggerò.',
  pt: 'Olá! Esta é a minha voz. Dê-me as suas palavras e eu as lerei para você.',
  nl: 'Hallo! Zo klink ik. Geef me je woorden en ik lees ze voor.',
  pl: 'Cześć! Tak brzmi mój głos. Daj mi swoje słowa, a ja ci je przeczytam.',
};

const FORMAT = 'MP3_44100_128';

/** Says a sentence in the voice's language and stores it under `key`, as MP3. Same voice, same bytes: doing it twice is harmless. */
export async function makePreview(
  { engine, store }: { engine: SpeechEngine; store: ObjectStore },
  { key, profile, signal }: { key: string; profile: VoiceProfile; signal?: AbortSignal },
): Promise<void> {
  const text = TEXTS[new Intl.Locale(profile.language).language] ?? TEXTS['en'] ?? '';
  const { samples, sampleRate } = await engine.synthesize({ text, profile, signal });
  const encoder = await createEncoder(FORMAT, sampleRate, { totalSamples: samples.length });
  const bytes = Buffer.concat([encoder.encode(samples), encoder.finish()]);
  await store.put(key, bytes, { contentType: FORMATS[FORMAT].contentType });
}
