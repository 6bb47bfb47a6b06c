import { type GlyphOptions, glyphs } from '../../../../lib/data/glyphs.js';
import { type BatchPort, serveBatches } from '../../../../lib/data/worker/serveBatches.js';

serveBatches(globalThis as unknown as BatchPort, (options: GlyphOptions) => glyphs(options));
