/**
 * Gradient of a convolution to its weights. Images and output gradients of a block are copied with channels last; then
 * a row of the kernel is one product along the pixels: output channels times the adjacent values that the row looks at.
 */
import { COLUMNS, PIXELS, ROWS, THIN } from './blocking';
import { microTable, microTable3 } from './micro';
import { copyFloats, fillWords, interleaveHigh, interleaveLow, joinHigh, joinLow, storeLanes } from './simd';

/** One weight gradient. Tensors are contiguous; channels, rows and sums are those of a group. */
@unmanaged
class Correlation {
  x: usize = 0;
  channels: i32 = 0;
  height: i32 = 0;
  width: i32 = 0;
  g: usize = 0;
  rows: i32 = 0;
  outHeight: i32 = 0;
  outWidth: i32 = 0;
  groups: i32 = 0;
  /** Zeros before the image; negative crops. Extents with them, as far as windows reach. */
  top: i32 = 0;
  left: i32 = 0;
  paddedHeight: i32 = 0;
  paddedWidth: i32 = 0;
  strideHeight: i32 = 0;
  strideWidth: i32 = 0;
  /** Images `first … first + count` are copied, `[group][image]`. */
  first: i32 = 0;
  count: i32 = 0;
  /** `[row][column][channel]`, bytes of a pixel and of an image of a group. */
  copy: usize = 0;
  inPixel: i32 = 0;
  imageBytes: i32 = 0;
  /** `[pixel][channel]`, bytes of a pixel. */
  gradient: usize = 0;
  outPixel: i32 = 0;
  /** Byte offset of every window of a block in the copy of a group. */
  table: usize = 0;
  /** Adjacent values one run of taps looks at, the number of runs, and the byte offset of each in a window. */
  run: i32 = 0;
  runs: i32 = 0;
  runOffsets: usize = 0;
  /** `[group][run][row][value]`; rows in whole panels, values in whole tiles. */
  sums: usize = 0;
  /** A unit of the product: up to so many panels of rows, and COLUMNS tiles of values. */
  panels: i32 = 0;
}

/** Values of a tile of sums. */
@inline
function tileColumns(p: Correlation): i32 {
  return p.rows <= THIN ? 12 : 8;
}

/** Values of a row of sums: whole tiles. */
@inline
function sumWidth(p: Correlation): i32 {
  const columns = tileColumns(p);
  return (p.run + columns - 1) / columns * columns;
}

/** Pixels of a row of up to four channels, channels last. Vectors may reach past a pixel only if it is padded. */
function transposeQuad(
  from: usize, stride: usize, channels: i32, width: i32, to: usize, pixelBytes: usize, padded: bool,
): void {
  const b = from + (channels > 1 ? stride : 0);
  const c = from + (channels > 2 ? 2 * stride : 0);
  const d = from + (channels > 3 ? 3 * stride : 0);
  const isWhole = padded || channels >= 4;
  const bytes = <usize>width << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v0 = v128.load(from + i);
    const v1 = v128.load(b + i);
    const v2 = v128.load(c + i);
    const v3 = v128.load(d + i);
    const ab = interleaveLow(v0, v1);
    const cd = interleaveLow(v2, v3);
    const AB = interleaveHigh(v0, v1);
    const CD = interleaveHigh(v2, v3);
    const p0 = joinLow(ab, cd);
    const p1 = joinHigh(ab, cd);
    const p2 = joinLow(AB, CD);
    const p3 = joinHigh(AB, CD);
    const left = (bytes - i) >> 2;
    if (isWhole) {
      v128.store(to, p0);
      if (left > 1) v128.store(to + pixelBytes, p1);
      if (left > 2) v128.store(to + 2 * pixelBytes, p2);
      if (left > 3) v128.store(to + 3 * pixelBytes, p3);
    } else {
      storeLanes(to, p0, channels);
      if (left > 1) storeLanes(to + pixelBytes, p1, channels);
      if (left > 2) storeLanes(to + 2 * pixelBytes, p2, channels);
      if (left > 3) storeLanes(to + 3 * pixelBytes, p3, channels);
    }
    to += 4 * pixelBytes;
  }
}

/** Rows of padded images, channels last; a unit is one row of one image of the block. */
export function copyImages(begin: i32, end: i32, scratch: usize, correlation: usize): void {
  const p = changetype<Correlation>(correlation);
  const pixelBytes = <usize>p.inPixel;
  const rowBytes = p.paddedWidth * pixelBytes;
  const isPadded = p.inPixel >= ((p.channels + 3) & ~3) << 2;
  const plane = <usize>(p.height * p.width) << 2;
  const before = min(max(p.left, 0), p.paddedWidth);
  const after = max(before, min(p.width + p.left, p.paddedWidth));
  for (let unit = begin; unit < end; unit++) {
    const image = unit / p.paddedHeight;
    const row = unit % p.paddedHeight;
    const y = row - p.top;
    for (let group = 0; group < p.groups; group++) {
      const to = p.copy + <usize>(group * p.count + image) * p.imageBytes + row * rowBytes;
      if (<u32>y >= <u32>p.height) {
        fillWords(to, i32x4.splat(0), <i32>(rowBytes >> 2));
        continue;
      }
      fillWords(to, i32x4.splat(0), <i32>(before * pixelBytes >> 2));
      const first = (<usize>(p.first + image) * p.groups + group) * p.channels * plane;
      const from = p.x + first + (<usize>(y * p.width + before - p.left) << 2);
      for (let c = 0; c < p.channels; c += 4) {
        const at = to + before * pixelBytes + (<usize>c << 2);
        transposeQuad(from + c * plane, plane, min(4, p.channels - c), after - before, at, pixelBytes, isPadded);
      }
      fillWords(to + after * pixelBytes, i32x4.splat(0), <i32>((p.paddedWidth - after) * pixelBytes >> 2));
    }
  }
}

