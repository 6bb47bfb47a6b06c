/**
 * 3 × 3 convolution with stride 1 by Winograd: forward, and input gradient with flipped filters. T is what is
 * multiplied: f32, or i16 for pairs of integers, where "channel" means a pair and all but the last scaling is exact.
 */
import { DEPTH, FILTER_BYTES, LINES_BYTES, PANEL_BYTES, ROWS, TILE_BLOCK, TRANSFORM_LINE } from './blocking';
import { microStrided } from './micro';
import { fillWords, storeLanes } from './simd';
import { patchRows2, patchRows4, resultColumns2, resultColumns4, resultRow2, resultRow4 } from './tiles';
import { listLines, PATCH, Picture, Tiling, transformColumns } from './tiling';
import { transformPanel } from './winogradFilters';

/** Blocks `begin … end` of tiles, all channels. Scratch: the patches of a block, then as the two halves need. */
export function winograd(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  if (t.scales) filterBlocks<i16>(begin, end, scratch, t);
  else filterBlocks<f32>(begin, end, scratch, t);
}

function filterBlocks<T>(begin: i32, end: i32, scratch: usize, t: Tiling): void {
  const rows = changetype<Picture>(t.output).channels;
  const channels = changetype<Picture>(t.input).channels;
  const panels = (rows + ROWS - 1) / ROWS;
  const rest = scratch + <usize>((t.edge + 2) * (t.edge + 2)) * t.patchStep;
  const filterStep = <usize>(panels * channels) * PANEL_BYTES;
  const products = rest + LINES_BYTES + TILE_BLOCK * 12;
  for (let unit = begin; unit < end; unit++) {
    transformBlock<T>(t, unit, 0, channels, scratch, rest);
    listTargets(t, unit, rest + LINES_BYTES);
    for (let panel = 0; panel < panels; panel++) {
      const filters = t.filters + (<usize>panel * channels) * PANEL_BYTES;
      multiplyPanel<T>(t, unit, channels, channels, filters, filterStep, scratch, products, false);
      storePanel<T>(t, unit, panel, products, rest);
    }
  }
}

/** The first half for few tiles: channels `begin … end` of the only block. */
export function winogradPatches(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  if (t.scales) transformBlock<i16>(t, 0, begin, end, t.patches, scratch);
  else transformBlock<f32>(t, 0, begin, end, t.patches, scratch);
}

/**
 * The second half for few tiles: panels of output channels `begin … end` of the only block, some input channels at a
 * time, so that their patches and the filters, which are transformed on the way, stay in the cache. Scratch: results,
 * targets, a part of a panel's filters, FILTER_BYTES, products of all panels.
 */
export function winogradProducts(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  if (t.scales) multiplyFew<i16>(begin, end, scratch, t);
  else multiplyFew<f32>(begin, end, scratch, t);
}

function multiplyFew<T>(begin: i32, end: i32, scratch: usize, t: Tiling): void {
  const rows = changetype<Picture>(t.output).channels;
  const channels = changetype<Picture>(t.input).channels;
  const frequencies = (t.edge + 2) * (t.edge + 2);
  const filters = scratch + LINES_BYTES + TILE_BLOCK * 12;
  const filterStep: usize = DEPTH * PANEL_BYTES + 64;
  const work = filters + <usize>frequencies * filterStep;
  const products = work + FILTER_BYTES;
  const panelBytes = <usize>frequencies * productStep(t);
  listTargets(t, 0, scratch + LINES_BYTES);
  for (let c = 0; c < channels; c += DEPTH) {
    const depth = min(DEPTH, channels - c);
    for (let panel = begin; panel < end; panel++) {
      transformPanel<T>(t, panel * ROWS, rows, c, c + depth, filters, filterStep, work);
      const to = products + (panel - begin) * panelBytes;
      multiplyPanel<T>(t, 0, depth, channels, filters, filterStep, t.patches + (<usize>c << 5), to, c > 0);
    }
  }
  for (let panel = begin; panel < end; panel++) {
    storePanel<T>(t, 0, panel, products + (panel - begin) * panelBytes, scratch);
  }
}

/** Bytes of a panel's products of one frequency; an odd number of vectors, so that they do not compete in the cache. */
@inline
function productStep(t: Tiling): usize {
  return (<usize>(ROWS * t.block) << 2) + 16;
}

