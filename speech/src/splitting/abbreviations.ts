/** Abbreviations that a capital letter often follows, so that the Unicode rules (UAX #29) see a sentence end after them. */
const ABBREVIATIONS = new Set(
  (
    'mr mrs ms mx dr prof rev hon gen col maj capt lt sgt cpl adm gov sen rep pres st mt ft jr sr esq messrs ' +
    'vs etc approx dept est inc ltd co corp no nos vol fig figs eq ch sec pp ed eds trans cf ca viz al ' +
    'jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd rd ' +
    'hr fr frl bzw ggf evtl str nr abs art bd mme mlle mm sra srta dña ud uds sig dott ing avv'
  ).split(' '),
);

/** Whether what looks like a sentence end is an abbreviation's or an initial's full stop: "Dr. ", "e.g. ", "J. ". */
export function endsWithAbbreviation(text: string): boolean {
  const tail = text.slice(-24);
  if (/\n\s*$/u.test(tail)) return false;
  const match = /(?:^|[^\p{L}\p{N}.])((?:\p{L}\.)+|\p{L}+\.)\s*$/u.exec(tail);
  const word = match?.[1];
  if (word === undefined) return false;
  if (/^(?:\p{L}\.)+$/u.test(word)) {
    // "I." at a sentence's end is the pronoun far more often than an initial.
    return word !== 'I.';
  }
  return ABBREVIATIONS.has(word.slice(0, -1).toLowerCase());
}
