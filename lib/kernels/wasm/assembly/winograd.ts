/** 3 × 3 convolution with stride 1 by Winograd's minimal filtering: forward, and input gradient with flipped filters. */
import { LINES_BYTES, PANEL_BYTES, ROWS, TILE_BLOCK, TRANSFORM_LINE } from './blocking';
import { microStrided } from './micro';
import { fillWords, storeLanes } from './simd';
import { patchRows2, patchRows4, resultColumns2, resultColumns4, resultRow2, resultRow4, transformFilters } from './tiles';
import { listLines, PATCH, Picture, Tiling, transformColumns } from './tiling';

/**
 * Panels of transformed filters, a unit each; strides of output, input, row and column in bytes. Scratch: 36 floats of
 * four channels as taps and at work, and as many results of ROWS outputs.
 */
export function winogradFilters(
  begin: i32, end: i32, scratch: usize,
  w: usize, rowStride: i32, channelStride: i32, down: i32, across: i32,
  rows: i32, channels: i32, edge: i32, out: usize,
): void {
  const work = scratch + 144;
  const results = work + 288;
  const frequencies = (edge + 2) * (edge + 2);
  const step = <usize>((rows + ROWS - 1) / ROWS) * channels * PANEL_BYTES;
  for (let panel = begin; panel < end; panel++) {
    for (let c = 0; c < channels; c += 4) {
      const lanes = min(4, channels - c);
      for (let i = 0; i < ROWS; i++) {
        const row = panel * ROWS + i;
        const to = results + <usize>i * 576;
        if (row < rows) {
          loadFilters(w + row * rowStride + c * channelStride, channelStride, down, across, lanes, scratch);
          transformFilters(edge, scratch, work, to);
        } else fillWords(to, i32x4.splat(0), 144);
      }
      let to = out + ((<usize>panel * channels + c) * PANEL_BYTES);
      for (let f = 0; f < frequencies; f++) {
        storeFilters(results + (<usize>f << 4), lanes, to);
        to += step;
      }
    }
  }
}

/** Nine taps of up to four channels, one in each lane. */
function loadFilters(w: usize, channelStride: i32, down: i32, across: i32, lanes: i32, to: usize): void {
  for (let lane = 0; lane < lanes; lane++) {
    let tap = to + (<usize>lane << 2);
    for (let r = 0; r < 3; r++) {
      const row = w + r * down;
      store<u32>(tap, load<u32>(row));
      store<u32>(tap, load<u32>(row + across), 16);
      store<u32>(tap, load<u32>(row + 2 * across), 32);
      tap += 48;
    }
    w += channelStride;
  }
}

/** One frequency of ROWS outputs and up to four channels, transposed to `[channel][ROWS]`. */
function storeFilters(from: usize, lanes: i32, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 576);
  const c = v128.load(from, 1152);
  const d = v128.load(from, 1728);
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
  const last = from + 2304;
  v128.store(to, i64x2.shuffle(ab, cd, 0, 2));
  store<u32>(to, load<u32>(last), 16);
  if (lanes < 2) return;
  v128.store(to, i64x2.shuffle(ab, cd, 1, 3), 20);
  store<u32>(to, load<u32>(last, 4), 36);
  if (lanes < 3) return;
  const AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(AB, CD, 0, 2), 40);
  store<u32>(to, load<u32>(last, 8), 56);
  if (lanes < 4) return;
  v128.store(to, i64x2.shuffle(AB, CD, 1, 3), 60);
  store<u32>(to, load<u32>(last, 12), 76);
}

/** Blocks `begin … end` of tiles, all channels. Scratch: the patches of a block, then as the two halves need. */
export function winograd(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  const panels = (changetype<Picture>(t.output).channels + ROWS - 1) / ROWS;
  const channels = changetype<Picture>(t.input).channels;
  const rest = scratch + <usize>((t.edge + 2) * (t.edge + 2)) * t.patchStep;
  for (let unit = begin; unit < end; unit++) {
    transformBlock(t, unit, 0, channels, scratch, rest);
    multiplyBlock(t, unit, 0, panels, scratch, rest);
  }
}

/** The first half for few tiles: channels `begin … end` of the only block. */
export function winogradPatches(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  transformBlock(t, 0, begin, end, t.patches, scratch);
}

/** The second half for few tiles: panels of output channels `begin … end` of the only block. */
export function winogradProducts(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  multiplyBlock(t, 0, begin, end, t.patches, scratch);
}

