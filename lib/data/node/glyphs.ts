import { GLYPH_CLASSES, GLYPH_SIZE, glyphs } from '../glyphs.js';
import { identityNormalisation } from '../normalise.js';
import type { DatasetEntry } from './entry.js';

const TEST_IMAGES = 2000;

/** The built-in glyphs, grey in [0, 1]: the first layer then has unsigned inputs. */
export const glyphsEntry = {
  kind: 'labels',
  channels: 1,
  normalisation: identityNormalisation(1),
  about: 'ten drawn glyphs of 16x16 pixels, built in',
  settings: {},
  outline: () => ({
    kind: 'labels',
    inputShape: [1, GLYPH_SIZE, GLYPH_SIZE],
    normalisation: identityNormalisation(1),
    classes: GLYPH_CLASSES,
  }),
  open: (_, split, { limit }) =>
    glyphs({
      split,
      normalise: false,
      ...(split === 'test' ? { length: TEST_IMAGES } : limit ? { length: limit } : {}),
    }),
} satisfies DatasetEntry;
