/** How images are cut into tiles of Winograd's filtering, and the first half of a tile's transform. */
import { TRANSFORM_LINE } from './blocking';
import { gradientColumns4, patchColumns2, patchColumns4 } from './tiles';

/** A tensor `[image][channel][row][column]` with adjacent columns; strides in bytes. */
@unmanaged
export class Picture {
  address: usize = 0;
  image: i32 = 0;
  channel: i32 = 0;
  row: i32 = 0;
  channels: i32 = 0;
  height: i32 = 0;
  width: i32 = 0;
  /** Zeros before it; negative crops. */
  top: i32 = 0;
  left: i32 = 0;
}

/** Tiles are numbered by image, row, column. */
@unmanaged
export class Tiling {
  /** Where operands are pairs of integers: the scale of each output channel over 24²; 0 where they are floats. */
  scales: usize = 0;
  /** Pixels along the edge of a tile: 4 or 2. */
  edge: i32 = 0;
  across: i32 = 0;
  down: i32 = 0;
  /** Tiles of all images, and of a block done at once. */
  tiles: i32 = 0;
  block: i32 = 0;
  /** What is read: a `Picture`. */
  input: usize = 0;
  /** What is written, or whose gradient is read: a `Picture`. */
  output: usize = 0;
  /** Filters; byte strides of output, input, row and column. Pairs: `[output][pair][3][3]`, the strides unused. */
  weights: usize = 0;
  weightRow: i32 = 0;
  weightChannel: i32 = 0;
  weightDown: i32 = 0;
  weightAcross: i32 = 0;
  /** Transformed filters `[frequency][panel][channel][ROWS]`. */
  filters: usize = 0;
  /** Transformed patches; weight gradient: `[frequency][tile][channel]`, strides of frequency and tile. */
  patches: usize = 0;
  patchStep: i32 = 0;
  patchTile: i32 = 0;
  /** Weight gradient: transformed output gradients, as the patches. */
  gradients: usize = 0;
  gradientStep: i32 = 0;
  gradientTile: i32 = 0;
  /** Weight gradient: tiles of a segment; sums `[segment][frequency][row][channel]`, strides of frequency and row. */
  segment: i32 = 0;
  sums: usize = 0;
  sumStep: i32 = 0;
  sumRow: i32 = 0;
}

/** Which transform. */
export const PATCH: i32 = 0;
export const GRADIENT: i32 = 1;

/** Pixels a run of `tiles` tiles looks at, in whole vectors. */
@inline
function runWidth(tiles: i32, edge: i32, kind: i32): i32 {
  return (tiles * edge + (kind == PATCH ? 2 : 0) + 3) & ~3;
}

/** Byte offset of every tile of `first … first + count` within a line, each run of a row of tiles after the other. */
export function listLines(t: Tiling, kind: i32, first: i32, count: i32, to: usize): void {
  let start = 0;
  for (let tile = first; tile < first + count; ) {
    const run = min(t.across - (tile % t.across), first + count - tile);
    for (let i = 0; i < run; i++) {
      store<i32>(to, (start + i * t.edge) << 2);
      to += 4;
    }
    start += runWidth(run, t.edge, kind);
    tile += run;
  }
}

/** Row `y` of a plane, or zeros outside of it. */
@inline
function rowAt(p: Picture, plane: usize, y: i32, zeros: usize): usize {
  return <u32>y < <u32>p.height ? plane + y * p.row : zeros;
}

/**
 * Columns of a channel's tiles from `first` on, as lines TRANSFORM_LINE apart. `zeros`: a line of fewer bytes, all 0.
 */
export function transformColumns<T>(
  t: Tiling, p: Picture, kind: i32, channel: i32, first: i32, count: i32, zeros: usize, lines: usize,
): void {
  const perImage = t.across * t.down;
  const frequencies = t.edge + 2;
  for (let tile = first; tile < first + count; ) {
    const place = tile % perImage;
    const x = place % t.across;
    const y = (place / t.across) * t.edge - p.top;
    const run = min(t.across - x, first + count - tile);
    const width = runWidth(run, t.edge, kind);
    const left = x * t.edge - p.left;
    const inside = min(max(-left, 0), width);
    const end = max(inside, min(p.width - left, width));
    if (end > inside) {
      const plane = p.address + <usize>(tile / perImage) * p.image + channel * p.channel + ((left + inside) << 2);
      const bytes = <usize>(end - inside) << 2;
      const to = lines + (<usize>inside << 2);
      const r0 = rowAt(p, plane, y, zeros);
      const r1 = rowAt(p, plane, y + 1, zeros);
      const r2 = rowAt(p, plane, y + 2, zeros);
      const r3 = rowAt(p, plane, y + 3, zeros);
      if (kind == GRADIENT) gradientColumns4(r0, r1, r2, r3, bytes, to, TRANSFORM_LINE);
      else if (t.edge == 2) patchColumns2(r0, r1, r2, r3, bytes, to, TRANSFORM_LINE);
      else {
        const r4 = rowAt(p, plane, y + 4, zeros);
        patchColumns4<T>(r0, r1, r2, r3, r4, rowAt(p, plane, y + 5, zeros), bytes, to, TRANSFORM_LINE);
      }
    }
    for (let f: usize = 0; f < <usize>frequencies; f++) {
      const line = lines + f * TRANSFORM_LINE;
      for (let i: usize = 0; i < <usize>inside << 2; i += 4) store<u32>(line + i, 0);
      for (let i: usize = <usize>end << 2; i < <usize>width << 2; i += 4) store<u32>(line + i, 0);
    }
    lines += <usize>width << 2;
    tile += run;
  }
}
