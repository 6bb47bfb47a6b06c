/** 3 × 3 convolution with stride 1 by Winograd's minimal filtering: forward and input gradient, and weight gradient. */
import { PANEL_BYTES, QUAD_BYTES, ROWS, TILE_BYTES, TRANSFORM_BYTES } from './blocking';
import { addTile, microDot, microPacked } from './micro';
import { fillWords, storeLanes, sumLanes } from './simd';
import {
  transformFilters, transformGradients4, transformPatches2, transformPatches4, transformResults2, transformResults4,
  transformWeights4,
} from './tiles';
import { padChannels, Plan } from './window';

/** Four-tile groups multiplied before moving on, as in weightgrad.ts. */
const BAND: i32 = 256;

@unmanaged
class Tiling {
  /** Pixels along the edge of a tile: 4 or 2. */
  edge: i32 = 0;
  across: i32 = 0;
  down: i32 = 0;
  /** Tiles of all images, and of a block done at once (a multiple of 8). */
  tiles: i32 = 0;
  block: i32 = 0;
  /** Padded copies of all images: distance of images, of channels and of rows. */
  padded: usize = 0;
  imageBytes: i32 = 0;
  channelBytes: i32 = 0;
  rowBytes: i32 = 0;
  channels: i32 = 0;
  /** Transformed filters `[frequency][⌈rows/ROWS⌉][channel][ROWS]`. */
  filters: usize = 0;
  rows: i32 = 0;
  out: usize = 0;
  outImage: i32 = 0;
  outChannel: i32 = 0;
  outRow: i32 = 0;
  outHeight: i32 = 0;
  outWidth: i32 = 0;
  /** Weight gradient: first tile of the block; transformed patches, gradients, sums; table of tile offsets. */
  first: i32 = 0;
  patches: usize = 0;
  gradients: usize = 0;
  sums: usize = 0;
  /** Sums with their lanes added up, `[frequency][row][channel]`, channels rounded up to four. */
  reduced: usize = 0;
  table: usize = 0;
  paddedGradient: usize = 0;
  gradientImage: i32 = 0;
  gradientChannel: i32 = 0;
  gradientRow: i32 = 0;
}

/** Padded copies of all images, one channel a unit, `[image][channel]`. */
export function padImages(
  begin: i32, end: i32, scratch: usize, plan: usize, rows: i32, imageBytes: i32, out: usize,
): void {
  const p = changetype<Plan>(plan);
  for (let unit = begin; unit < end; unit++) {
    const image = unit / p.channels;
    const channel = unit % p.channels;
    const source = p.source + <usize>image * p.sourceImage + channel * p.sourceChannel;
    padChannels(p, source, 1, 0, rows, out + <usize>image * imageBytes + channel * p.channelBytes, true);
  }
}

/** Panels of ROWS transformed filters, a unit each; strides of output, input, row and column in bytes. */
export function winogradFilters(
  begin: i32, end: i32, scratch: usize,
  w: usize, rowStride: i32, channelStride: i32, down: i32, across: i32,
  rows: i32, channels: i32, edge: i32, out: usize,
): void {
  const taps = scratch;
  const work = taps + 288;
  const result = work + 576;
  const panels = (rows + ROWS - 1) / ROWS;
  const frequencies = (edge + 2) * (edge + 2);
  const step = <usize>panels * channels * PANEL_BYTES;
  for (let panel = begin; panel < end; panel++) {
    for (let c = 0; c < channels; c++) {
      let to = out + ((<usize>panel * channels + c) * PANEL_BYTES);
      for (let half = 0; half < 2; half++) {
        const first = panel * ROWS + half * 4;
        const lanes = half ? ROWS - 4 : 4;
        fillWords(taps, i32x4.splat(0), 36);
        for (let i = 0; i < min(lanes, rows - first); i++) {
          const filter = w + (first + i) * rowStride + c * channelStride;
          for (let r = 0; r < 3; r++) {
            for (let s = 0; s < 3; s++) {
              store<f32>(taps + (<usize>((r * 3 + s) * 4 + i) << 2), load<f32>(filter + r * down + s * across));
            }
          }
        }
        transformFilters(edge, taps, work, result);
        for (let f = 0; f < frequencies; f++) {
          const v = v128.load(result + (<usize>f << 4));
          if (half) v128.store32_lane(to + <usize>f * step, v, 0);
          else v128.store(to + <usize>f * step, v);
        }
        to += 16;
      }
    }
  }
}

