import type { SpeechModel } from '@timbre/speech/engine';

/**
 * The language a clone shall speak: the one in which its speaker agreed, where the engine has it,
 * else the engine's own choice (null). English is left to the engine: a consent in "en" says nothing
 * about the accent.
 */
export function fittingLanguage(locale: string | null, models: readonly SpeechModel[]): string | null {
  if (locale === null || locale === 'en') return null;
  const { language } = new Intl.Locale(locale);
  const known = models.flatMap((model) => model.languages);
  const find = (tag: string) => known.find((candidate) => candidate.toLowerCase() === tag.toLowerCase()) ?? null;
  return find(locale) ?? (language === 'en' ? null : find(language));
}
