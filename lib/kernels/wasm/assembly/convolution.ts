/** Convolution forward, and (with flipped weights, one plan per stride phase) its gradient to the input. */
import { PANEL_BYTES, PIXELS, ROWS, THIN, TILE_BYTES } from './blocking';
import { microStrided, microTable, microTable3, microTablePairs } from './micro';
import { scaleTile } from './pairs';
import { padChannels, Plan } from './window';

/** Tiles of eight pixels done with one panel of weights before the next panel. */
const STRIP: i32 = 8;

/**
 * Units are (block of images or band of rows) × group: pads its share of the input into scratch, then multiplies.
 * Scratch: a tile, the padded copies, and when gathering 8 bytes a pixel and 32·depth bytes for each tile.
 */
export function convolve(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  for (let unit = begin; unit < end; unit++) {
    const group = unit % p.groups;
    const fresh = unit == begin || p.bands > 1;
    if (p.gathered) gatheredBlock(p, unit / p.groups, group, scratch, fresh);
    else directBand(p, unit / p.groups / p.bands, (unit / p.groups) % p.bands, group, scratch, fresh);
  }
}

/** One band of output rows of one image: eight adjacent pixels at a time, read in place from the padded copy. */
function directBand(p: Plan, image: i32, band: i32, group: i32, scratch: usize, fresh: bool): void {
  const bandRows = (p.outHeight + p.bands - 1) / p.bands;
  const top = band * bandRows;
  const bottom = min(top + bandRows, p.outHeight);
  if (top >= bottom) return;
  const padded = scratch + TILE_BYTES;
  const source = p.source + <usize>image * p.sourceImage + group * p.sourceGroup;
  padChannels(p, source, p.channels, top * p.rowStep, (bottom - top - 1) * p.rowStep + p.span, padded, fresh);
  const depth = p.channels * p.taps;
  const rowBytes = (<usize>(p.rowStep * p.step * p.phaseWidth)) << 2;
  const weights = p.weights + group * p.weightGroup;
  const out = p.out + <usize>image * p.outImage + group * p.outGroup;
  const isThin = p.rows <= THIN;
  const columns = isThin ? 12 : 8;
  const strip = STRIP * columns;
  for (let y = top; y < bottom; y++) {
    const row = padded + (y - top) * rowBytes;
    const outRow = out + y * p.outRow;
    for (let left = 0; left < p.outWidth; left += strip) {
      const right = min(left + strip, p.outWidth);
      let panel = weights;
      for (let i = 0; i < p.rows; i += ROWS) {
        const to = outRow + i * p.outChannel;
        const whole = p.rows - i >= (isThin ? THIN : ROWS) && p.outColumn == 4;
        for (let x = left; x < right; x += columns) {
          const width = min(columns, right - x);
          const from = row + ((<usize>x) << 2);
          const inPlace = whole && width == columns;
          const tile = inPlace ? to + ((<usize>x) << 2) : scratch;
          const stride = inPlace ? p.outChannel : columns << 2;
          if (isThin) microTable3(depth, panel, PANEL_BYTES, from, p.offsets, tile, stride, 0);
          else if (p.scales) {
            microTablePairs(depth, panel, PANEL_BYTES, from, p.offsets, tile, stride, 0);
            scaleTile(tile, stride, p.scales + (<usize>i << 2));
          } else microTable(depth, panel, PANEL_BYTES, from, p.offsets, tile, stride, 0);
          if (!inPlace) storePixels(p, scratch, stride, to + x * p.outColumn, min(ROWS, p.rows - i), width);
        }
        panel += <usize>depth * PANEL_BYTES;
      }
    }
  }
}

/** Writes the valid corner of a tile of adjacent pixels. */
function storePixels(p: Plan, tile: usize, stride: usize, to: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    let at = to;
    for (let j: usize = 0; j < (<usize>columns) << 2; j += 4) {
      store<u32>(at, load<u32>(tile + j));
      at += p.outColumn;
    }
    tile += stride;
    to += p.outChannel;
  }
}

/** A block of images whose rows are too narrow for tiles: pixels of all rows and images in one line, windows packed. */
function gatheredBlock(p: Plan, block: i32, group: i32, scratch: usize, fresh: bool): void {
  const first = block * p.block;
  const images = min(p.block, p.images - first);
  const padded = scratch + TILE_BYTES;
  const paddedRows = (p.outHeight - 1) * p.rowStep + p.span;
  for (let n = 0; n < images; n++) {
    const source = p.source + <usize>(first + n) * p.sourceImage + group * p.sourceGroup;
    padChannels(p, source, p.channels, 0, paddedRows, padded + n * p.planeBytes, fresh);
  }
  const pixels = images * p.outHeight * p.outWidth;
  const from = padded + p.channels * p.channelBytes;
  const to = from + ((<usize>p.block * p.outHeight * p.outWidth) << 2) + 32;
  const packed = to + ((<usize>p.block * p.outHeight * p.outWidth) << 2) + 32;
  listPixels(p, first, images, padded, from, to, group);
  multiplyPixels(p, group, 0, p.rows, pixels, from, to, packed, scratch);
}

