/*
 * Sentences of one kind raise or lower the engine's pitch by half a semitone and its pace by a tenth. The two longer texts were
 * chosen because their pitch, range and pace are the average of eight texts'.
 */

/** A few seconds that tell voices apart (Harvard sentences: IEEE 1969, "Recommended practice for speech quality measurements"). */
export const SHORT_TEXT = 'Glue the sheet to the dark blue background, and it is easy to tell the depth of a well.';

/** About twenty seconds that averages settle in (A. Lincoln's Gettysburg address, 1863). */
export const LONG_TEXT =
  'Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in liberty, and ' +
  'dedicated to the proposition that all men are created equal. Now we are engaged in a great civil war, testing whether that ' +
  'nation, or any nation so conceived and so dedicated, can long endure. We are met on a great battlefield of that war.';

/**
 * What a clone's match is measured on: no fit ever hears it. L. Carroll's "Alice's Adventures in Wonderland" (1865), then
 * Harvard sentences.
 */
export const HELD_OUT_TEXT =
  'Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. Once or twice she had ' +
  'peeped into the book her sister was reading, but it had no pictures or conversations in it. The juice of lemons makes fine punch. ' +
  'These days a chicken leg is a rare dish, but rice is often served in round bowls. Four hours of steady work faced us.';