/** Transformed patches `[frequency][group of eight tiles][channel][8]`. Scratch: offsets of tiles, zeros, lines. */
function transformBlock<T>(t: Tiling, unit: i32, begin: i32, end: i32, patches: usize, scratch: usize): void {
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
    transformColumns<T>(t, p, PATCH, c, first, count, zeros, lines);
    for (let g = 0; g < groups; g++) {
      const at = offsets + (<usize>g << 4);
      const to = patches + ((<usize>(g >> 1) * p.channels + c) << 5) + (<usize>(g & 1) << 4);
      const p0 = lines + load<usize>(at);
      const p1 = lines + load<usize>(at, 4);
      const p2 = lines + load<usize>(at, 8);
      const p3 = lines + load<usize>(at, 12);
      if (t.edge == 4) patchRows4<T>(p0, p1, p2, p3, TRANSFORM_LINE, to, t.patchStep);
      else patchRows2(p0, p1, p2, p3, TRANSFORM_LINE, to, t.patchStep);
    }
  }
}

/** Products `[frequency][ROWS][tile]` of one panel, along `depth` of the channels whose patches begin at `patches`. */
function multiplyPanel<T>(
  t: Tiling, unit: i32, depth: i32, channels: i32, filters: usize, filterStep: usize, patches: usize, products: usize,
  add: bool,
): void {
  const count = min(t.block, t.tiles - unit * t.block);
  const rowStep = <usize>t.block << 2;
  for (let f = 0; f < (t.edge + 2) * (t.edge + 2); f++) {
    let tile = patches;
    for (let g: usize = 0; g < <usize>count << 2; g += 32) {
      microStrided<T>(depth, filters, PANEL_BYTES, tile, 32, products + g, rowStep, <i32>add);
      tile += <usize>channels << 5;
    }
    filters += filterStep;
    patches += t.patchStep;
    products += productStep(t);
  }
}

/** Results of one panel from its products. Scratch: work, targets of the tiles. */
function storePanel<T>(t: Tiling, unit: i32, panel: i32, products: usize, scratch: usize): void {
  const p = changetype<Picture>(t.output);
  const count = min(t.block, t.tiles - unit * t.block);
  const targets = scratch + LINES_BYTES;
  for (let i = 0; i < min(ROWS, p.channels - panel * ROWS); i++) {
    const row = panel * ROWS + i;
    const scale = isFloat<T>() ? f32x4.splat(1) : v128.load32_splat(t.scales + (<usize>row << 2));
    for (let g = 0; g < count; g += 4) {
      const from = products + (<usize>(i * t.block + g) << 2);
      storeResults<T>(t, from, productStep(t), scale, scratch, targets + g * 12, min(4, count - g), row * p.channel);
    }
  }
}

/** Where the tiles of a block go: output address in channel 0, rows and columns inside the image. */
function listTargets(t: Tiling, unit: i32, to: usize): void {
  const p = changetype<Picture>(t.output);
  const perImage = t.across * t.down;
  const first = unit * t.block;
  for (let i = first; i < min(first + t.block, t.tiles); i++) {
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
function storeResults<T>(
  t: Tiling, from: usize, step: usize, scale: v128, work: usize, targets: usize, count: i32, channel: usize,
): void {
  const row = changetype<Picture>(t.output).row;
  if (t.edge == 4) {
    if (isFloat<T>()) resultColumns4<f32>(from, step, work);
    else resultColumns4<i32>(from, step, work);
  }
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
      if (edge == 4) resultLine<T>(work + <usize>y * 96, scale, a, b, c, d);
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
    if (edge == 4) resultLine<T>(work + <usize>y * 96, scale, tile, tile + 16, tile + 32, tile + 48);
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

@inline
function resultLine<T>(line: usize, scale: v128, a: usize, b: usize, c: usize, d: usize): void {
  if (isFloat<T>()) resultRow4<f32>(line, scale, a, b, c, d);
  else resultRow4<i32>(line, scale, a, b, c, d);
}

/** Whether a tile lies in the image with all its pixels. */
@inline
function isWhole(target: usize, edge: i32): bool {
  return load<i32>(target, 4) == edge && load<i32>(target, 8) == edge;
}
