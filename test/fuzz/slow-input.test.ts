// Texts made to be slow: the largest that each limit lets in, of the shape that its pattern likes
// least. All are read within the time limit of a test; what grows with the square of the length
// would take minutes. The figures of the event loop come from `loop-delay.ts`.
import { describe, expect, test } from 'vitest';
import { READERS, texts } from './slow-texts.ts';

describe('text made to be slow', () => {
  test.each(READERS)('is read soon as %s of up to %i characters', (_, length, read) => {
    const made = texts(length);
    let count = 0;
    for (const text of made) {
      read(text);
      count += 1;
    }
    expect(count).toBe(made.length);
  });
});