/** 1 × 1 windows without padding: a unit is PIXELS pixels of all images in order, of one group and band of outputs. */
export function pointwise(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const perImage = p.outHeight * p.outWidth;
  const total = p.images * perImage;
  const strips = (total + PIXELS - 1) / PIXELS;
  const bandRows = ((p.rows + ROWS - 1) / ROWS + p.bands - 1) / p.bands * ROWS;
  const from = scratch + TILE_BYTES;
  const to = from + (PIXELS << 2) + 32;
  const packed = to + (PIXELS << 2) + 32;
  for (let unit = begin; unit < end; unit++) {
    const top = (unit % p.bands) * bandRows;
    const bottom = min(top + bandRows, p.rows);
    if (top >= bottom) continue;
    const group = unit / p.bands / strips;
    const first = (unit / p.bands % strips) * PIXELS;
    const pixels = min(PIXELS, total - first);
    for (let i = 0; i < pixels; i++) {
      const image = (first + i) / perImage;
      const place = (first + i) % perImage;
      const y = place / p.outWidth;
      const x = place % p.outWidth;
      const at = <usize>i << 2;
      const source = p.source + <usize>image * p.sourceImage + group * p.sourceGroup;
      store<usize>(from + at, source + y * p.rowStep * p.sourceRow + x * p.step * p.sourceColumn);
      const out = p.out + <usize>image * p.outImage + group * p.outGroup;
      store<usize>(to + at, out + y * p.outRow + x * p.outColumn);
    }
    repeatLast(from, pixels);
    multiplyPixels(p, group, top, bottom, pixels, from, to, packed, scratch);
  }
}

/** Packs windows of listed pixels, eight a tile, and multiplies them with the panels of outputs `top … bottom`. */
function multiplyPixels(
  p: Plan, group: i32, top: i32, bottom: i32, pixels: i32, from: usize, to: usize, packed: usize, tile: usize,
): void {
  const depth = p.channels * p.taps;
  const tileBytes = <usize>depth << 5;
  const tiles = (pixels + 7) / 8;
  for (let t = 0; t < tiles; t++) {
    packTile(from + (<usize>t << 5), p.offsets, depth, packed + t * tileBytes);
  }
  let panel = p.weights + group * p.weightGroup + <usize>(top * depth) * 4;
  for (let i = top; i < bottom; i += ROWS) {
    const offset = i * p.outChannel;
    const rows = min(ROWS, bottom - i);
    for (let t = 0; t < tiles; t++) {
      const window = packed + t * tileBytes;
      const at = to + (<usize>t << 5);
      const columns = min(8, pixels - t * 8);
      const inPlace = rows == ROWS && columns == 8 && isRun(at);
      const result = inPlace ? load<usize>(at) + offset : tile;
      const stride = inPlace ? p.outChannel : 32;
      if (p.scales) {
        microStrided<i16>(depth, panel, PANEL_BYTES, window, 32, result, stride, 0);
        scaleTile(result, stride, p.scales + (<usize>i << 2));
      } else microStrided<f32>(depth, panel, PANEL_BYTES, window, 32, result, stride, 0);
      if (!inPlace) scatterTile(tile, at, offset, p.outChannel, rows, columns);
    }
    panel += <usize>depth * PANEL_BYTES;
  }
}

/** Whether the eight listed pixels lie side by side. */
@inline
function isRun(list: usize): bool {
  return load<usize>(list, 28) - load<usize>(list) == 28 && load<usize>(list, 12) - load<usize>(list) == 12;
}

/** Addresses each pixel's window starts at and its output goes to; the last one is repeated up to a whole tile. */
function listPixels(
  p: Plan,
  first: i32,
  images: i32,
  padded: usize,
  from: usize,
  to: usize,
  group: i32,
): void {
  const rowBytes = (<usize>(p.rowStep * p.step * p.phaseWidth)) << 2;
  let pixel: usize = 0;
  for (let n = 0; n < images; n++) {
    const out = p.out + <usize>(first + n) * p.outImage + group * p.outGroup;
    for (let y = 0; y < p.outHeight; y++) {
      for (let x = 0; x < p.outWidth; x++) {
        store<usize>(from + pixel, padded + n * p.planeBytes + y * rowBytes + ((<usize>x) << 2));
        store<usize>(to + pixel, out + y * p.outRow + x * p.outColumn);
        pixel += 4;
      }
    }
  }
  repeatLast(from, <i32>(pixel >> 2));
}

/** Fills a list of pixels up to a whole tile. */
function repeatLast(list: usize, pixels: i32): void {
  for (let i = <usize>pixels << 2; (i & 31) != 0; i += 4) store<usize>(list + i, load<usize>(list + i - 4));
}

/** Windows of eight pixels as a panel `[depth][8]`. */
function packTile(from: usize, offsets: usize, depth: i32, to: usize): void {
  const a = load<usize>(from);
  const b = load<usize>(from, 4);
  const c = load<usize>(from, 8);
  const d = load<usize>(from, 12);
  const e = load<usize>(from, 16);
  const f = load<usize>(from, 20);
  const g = load<usize>(from, 24);
  const h = load<usize>(from, 28);
  const end = to + ((<usize>depth) << 5);
  if (isRun(from)) {
    while (to < end) {
      const at = a + load<usize>(offsets);
      v128.store(to, v128.load(at));
      v128.store(to, v128.load(at, 16), 16);
      offsets += 4;
      to += 32;
    }
    return;
  }
  while (to < end) {
    const at = load<usize>(offsets);
    store<u32>(to, load<u32>(a + at));
    store<u32>(to, load<u32>(b + at), 4);
    store<u32>(to, load<u32>(c + at), 8);
    store<u32>(to, load<u32>(d + at), 12);
    store<u32>(to, load<u32>(e + at), 16);
    store<u32>(to, load<u32>(f + at), 20);
    store<u32>(to, load<u32>(g + at), 24);
    store<u32>(to, load<u32>(h + at), 28);
    offsets += 4;
    to += 32;
  }
}

function scatterTile(tile: usize, to: usize, offset: usize, channelStride: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < (<usize>columns) << 2; j += 4) {
      store<u32>(load<usize>(to + j) + offset, load<u32>(tile + j));
    }
    tile += 32;
    offset += channelStride;
  }
}
