/**
 * Sizes of blocks and numbers of choices that kernels and host must agree on; read by both compilers.
 *
 * The inner loops keep a tile of ROWS × 8 sums in vector registers. Five rows, because WebAssembly engines for x86 give
 * fifteen registers: ten sums, two vectors of one operand, a broadcast value of the other and a product. With a sixth
 * row the build without fused multiply-add keeps sums in memory and runs at half speed on some processors.
 */
export const ROWS = 5;
/** Bytes of a row of a panel of A: ROWS floats. */
export const PANEL_BYTES = 20;
/** Products with no more rows run in tiles of THIN × 12 sums instead. */
export const THIN = 3;
/** Bytes of a tile: ROWS × 8 floats, more than THIN × 12. */
export const TILE_BYTES = 160;

/** Depth, rows and columns of a product's packed blocks: B stays in second-level cache, panels in the first. */
export const KC = 512;
export const MC = 120;
export const NC = 512;

/** Most tiles of a block of Winograd's filtering. */
export const TILE_BLOCK = 64;
/** Tiles of the weight gradient transformed together. */
export const CHUNK = 16;
/**
 * Distance of lines of transformed columns: of a block that is one row of tiles, or as many rows as it has tiles (each
 * of 4 pixels and 2 of overlap, in whole vectors, so 8 a tile), and one vector a column may reach past the last.
 */
export const TRANSFORM_LINE = 2112;
/** Bytes that transforming a chunk takes: offsets of tiles, zeros, and six lines of four channels. */
export const CHUNK_BYTES = 52864;
/** Input channels whose products are added at once where tiles are few; output channels of a weight gradient's. */
export const DEPTH = 64;
/** Bytes that transforming filters takes: taps, work, results of ROWS outputs. */
export const FILTER_BYTES = 3312;
/** Bytes that transforming sums to weights takes: work, nine results, 36 totals. */
export const WEIGHT_BYTES = 1008;
/** Bytes of four lines of six vectors, and of a row of four tiles' pixels. */
export const LINES_BYTES = 448;

/** Pixels (or tiles) of a 1 × 1 convolution; pixels, and tiles of values, of a weight gradient in first-level cache. */
export const PIXELS = 128;
export const COLUMNS = 4;

/** Floats of a long sum that are summed apart; fixed, so that the sum does not depend on threads. */
export const PART = 16384;

/** Channels of a unit of a depthwise weight gradient, and bytes of the nine sums of each. */
export const CHANNELS = 8;
export const NINE_BYTES = 144;

/** What follows batch norm in the same pass. */
export const NOTHING = 0;
export const RELU = 1;
export const QUANTIZER = 2;
