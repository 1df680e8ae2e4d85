/** What people ask for by a shorter or another name than espeak's. */
const ALIASES: Record<string, string> = {
  en: 'en-us',
  fr: 'fr-fr',
  zh: 'cmn',
  'zh-hk': 'yue',
  no: 'nb',
  'en-gb-rp': 'en-gb-x-rp',
};

/** BCP 47 tags, in their canonical spelling, of espeak's language codes; codes that are no tags are left out. */
export function languageTags(codes: readonly string[]): string[] {
  const tags = new Set<string>();
  for (const code of [...Object.keys(ALIASES), ...codes]) {
    try {
      for (const tag of Intl.getCanonicalLocales(code)) tags.add(tag);
    } catch {
      // espeak has constructed languages under codes of its own, such as `piqd`.
    }
  }
  return [...tags].toSorted();
}

/** espeak's code for a BCP 47 tag by lookup from the most special to the most general (RFC 4647 §3.4); null where it has none. */
export function espeakLanguage(tag: string, codes: ReadonlySet<string>): string | null {
  let range = tag.toLowerCase();
  while (range !== '') {
    if (codes.has(range)) return range;
    const alias = ALIASES[range];
    if (alias !== undefined && codes.has(alias)) return alias;
    range = range.slice(0, Math.max(0, range.lastIndexOf('-')));
  }
  return null;
}
