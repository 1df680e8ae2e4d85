interface Statement {
  /** With the speaker's name unknown, the statement speaks of "I" alone. */
  (voice: string, speaker: string | null): string;
}

/** What a speaker agrees to, in the languages we can say it in. The first is what stands in for every other. */
const STATEMENTS: Record<string, Statement> = {
  en: (voice, speaker) =>
    `I${speaker === null ? '' : `, ${speaker},`} am the person who speaks in these recordings. I agree that a synthetic copy of my voice, named “${voice}”, is made from them and that speech is generated with it.`,
  de: (voice, speaker) =>
    `Ich${speaker === null ? '' : `, ${speaker},`} bin die Person, die in diesen Aufnahmen spricht. Ich stimme zu, dass daraus eine künstliche Kopie meiner Stimme mit dem Namen „${voice}“ gemacht und damit Sprache erzeugt wird.`,
  fr: (voice, speaker) =>
    `Je suis ${speaker === null ? '' : `${speaker}, `}la personne qui parle dans ces enregistrements. J’accepte qu’une copie synthétique de ma voix, nommée « ${voice} », en soit tirée et serve à produire de la parole.`,
  es: (voice, speaker) =>
    `Yo${speaker === null ? '' : `, ${speaker},`} soy la persona que habla en estas grabaciones. Acepto que con ellas se haga una copia sintética de mi voz, llamada «${voice}», y que con ella se genere habla.`,
  it: (voice, speaker) =>
    `Io${speaker === null ? '' : `, ${speaker},`} sono la persona che parla in queste registrazioni. Accetto che ne venga ricavata una copia sintetica della mia voce, chiamata «${voice}», e che con essa venga generato parlato.`,
  pt: (voice, speaker) =>
    `Eu${speaker === null ? '' : `, ${speaker},`} sou a pessoa que fala nestas gravações. Concordo que delas se faça uma cópia sintética da minha voz, chamada “${voice}”, e que com ela se gere fala.`,
  nl: (voice, speaker) =>
    `Ik${speaker === null ? '' : `, ${speaker},`} ben de persoon die in deze opnamen spreekt. Ik ga ermee akkoord dat daarvan een synthetische kopie van mijn stem met de naam “${voice}” wordt gemaakt en dat daarmee spraak wordt gegenereerd.`,
  pl: (voice, speaker) =>
    `Ja${speaker === null ? '' : `, ${speaker},`} jestem osobą mówiącą na tych nagraniach. Zgadzam się, aby powstała z nich syntetyczna kopia mojego głosu o nazwie „${voice}” i aby generowano nią mowę.`,
};

export interface ConsentStatement {
  statement: string;
  /** The statement's own: the locale that was asked for, or `en` where we have no words in it. */
  locale: string;
}

/** The canonical form of a BCP 47 tag, or null when it is none. */
export function canonicalLocale(locale: string): string | null {
  if (locale.length > 35) return null;
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? null;
  } catch {
    return null;
  }
}

/** @param locale canonical, see `canonicalLocale`. */
export function consentStatement(voiceName: string, speakerName: string | null, locale: string): ConsentStatement {
  const known = STATEMENTS[new Intl.Locale(locale).language];
  const say = known ?? STATEMENTS['en'];
  if (say === undefined) throw new Error('There is no English consent statement.');
  return { statement: say(voiceName, speakerName), locale: known === undefined ? 'en' : locale };
}
