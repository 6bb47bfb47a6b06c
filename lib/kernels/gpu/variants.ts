/**
 * How a product or a convolution is computed. `plain` is one result a thread, for any geometry, and the definition. The
 * others give each thread up to four results, so that a number once loaded is used several times: four neighbours in a
 * `row` or a `column`, a `square` of two by two, or the taps of a kernel's row over `channels`-last images. All add the
 * same products in the same order.
 */
export const VARIANTS = ['plain', 'row', 'column', 'square', 'channels'] as const;
export type Variant = (typeof VARIANTS)[number];

/** A variant for every op that has it (`plain` for those that lack it), or whichever is fastest in a measurement. */
export type VariantChoice = Variant | 'measured';

/** Results of one thread, along the last two axes. */
export interface Tile {
  readonly variant: Variant;
  readonly rows: number;
  readonly columns: number;
}

/** Tiles of products and of convolutions; preferred ones first. */
export const TILES: readonly Tile[] = [
  { variant: 'row', rows: 1, columns: 4 },
  { variant: 'square', rows: 2, columns: 2 },
  { variant: 'column', rows: 4, columns: 1 },
];