/** Address of a tile's patch in channel 0 of its image's padded copy. */
@inline
function patchAddress(t: Tiling, tile: i32): usize {
  const perImage = t.across * t.down;
  const image = tile / perImage;
  const place = tile % perImage;
  const y = place / t.across;
  const x = place % t.across;
  return t.padded + <usize>image * t.imageBytes + y * t.edge * t.rowBytes + ((x * t.edge) << 2);
}

/** Blocks `begin … end` of tiles. Scratch: transforms, addresses of tiles, their patches and products. */
export function winograd(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  const frequencies = (t.edge + 2) * (t.edge + 2);
  const panels = (t.rows + ROWS - 1) / ROWS;
  const addresses = scratch + TRANSFORM_BYTES;
  const targets = addresses + (<usize>t.block << 2);
  const patches = targets + <usize>t.block * 12;
  // An odd number of cache lines, so that frequencies do not compete for the same places in the cache.
  const patchStep = <usize>t.block * t.channels * 4 + 64;
  const products = patches + <usize>frequencies * patchStep;
  const rowStep = <usize>t.block << 2;
  const productStep = <usize>panels * ROWS * rowStep + 64;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * t.block;
    const count = min(t.block, t.tiles - first);
    const groups = (count + 7) / 8 * 2;
    for (let i = 0; i < groups * 4; i++) {
      store<usize>(addresses + (<usize>i << 2), patchAddress(t, min(first + i, t.tiles - 1)));
    }
    listTargets(t, first, count, targets);
    for (let c = 0; c < t.channels; c++) {
      const plane = c * t.channelBytes;
      for (let g = 0; g < groups; g++) {
        const at = addresses + (<usize>g << 4);
        const to = patches + (<usize>(g >> 1) * t.channels + c) * 32 + (<usize>(g & 1) << 4);
        const p0 = load<usize>(at) + plane;
        const p1 = load<usize>(at, 4) + plane;
        const p2 = load<usize>(at, 8) + plane;
        const p3 = load<usize>(at, 12) + plane;
        if (t.edge == 4) transformPatches4(p0, p1, p2, p3, t.rowBytes, scratch, to, patchStep);
        else transformPatches2(p0, p1, p2, p3, t.rowBytes, scratch, to, patchStep);
      }
    }
    for (let f = 0; f < frequencies; f++) {
      const from = patches + <usize>f * patchStep;
      const to = products + <usize>f * productStep;
      for (let panel = 0; panel < panels; panel++) {
        const filters = t.filters + (<usize>(f * panels + panel) * t.channels) * PANEL_BYTES;
        for (let g = 0; g < groups; g += 2) {
          const tile = from + <usize>(g >> 1) * t.channels * 32;
          microPacked<f32>(t.channels, filters, tile, to + <usize>panel * ROWS * rowStep + (<usize>g << 4), rowStep, 0);
        }
      }
    }
    for (let row = 0; row < t.rows; row++) {
      for (let g = 0; g < (count + 3) / 4; g++) {
        const from = products + <usize>row * rowStep + (<usize>g << 4);
        const result = scratch + 704;
        if (t.edge == 4) transformResults4(from, productStep, scratch, result);
        else transformResults2(from, productStep, scratch, result);
        storeTiles(t, targets + g * 48, min(4, count - g * 4), row * t.outChannel, result);
      }
    }
  }
}

