/**
 * Sizes of blocks that kernels and host must agree on; read by both compilers.
 *
 * The inner loops keep a tile of ROWS × 8 sums in vector registers. Five rows, because WebAssembly engines for x86 give
 * fifteen registers: ten sums, two vectors of one operand, a broadcast value of the other and a product. With a sixth row
 * the build without fused multiply-add keeps sums in memory and runs at half speed on some processors.
 */
export const ROWS = 5;
/** Bytes of a row of a panel of A: ROWS floats. */
export const PANEL_BYTES = 20;
/** Bytes of a row of a panel of output gradients: ROWS vectors. */
export const QUAD_BYTES = 80;
/** Bytes of a tile: ROWS × 8 floats, or ROWS × 2 vectors of unreduced sums. */
export const TILE_BYTES = 160;

/** Depth, rows and columns of the packed blocks of a product: B stays in the second-level cache, panels in the first. */
export const KC = 256;
export const MC = 120;
export const NC = 768;

/** Bytes of scratch that Winograd's transforms need: patches and a line of columns, results. */
export const TRANSFORM_BYTES = 1024;