/** Transformed patches `[frequency][group of eight tiles][channel][8]`. Scratch: offsets of tiles, zeros, lines. */
function transformBlock(t: Tiling, unit: i32, begin: i32, end: i32, patches: usize, scratch: usize): void {
  const p = changetype<Picture>(t.input);
  const first = unit * t.block;
  const count = min(t.block, t.tiles - first);
  const groups = ((count + 7) >> 3) << 1;
  const offsets = scratch;
  const zeros = offsets + (TILE_BLOCK << 2);
  const lines = zeros + TRANSFORM_LINE;
  listLines(t, PATCH, first, count, offsets);
  for (let i = count; i < groups * 4; i++) store<i32>(offsets + (<usize>i << 2), 0);
  fillWords(zeros, i32x4.splat(0), TRANSFORM_LINE >> 2);
  for (let c = begin; c < end; c++) {
    transformColumns(t, p, PATCH, c, first, count, zeros, lines);
    for (let g = 0; g < groups; g++) {
      const at = offsets + (<usize>g << 4);
      const to = patches + ((<usize>(g >> 1) * p.channels + c) << 5) + (<usize>(g & 1) << 4);
      const p0 = lines + load<usize>(at);
      const p1 = lines + load<usize>(at, 4);
      const p2 = lines + load<usize>(at, 8);
      const p3 = lines + load<usize>(at, 12);
      if (t.edge == 4) patchRows4(p0, p1, p2, p3, TRANSFORM_LINE, to, t.patchStep);
      else patchRows2(p0, p1, p2, p3, TRANSFORM_LINE, to, t.patchStep);
    }
  }
}

/** Products and results of panels `begin … end`. Scratch: work, targets of tiles, products of a panel. */
function multiplyBlock(t: Tiling, unit: i32, begin: i32, end: i32, patches: usize, scratch: usize): void {
  const p = changetype<Picture>(t.output);
  const channels = changetype<Picture>(t.input).channels;
  const panels = (p.channels + ROWS - 1) / ROWS;
  const frequencies = (t.edge + 2) * (t.edge + 2);
  const first = unit * t.block;
  const count = min(t.block, t.tiles - first);
  const targets = scratch + LINES_BYTES;
  const products = targets + TILE_BLOCK * 12;
  const rowStep = <usize>t.block << 2;
  // An odd number of vectors, so that frequencies do not compete for the same places in the cache.
  const step = ROWS * rowStep + 16;
  listTargets(t, p, first, count, targets);
  for (let panel = begin; panel < end; panel++) {
    for (let f = 0; f < frequencies; f++) {
      const filters = t.filters + (<usize>(f * panels + panel) * channels) * PANEL_BYTES;
      let tile = patches + <usize>f * t.patchStep;
      let to = products + <usize>f * step;
      for (let g = 0; g < count; g += 8) {
        microStrided<f32>(channels, filters, PANEL_BYTES, tile, 32, to, rowStep, 0);
        tile += <usize>channels << 5;
        to += 32;
      }
    }
    for (let i = 0; i < min(ROWS, p.channels - panel * ROWS); i++) {
      const channel = (panel * ROWS + i) * p.channel;
      for (let g = 0; g < count; g += 4) {
        const from = products + i * rowStep + (<usize>g << 2);
        storeResults(t, from, step, scratch, targets + g * 12, min(4, count - g), channel);
      }
    }
  }
}

/** Where tiles go: output address in channel 0, rows and columns inside the image. */
function listTargets(t: Tiling, p: Picture, first: i32, count: i32, to: usize): void {
  const perImage = t.across * t.down;
  for (let i = first; i < first + count; i++) {
    const place = i % perImage;
    const y = (place / t.across) * t.edge;
    const x = (place % t.across) * t.edge;
    store<usize>(to, p.address + <usize>(i / perImage) * p.image + y * p.row + (x << 2));
    store<i32>(to, min(t.edge, p.height - y), 4);
    store<i32>(to, min(t.edge, p.width - x), 8);
    to += 12;
  }
}

/** Up to four tiles of one output channel, clipped at the edges of the image. */
function storeResults(
  t: Tiling, from: usize, step: usize, work: usize, targets: usize, count: i32, channel: usize,
): void {
  const row = changetype<Picture>(t.output).row;
  if (t.edge == 4) resultColumns4(from, step, work);
  else resultColumns2(from, step, work);
  const edge = t.edge;
  const whole = count == 4 && isWhole(targets, edge) && isWhole(targets + 12, edge)
    && isWhole(targets + 24, edge) && isWhole(targets + 36, edge);
  if (whole) {
    let a = load<usize>(targets) + channel;
    let b = load<usize>(targets, 12) + channel;
    let c = load<usize>(targets, 24) + channel;
    let d = load<usize>(targets, 36) + channel;
    for (let y = 0; y < edge; y++) {
      if (edge == 4) resultRow4(work + <usize>y * 96, a, b, c, d);
      else resultRow2(work + <usize>y * 64, a, b, c, d);
      a += row;
      b += row;
      c += row;
      d += row;
    }
    return;
  }
  const tile = work + 384;
  for (let y = 0; y < edge; y++) {
    if (edge == 4) resultRow4(work + <usize>y * 96, tile, tile + 16, tile + 32, tile + 48);
    else resultRow2(work + <usize>y * 64, tile, tile + 16, tile + 32, tile + 48);
    for (let i = 0; i < count; i++) {
      const at = targets + i * 12;
      if (y >= load<i32>(at, 4)) continue;
      const to = load<usize>(at) + channel + y * row;
      const v = v128.load(tile + (<usize>i << 4));
      const width = load<i32>(at, 8);
      if (width == 4) v128.store(to, v);
      else storeLanes(to, v, width);
    }
  }
}

/** Whether a tile lies in the image with all its pixels. */
@inline
function isWhole(target: usize, edge: i32): bool {
  return load<i32>(target, 4) == edge && load<i32>(target, 8) == edge;
}