/** Where tiles go: output address in channel 0, rows and columns inside the image. */
function listTargets(t: Tiling, first: i32, count: i32, to: usize): void {
  const perImage = t.across * t.down;
  for (let i = first; i < first + count; i++) {
    const place = i % perImage;
    const y = (place / t.across) * t.edge;
    const x = (place % t.across) * t.edge;
    store<usize>(to, t.out + <usize>(i / perImage) * t.outImage + y * t.outRow + (x << 2));
    store<i32>(to, min(t.edge, t.outHeight - y), 4);
    store<i32>(to, min(t.edge, t.outWidth - x), 8);
    to += 12;
  }
}

/** Writes up to four finished tiles of one output channel, clipped at the edges of the image. */
function storeTiles(t: Tiling, targets: usize, count: i32, channel: usize, from: usize): void {
  for (let i = 0; i < count; i++) {
    let to = load<usize>(targets) + channel;
    const height = load<i32>(targets, 4);
    const width = load<i32>(targets, 8);
    if (height == 4 && width == 4) {
      v128.store(to, v128.load(from));
      v128.store(to + t.outRow, v128.load(from, 64));
      v128.store(to + 2 * t.outRow, v128.load(from, 128));
      v128.store(to + 3 * t.outRow, v128.load(from, 192));
    } else {
      for (let r = 0; r < height; r++) {
        const v = v128.load(from + (<usize>r << 6));
        if (width == 4) v128.store(to, v);
        else storeLanes(to, v, width);
        to += t.outRow;
      }
    }
    from += 16;
    targets += 12;
  }
}

/**
 * Patches of channels `begin … end`, then output gradients of channels (units from `channels` on), of the current block:
 * `[frequency][channel][tile]` and `[frequency][panel][quad][ROWS][4]`.
 */
export function winogradTransforms(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  const quads = t.block >> 2;
  const panels = (t.rows + ROWS - 1) / ROWS;
  for (let unit = begin; unit < end; unit++) {
    for (let q = 0; q < quads; q++) {
      const at = t.table + (<usize>(t.first + q * 4) << 3);
      if (unit < t.channels) {
        const plane = unit * t.channelBytes;
        const to = t.patches + ((<usize>unit * t.block + q * 4) << 2);
        const p0 = load<usize>(at) + plane;
        const p1 = load<usize>(at, 8) + plane;
        const p2 = load<usize>(at, 16) + plane;
        const p3 = load<usize>(at, 24) + plane;
        transformPatches4(p0, p1, p2, p3, t.rowBytes, scratch, to, <usize>t.channels * t.block * 4 + 64);
      } else {
        const row = unit - t.channels;
        const plane = min(row, t.rows - 1) * t.gradientChannel;
        const to = t.gradients + <usize>((row / ROWS) * quads + q) * QUAD_BYTES + (<usize>(row % ROWS) << 4);
        const p0 = load<usize>(at, 4) + plane;
        const p1 = load<usize>(at, 12) + plane;
        const p2 = load<usize>(at, 20) + plane;
        const p3 = load<usize>(at, 28) + plane;
        const step = <usize>panels * quads * QUAD_BYTES + 64;
        transformGradients4(p0, p1, p2, p3, t.gradientRow, scratch, to, step);
        const valid = t.tiles - t.first - q * 4;
        if (valid < 4) maskTiles(valid, to, step);
      }
    }
  }
}

/** Zeros the lanes of tiles that do not exist in a group of transformed gradients. */
function maskTiles(valid: i32, to: usize, step: usize): void {
  const mask = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(valid));
  for (let f: usize = 0; f < 36; f++) v128.store(to + f * step, v128.and(v128.load(to + f * step), mask));
}

/** Addresses of every tile's patch and output gradient; the last one is repeated up to `count`. One unit. */
export function winogradTable(begin: i32, end: i32, scratch: usize, tiling: usize, count: i32): void {
  const t = changetype<Tiling>(tiling);
  const perImage = t.across * t.down;
  for (let i = 0; i < count; i++) {
    const tile = min(i, t.tiles - 1);
    const place = tile % perImage;
    const inside = (place / t.across) * 4 * t.gradientRow + ((place % t.across) << 4);
    const at = t.table + (<usize>i << 3);
    store<usize>(at, patchAddress(t, tile));
    store<usize>(at, t.paddedGradient + <usize>(tile / perImage) * t.gradientImage + inside, 4);
  }
}

