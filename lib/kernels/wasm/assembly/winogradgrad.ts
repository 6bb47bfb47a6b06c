/**
 * Weight gradient of a 3 × 3 convolution of stride 1, by the adjoint of F(4×4): one product a frequency, along tiles.
 */
import { CHUNK, CHUNK_BYTES, DEPTH, PANEL_BYTES, PIXELS, ROWS, TRANSFORM_LINE, WEIGHT_BYTES } from './blocking';
import { microStrided } from './micro';
import { fillWords } from './simd';
import { add, gradientRows4, patchRows4, sub, times } from './tiles';
import { GRADIENT, listLines, PATCH, Picture, Tiling, transformColumns } from './tiling';

/** All tiles transformed, CHUNK a unit, patches on even ones: `[frequency][tile][channel]`. Scratch: CHUNK_BYTES. */
export function winogradTransforms(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  for (let unit = begin; unit < end; unit++) {
    const first = (unit >> 1) * CHUNK;
    const count = min(CHUNK, t.tiles - first);
    if (unit & 1) transformGradients(t, first, count, t.gradients + first * t.gradientTile, scratch);
    else transformPatches(t, first, count, t.patches + first * t.patchTile, scratch);
  }
}

function transformPatches(t: Tiling, first: i32, count: i32, to: usize, scratch: usize): void {
  transformChunk(t, changetype<Picture>(t.input), PATCH, first, count, scratch, to, t.patchTile, t.patchStep);
}

function transformGradients(t: Tiling, first: i32, count: i32, to: usize, scratch: usize): void {
  transformChunk(t, changetype<Picture>(t.output), GRADIENT, first, count, scratch, to, t.gradientTile, t.gradientStep);
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
      transformColumns<f32>(t, p, kind, min(c + i, p.channels - 1), first, count, zeros, lines + i * next);
    }
    let at = to + (<usize>c << 2);
    for (let i = 0; i < count; i++) {
      const a = lines + load<usize>(offsets + (<usize>i << 2));
      const b = a + next;
      if (kind == PATCH) patchRows4<f32>(a, b, b + next, b + 2 * next, TRANSFORM_LINE, at, step);
      else gradientRows4(a, b, b + next, b + 2 * next, TRANSFORM_LINE, at, step);
      at += tileStride;
    }
  }
}

/** Segments of `Tiling.segment` tiles, with sums. Scratch: CHUNK_BYTES, a block's transformed patches, gradients. */
export function winogradSegments(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  const patches = scratch + CHUNK_BYTES;
  const gradients = patches + 36 * t.patchStep;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * t.segment;
    const last = min(first + t.segment, t.tiles);
    const sums = t.sums + <usize>(unit * 36) * t.sumStep;
    for (let tile = first; tile < last; tile += t.block) {
      const count = min(t.block, last - tile);
      for (let i = 0; i < count; i += CHUNK) {
        const chunk = min(CHUNK, count - i);
        transformPatches(t, tile + i, chunk, patches + i * t.patchTile, scratch);
        transformGradients(t, tile + i, chunk, gradients + i * t.gradientTile, scratch);
      }
      for (let f: usize = 0; f < 36; f++) {
        const at = patches + f * t.patchStep;
        addProducts(t, count, at, gradients + f * t.gradientStep, sums + f * t.sumStep, tile > first);
      }
    }
  }
}

/** Sums of frequencies `begin … end` from the transforms of all tiles. */
export function winogradFrequencies(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  for (let f = <usize>begin; f < <usize>end; f++) {
    const patches = t.patches + f * t.patchStep;
    const gradients = t.gradients + f * t.gradientStep;
    for (let tile = 0; tile < t.tiles; tile += PIXELS) {
      const count = min(PIXELS, t.tiles - tile);
      const at = patches + tile * t.patchTile;
      addProducts(t, count, at, gradients + tile * t.gradientTile, t.sums + f * t.sumStep, tile > 0);
    }
  }
}

/** Products of one frequency along tiles. */
function addProducts(t: Tiling, count: i32, patches: usize, gradients: usize, sums: usize, add: bool): void {
  const channels = changetype<Picture>(t.input).channels;
  const rows = changetype<Picture>(t.output).channels;
  for (let i = 0; i < rows; i += ROWS) {
    for (let c: usize = 0; c < <usize>channels << 2; c += 32) {
      microStrided<f32>(count, gradients, t.gradientTile, patches + c, t.patchTile, sums + c, t.sumRow, <i32>add);
    }
    gradients += PANEL_BYTES;
    sums += ROWS * t.sumRow;
  }
}

/** Weight gradients `[row][channel][3][3]` of rows `begin … end`, from all segments' sums. Scratch: WEIGHT_BYTES. */
export function winogradWeights(begin: i32, end: i32, scratch: usize, tiling: usize, out: usize): void {
  const t = changetype<Tiling>(tiling);
  const channels = changetype<Picture>(t.input).channels;
  const segments = (t.tiles + t.segment - 1) / t.segment;
  const total = scratch + 432;
  for (let row = begin; row < end; row++) {
    for (let c = 0; c < channels; c += 4) {
      let from = t.sums + <usize>row * t.sumRow + (<usize>c << 2);
      for (let f: usize = 0; f < 576; f += 16) {
        let sum = v128.load(from);
        let at = from;
        for (let s = 1; s < segments; s++) {
          at += 36 * t.sumStep;
          sum = f32x4.add(sum, v128.load(at));
        }
        v128.store(total + f, sum);
        from += t.sumStep;
      }
      storeWeights(total, 16, min(4, channels - c), out + <usize>(row * channels + c) * 36, scratch);
    }
  }
}

/**
 * Sums and weight gradients from the transforms of all tiles: panels of rows `begin … end`, some channels at a time,
 * whose patches stay in the cache if tiles are few. Scratch: WEIGHT_BYTES, sums `[frequency][ROWS][DEPTH]`.
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

/** Gᵀ of F(4×4): six vectors to three. */
@inline
function weightLine4(from: usize, by: usize, to: usize, step: usize): void {
  const s1 = v128.load(from + by);
  const s2 = v128.load(from + 2 * by);
  const s3 = v128.load(from + 3 * by);
  const s4 = v128.load(from + 4 * by);
  const near = times<f32>(1.0 / 6.0, add<f32>(s1, s2));
  const far = add<f32>(s3, s4);
  v128.store(to, add<f32>(sub<f32>(times<f32>(0.25, v128.load(from)), near), times<f32>(1.0 / 24.0, far)));
  v128.store(to + step, add<f32>(times<f32>(1.0 / 6.0, sub<f32>(s2, s1)), times<f32>(1.0 / 12.0, sub<f32>(s3, s4))));
  v128.store(to + 2 * step, add<f32>(sub<f32>(times<f32>(1.0 / 6.0, far), near), v128.load(from + 5 * by)));
}

/** Gᵀ·s·G of four sums in lanes: 36 vectors `step` bytes apart to nine at `to`; `work` takes 18 vectors. */
function transformWeights4(from: usize, step: usize, work: usize, to: usize): void {
  for (let x: usize = 0; x < 6; x++) weightLine4(from + x * step, 6 * step, work + x * 16, 96);
  for (let r: usize = 0; r < 3; r++) weightLine4(work + r * 96, 16, to + r * 48, 16);
}
