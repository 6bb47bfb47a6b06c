/**
 * Gradient of a 3 × 3 convolution with stride 1 to its weights, by the adjoint of F(4×4): for every frequency one product
 * of transformed output gradients and transformed patches along the tiles.
 */
import { CHUNK, DEPTH, PANEL_BYTES, ROWS, TRANSFORM_LINE, WEIGHT_BYTES } from './blocking';
import { microStrided } from './micro';
import { fillWords } from './simd';
import { gradientRows4, patchRows4, transformWeights4 } from './tiles';
import { GRADIENT, listLines, PATCH, Picture, Tiling, transformColumns } from './tiling';

/**
 * Transforms of the tiles from `first` on, of one block, CHUNK tiles a unit: even units patches, odd ones gradients, as
 * `[frequency][tile][channel]`. Scratch: offsets of tiles, zeros, lines of four channels.
 */
export function winogradTransforms(begin: i32, end: i32, scratch: usize, tiling: usize, first: i32): void {
  const t = changetype<Tiling>(tiling);
  for (let unit = begin; unit < end; unit++) {
    const start = (unit >> 1) * CHUNK;
    const count = min(CHUNK, min(t.block, t.tiles - first) - start);
    if (count <= 0) continue;
    if (unit & 1) {
      const to = t.gradients + start * t.gradientTile;
      transformChunk(t, changetype<Picture>(t.output), GRADIENT, first + start, count, scratch, to, t.gradientTile, t.gradientStep);
    } else {
      const to = t.patches + start * t.patchTile;
      transformChunk(t, changetype<Picture>(t.input), PATCH, first + start, count, scratch, to, t.patchTile, t.patchStep);
    }
  }
}

function transformChunk(
  t: Tiling, p: Picture, kind: i32, first: i32, count: i32, scratch: usize, to: usize, tileStride: usize, step: usize,
): void {
  const offsets = scratch;
  const zeros = offsets + (CHUNK << 2);
  const lines = zeros + TRANSFORM_LINE;
  const next = 6 * TRANSFORM_LINE;
  listLines(t, kind, first, count, offsets);
  fillWords(zeros, i32x4.splat(0), TRANSFORM_LINE >> 2);
  for (let c = 0; c < p.channels; c += 4) {
    for (let i = 0; i < 4; i++) {
      transformColumns(t, p, kind, min(c + i, p.channels - 1), first, count, zeros, lines + i * next);
    }
    let at = to + (<usize>c << 2);
    for (let i = 0; i < count; i++) {
      const a = lines + load<usize>(offsets + (<usize>i << 2));
      const b = a + next;
      if (kind == PATCH) patchRows4(a, b, b + next, b + 2 * next, TRANSFORM_LINE, at, step);
      else gradientRows4(a, b, b + next, b + 2 * next, TRANSFORM_LINE, at, step);
      at += tileStride;
    }
  }
}

/** Products of frequencies `begin … end` along the tiles of a block; sums go on unless it is the first. */
export function winogradSums(begin: i32, end: i32, scratch: usize, tiling: usize, first: i32): void {
  const t = changetype<Tiling>(tiling);
  const channels = changetype<Picture>(t.input).channels;
  const rows = changetype<Picture>(t.output).channels;
  const count = min(t.block, t.tiles - first);
  for (let f = begin; f < end; f++) {
    const patches = t.patches + <usize>f * t.patchStep;
    let g = t.gradients + <usize>f * t.gradientStep;
    let row = t.sums + <usize>f * t.sumStep;
    for (let i = 0; i < rows; i += ROWS) {
      for (let c: usize = 0; c < <usize>channels << 2; c += 32) {
        microStrided<f32>(count, g, t.gradientTile, patches + c, t.patchTile, row + c, t.sumRow, <i32>(first > 0));
      }
      g += PANEL_BYTES;
      row += ROWS * t.sumRow;
    }
  }
}

/** Weight gradients `[row][channel][3][3]` of rows `begin … end`, from the sums. Scratch: WEIGHT_BYTES. */
export function winogradWeights(begin: i32, end: i32, scratch: usize, tiling: usize, out: usize): void {
  const t = changetype<Tiling>(tiling);
  const channels = changetype<Picture>(t.input).channels;
  for (let row = begin; row < end; row++) {
    storeWeights(t.sums + <usize>row * t.sumRow, t.sumStep, channels, out + <usize>(row * channels) * 36, scratch);
  }
}

/**
 * Sums and weight gradients where all tiles are one block: panels of rows `begin … end`, some channels at a time, whose
 * patches stay in the cache. Scratch: WEIGHT_BYTES, sums `[frequency][ROWS][DEPTH]`.
 */
export function winogradGradient(begin: i32, end: i32, scratch: usize, tiling: usize, out: usize): void {
  const t = changetype<Tiling>(tiling);
  const channels = changetype<Picture>(t.input).channels;
  const rows = changetype<Picture>(t.output).channels;
  const sums = scratch + WEIGHT_BYTES;
  const sumRow: usize = DEPTH * 4;
  const sumStep = ROWS * sumRow + 64;
  for (let c = 0; c < channels; c += DEPTH) {
    const width = min(DEPTH, channels - c);
    for (let panel = begin; panel < end; panel++) {
      let patches = t.patches + (<usize>c << 2);
      let g = t.gradients + <usize>panel * PANEL_BYTES;
      let to = sums;
      for (let f = 0; f < 36; f++) {
        for (let i: usize = 0; i < <usize>width << 2; i += 32) {
          microStrided<f32>(t.tiles, g, t.gradientTile, patches + i, t.patchTile, to + i, sumRow, 0);
        }
        patches += t.patchStep;
        g += t.gradientStep;
        to += sumStep;
      }
      for (let i = 0; i < min(ROWS, rows - panel * ROWS); i++) {
        const at = out + <usize>((panel * ROWS + i) * channels + c) * 36;
        storeWeights(sums + i * sumRow, sumStep, width, at, scratch);
      }
    }
  }
}

/** Weight gradients of one row and adjacent channels from sums whose frequencies are `step` bytes apart. */
function storeWeights(sums: usize, step: usize, channels: i32, to: usize, scratch: usize): void {
  const result = scratch + 288;
  for (let c = 0; c < channels; c += 4) {
    transformWeights4(sums + (<usize>c << 2), step, scratch, result);
    for (let i = 0; i < min(4, channels - c); i++) {
      const from = result + (<usize>i << 2);
      for (let k: usize = 0; k < 9; k++) store<u32>(to + (k << 2), load<u32>(from + (k << 4)));
      to += 36;
    }
  }
}