/**
 * Adds the current block to the sums of frequencies `begin … end`, `[frequency][panel][channel pair][ROWS][2]` vectors whose
 * lanes are added up after the last block. Scratch: a tile and the offsets of a band of quads.
 */
export function winogradSums(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  const quads = t.block >> 2;
  const panels = (t.rows + ROWS - 1) / ROWS;
  const pairs = (t.channels + 1) / 2;
  const offsets = scratch + TILE_BYTES;
  for (let q = 0; q < min(quads, BAND); q++) store<i32>(offsets + (<usize>q << 2), q << 4);
  for (let f = begin; f < end; f++) {
    const patches = t.patches + <usize>f * (<usize>t.channels * t.block * 4 + 64);
    const gradients = t.gradients + <usize>f * (<usize>panels * quads * QUAD_BYTES + 64);
    const sums = t.sums + <usize>f * panels * pairs * TILE_BYTES;
    if (t.first == 0) fillWords(sums, i32x4.splat(0), panels * pairs * (TILE_BYTES >> 2));
    for (let q = 0; q < quads; q += BAND) {
      const length = min(BAND, quads - q);
      let to = sums;
      for (let panel = 0; panel < panels; panel++) {
        const g = gradients + <usize>(panel * quads + q) * QUAD_BYTES;
        for (let c = 0; c < t.channels; c += 2) {
          const x0 = patches + ((<usize>c * t.block + q * 4) << 2);
          const x1 = patches + ((<usize>min(c + 1, t.channels - 1) * t.block + q * 4) << 2);
          microDot(length, g, offsets, x0, x1, scratch);
          addTile(scratch, to);
          to += TILE_BYTES;
        }
      }
    }
    if (t.first + t.block >= t.tiles) {
      reduceSums(t, sums, t.reduced + ((<usize>f * t.rows * ((t.channels + 3) & ~3)) << 2));
    }
  }
}

/** Adds up the lanes of the sums of one frequency. */
function reduceSums(t: Tiling, sums: usize, to: usize): void {
  const pairs = (t.channels + 1) / 2;
  const width = (t.channels + 3) & ~3;
  for (let row = 0; row < t.rows; row++) {
    let from = sums + <usize>((row / ROWS) * pairs) * TILE_BYTES + (<usize>(row % ROWS) << 5);
    let at = to + (<usize>(row * width) << 2);
    for (let pair = 0; pair < pairs; pair++) {
      store<f32>(at, <f32>sumLanes(v128.load(from)));
      store<f32>(at, <f32>sumLanes(v128.load(from, 16)), 4);
      from += TILE_BYTES;
      at += 8;
    }
  }
}

/** Weight gradients `[row][channel][3][3]` of rows `begin … end`, from the reduced sums. */
export function winogradWeights(begin: i32, end: i32, scratch: usize, tiling: usize, out: usize): void {
  const t = changetype<Tiling>(tiling);
  const width = (t.channels + 3) & ~3;
  const step = <usize>(t.rows * width) << 2;
  const gathered = scratch + 576;
  const result = gathered + 576;
  for (let row = begin; row < end; row++) {
    for (let c = 0; c < t.channels; c += 4) {
      const from = t.reduced + (<usize>(row * width + c) << 2);
      for (let f: usize = 0; f < 36; f++) v128.store(gathered + (f << 4), v128.load(from + f * step));
      transformWeights4(gathered, scratch, result);
      for (let i = 0; i < min(4, t.channels - c); i++) {
        const to = out + <usize>(row * t.channels + c + i) * 36;
        for (let k: usize = 0; k < 9; k++) store<f32>(to + (k << 2), load<f32>(result + (k << 4) + (<usize>i << 2)));
      }
    }
  }
}