/** Rows of output gradients, channels last; a unit is one row of one image of the block. */
export function copyGradients(begin: i32, end: i32, scratch: usize, correlation: usize): void {
  const p = changetype<Correlation>(correlation);
  const plane = <usize>(p.outHeight * p.outWidth) << 2;
  for (let unit = begin; unit < end; unit++) {
    const image = unit / p.outHeight;
    const y = unit % p.outHeight;
    for (let group = 0; group < p.groups; group++) {
      const pixel = ((<usize>group * p.count + image) * p.outHeight + y) * p.outWidth;
      const to = p.gradient + pixel * p.outPixel;
      const first = (<usize>(p.first + image) * p.groups + group) * p.rows * plane;
      const from = p.g + first + (<usize>(y * p.outWidth) << 2);
      for (let c = 0; c < p.rows; c += 4) {
        const at = to + (<usize>c << 2);
        transposeQuad(from + c * plane, plane, min(4, p.rows - c), p.outWidth, at, p.outPixel, true);
      }
    }
  }
}

/** Where every window of the block begins in the copy of a group; a unit is an image. */
export function windowTable(begin: i32, end: i32, scratch: usize, correlation: usize): void {
  const p = changetype<Correlation>(correlation);
  const pixelBytes = <usize>p.inPixel;
  for (let image = begin; image < end; image++) {
    let to = p.table + (<usize>(image * p.outHeight * p.outWidth) << 2);
    for (let y = 0; y < p.outHeight; y++) {
      let at = <usize>image * p.imageBytes + <usize>(y * p.strideHeight * p.paddedWidth) * pixelBytes;
      for (let x = 0; x < p.outWidth; x++) {
        store<usize>(to, at);
        at += p.strideWidth * pixelBytes;
        to += 4;
      }
    }
  }
}

/** Products of the block, added to the sums unless it is the first; units are group × run × values × panels. */
export function weightSums(begin: i32, end: i32, scratch: usize, correlation: usize): void {
  const p = changetype<Correlation>(correlation);
  const panels = (p.rows + ROWS - 1) / ROWS;
  const strips = (panels + p.panels - 1) / p.panels;
  const step = tileColumns(p);
  const width = sumWidth(p);
  const columns = (width + COLUMNS * step - 1) / (COLUMNS * step);
  const sumRow = <usize>width << 2;
  const pixels = p.count * p.outHeight * p.outWidth;
  for (let unit = begin; unit < end; unit++) {
    const strip = unit % strips;
    const column = (unit / strips) % columns;
    const run = (unit / strips / columns) % p.runs;
    const group = unit / strips / columns / p.runs;
    const left = column * COLUMNS * step;
    const right = min(left + COLUMNS * step, width);
    const top = strip * p.panels * ROWS;
    const bottom = min(top + p.panels * ROWS, panels * ROWS);
    const x = p.copy + <usize>(group * p.count) * p.imageBytes + load<i32>(p.runOffsets + (<usize>run << 2));
    const sums = p.sums + <usize>((group * p.runs + run) * panels * ROWS) * sumRow;
    for (let pixel = 0; pixel < pixels; pixel += PIXELS) {
      const count = min(PIXELS, pixels - pixel);
      const table = p.table + (<usize>pixel << 2);
      const g = p.gradient + (<usize>group * pixels + pixel) * p.outPixel;
      const add = <i32>(p.first > 0 || pixel > 0);
      for (let row = top; row < bottom; row += ROWS) {
        const to = sums + row * sumRow;
        const panel = g + (<usize>row << 2);
        for (let i = <usize>left << 2; i < <usize>right << 2; i += step << 2) {
          if (step == 12) microTable3(count, panel, p.outPixel, x + i, table, to + i, sumRow, add);
          else microTable(count, panel, p.outPixel, x + i, table, to + i, sumRow, add);
        }
      }
    }
  }
}

/** Weight gradients `[row][channel][kernel row][kernel column]` from the sums; a unit is a row of all groups' rows. */
export function storeWeights(begin: i32, end: i32, scratch: usize, correlation: usize, out: usize): void {
  const p = changetype<Correlation>(correlation);
  const panels = (p.rows + ROWS - 1) / ROWS;
  const width = sumWidth(p);
  const perRun = p.run / p.channels;
  const taps = perRun * p.runs;
  for (let unit = begin; unit < end; unit++) {
    const group = unit / p.rows;
    const row = unit % p.rows;
    const to = out + (<usize>(unit * p.channels * taps) << 2);
    if (taps == 1) {
      copyFloats(p.sums + (<usize>((group * panels * ROWS + row) * width) << 2), to, p.channels);
      continue;
    }
    for (let run = 0; run < p.runs; run++) {
      let from = p.sums + (<usize>(((group * p.runs + run) * panels * ROWS + row) * width) << 2);
      for (let s = 0; s < perRun; s++) {
        let at = to + (<usize>(run * perRun + s) << 2);
        for (let c = 0; c < p.channels; c++) {
          store<u32>(at, load<u32>(from));
          from += 4;
          at += <usize>taps << 2;
        }
      }
    }
  }
}
