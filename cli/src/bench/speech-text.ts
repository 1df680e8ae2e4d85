const SUBJECTS = [
  'The river',
  'A quiet voice',
  'My neighbour',
  'Every morning the baker',
  'The old clock',
  'Nobody here',
  'The last train',
  'A careful reader',
];
const VERBS = ['carries', 'remembers', 'follows', 'describes', 'crosses', 'repeats', 'gathers', 'answers'];
const OBJECTS = [
  'the long road home',
  'seven small letters',
  'a song about rain',
  'the names of the stars',
  'what was said before',
  'the colour of the hills',
  'an open window',
  'the sound of bells',
];
const ENDINGS = [
  'before the sun is up',
  'with great patience',
  'as if nothing had happened',
  'in the middle of the night',
  'one word at a time',
  'and smiles',
];

/**
 * English sentences of about `length` characters, never more. Every seed gives another text, so that nothing is answered from a cache.
 */
export function speechText(length: number, seed: string | number): string {
  let state = Array.from(String(seed)).reduce(
    (hash, letter) => (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0,
    2_166_136_261,
  );
  const pick = (words: string[]) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return words[(state >>> 16) % words.length] ?? '';
  };
  let text = `Text ${seed}.`;
  for (;;) {
    const sentence = ` ${pick(SUBJECTS)} ${pick(VERBS)} ${pick(OBJECTS)}, ${pick(ENDINGS)}.`;
    if (text.length + sentence.length > length) return text;
    text += sentence;
  }
}
