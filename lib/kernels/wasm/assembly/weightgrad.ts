/** Gradient of a convolution to its weights: dot products along pixels, five output channels by two taps at a time. */
import { QUAD_BYTES, ROWS, TILE_BYTES } from './blocking';
import { addTile, microDot } from './micro';
import { fillWords, sumLanes } from './simd';
import { padChannels, Plan } from './window';

/** Four-pixel groups multiplied before moving on, so that both operands stay in the first-level cache. */
const BAND: i32 = 256;

/**
 * Regroups output gradients into panels `[block of images][group][⌈rows/ROWS⌉][image][quad][ROWS][4]`, one image of a panel a
 * unit; zero where a row of pixels or the list of channels ends.
 */
export function packGradient(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const panels = (p.rows + ROWS - 1) / ROWS;
  for (let unit = begin; unit < end; unit++) {
    const panel = unit % panels;
    const group = (unit / panels) % p.groups;
    const image = unit / panels / p.groups;
    const rows = min(ROWS, p.rows - panel * ROWS);
    const from = p.out + <usize>image * p.outImage + group * p.outGroup + panel * ROWS * p.outChannel;
    const blockPanel = (<usize>(image / p.block) * p.groups + group) * panels + panel;
    let to = p.packed + (blockPanel * p.block + (image % p.block)) * p.quads * QUAD_BYTES;
    if (rows < ROWS) fillWords(to, i32x4.splat(0), p.quads * (QUAD_BYTES >> 2));
    for (let i = 0; i < rows; i++) {
      packChannel(p, from + i * p.outChannel, to);
      to += 16;
    }
  }
}

/** One channel, a quad every QUAD_BYTES; when gathering, rows of pixels follow each other without gaps. */
function packChannel(p: Plan, from: usize, to: usize): void {
  let lane: usize = 0;
  for (let y = 0; y < p.outHeight; y++) {
    let at = from + y * p.outRow;
    let left = p.outWidth;
    if (p.outColumn == 4 && lane == 0) {
      for (; left >= 4; left -= 4) {
        v128.store(to, v128.load(at));
        at += 16;
        to += QUAD_BYTES;
      }
    }
    for (; left > 0; left--) {
      store<u32>(to + lane, load<u32>(at));
      at += p.outColumn;
      lane += 4;
      if (lane == 16) {
        lane = 0;
        to += QUAD_BYTES;
      }
    }
    if (!p.gathered && lane != 0) {
      for (; lane < 16; lane += 4) store<u32>(to + lane, 0);
      lane = 0;
      to += QUAD_BYTES;
    }
  }
  if (lane != 0) for (; lane < 16; lane += 4) store<u32>(to + lane, 0);
}

/** Byte offset from a tap's place in the first image of a block to each quad of all its images. One unit. */
export function quadOffsets(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const rowBytes = (p.rowStep * p.step * p.phaseWidth) << 2;
  let to = p.table;
  for (let n = 0; n < p.block; n++) {
    if (p.gathered) {
      for (let q = 0; q < p.quads; q++) {
        store<i32>(to, (n * p.quads + q) << 4);
        to += 4;
      }
      continue;
    }
    for (let y = 0; y < p.outHeight; y++) {
      for (let x = 0; x < p.outWidth; x += 4) {
        store<i32>(to, n * p.planeBytes + y * rowBytes + (x << 2));
        to += 4;
      }
    }
  }
}

/**
 * Units are pairs of (channel, tap) of a group, `⌈depth/2⌉` each. Writes `weights [group][row][depth]`. Scratch: a
 * tile, one for each unit and panel, padded copies of the channels in use, and when gathering 16·block·quads bytes a tap.
 */
export function weightGradient(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const pairs = (p.channels * p.taps + 1) / 2;
  while (begin < end) {
    const group = begin / pairs;
    const first = begin % pairs;
    const count = min(end - begin, pairs - first);
    groupGradient(p, group, first, count, scratch);
    begin += count;
  }
}

function groupGradient(p: Plan, group: i32, first: i32, count: i32, scratch: usize): void {
  const depth = p.channels * p.taps;
  const panels = (p.rows + ROWS - 1) / ROWS;
  const firstTap = 2 * first;
  const lastTap = min(2 * (first + count), depth) - 1;
  const channel = firstTap / p.taps;
  const channels = lastTap / p.taps - channel + 1;
  const sumBytes = <usize>panels * count * TILE_BYTES;
  const padded = scratch + TILE_BYTES + sumBytes;
  const columns = padded + channels * p.channelBytes;
  fillWords(scratch + TILE_BYTES, i32x4.splat(0), <i32>(sumBytes >> 2));
  for (let image = 0; image < p.images; image += p.block) {
    const images = min(p.block, p.images - image);
    for (let n = 0; n < images; n++) {
      const source = p.source + <usize>(image + n) * p.sourceImage + group * p.sourceGroup + channel * p.sourceChannel;
      const rows = (p.outHeight - 1) * p.rowStep + p.span;
      padChannels(p, source, channels, 0, rows, padded + n * p.planeBytes, image == 0);
      if (p.gathered) gatherWindows(p, padded + n * p.planeBytes, firstTap, lastTap, channel, columns, n);
    }
    const gradient = p.packed + (<usize>(image / p.block) * p.groups + group) * panels * p.block * p.quads * QUAD_BYTES;
    if (p.gathered) {
      multiplyBlock(p, gradient, images, columns, 0, (<usize>p.block * p.quads) << 4, firstTap, lastTap, scratch);
    } else {
      multiplyBlock(p, gradient, images, padded - channel * p.channelBytes, p.offsets, 0, firstTap, lastTap, scratch);
    }
  }
  storeSums(p, group, firstTap, lastTap, scratch + TILE_BYTES);
}

/**
 * Adds a block of images to the sums of all panels and taps. Tap t starts at `base + offsets[t]`, or without a list of
 * offsets at `base + (t − firstTap)·stride`. The sums follow the tile.
 */
function multiplyBlock(
  p: Plan,
  gradient: usize,
  images: i32,
  base: usize,
  offsets: usize,
  stride: usize,
  firstTap: i32,
  lastTap: i32,
  tile: usize,
): void {
  const sums = tile + TILE_BYTES;
  const panels = (p.rows + ROWS - 1) / ROWS;
  const total = images * p.quads;
  for (let q = 0; q < total; q += BAND) {
    const quads = min(BAND, total - q);
    const table = p.table + (<usize>q << 2);
    let to = sums;
    for (let panel = 0; panel < panels; panel++) {
      const g = gradient + (<usize>panel * p.block * p.quads + q) * QUAD_BYTES;
      for (let tap = firstTap; tap <= lastTap; tap += 2) {
        const other = min(tap + 1, lastTap);
        const x0 = base + (offsets ? load<usize>(offsets + (<usize>tap << 2)) : <usize>(tap - firstTap) * stride);
        const x1 = base + (offsets ? load<usize>(offsets + (<usize>other << 2)) : <usize>(other - firstTap) * stride);
        microDot(quads, g, table, x0, x1, tile);
        addTile(tile, to);
        to += TILE_BYTES;
      }
    }
  }
}

/** Adds up lanes and writes the gradients. */
function storeSums(p: Plan, group: i32, firstTap: i32, lastTap: i32, sums: usize): void {
  const depth = p.channels * p.taps;
  let pair = sums;
  for (let row = 0; row < p.rows; row += ROWS) {
    for (let tap = firstTap; tap <= lastTap; tap++) {
      let from = pair + (<usize>(tap & 1) << 4);
      for (let i = row; i < min(row + ROWS, p.rows); i++) {
        store<f32>(p.weights + ((<usize>(group * p.rows + i) * depth + tap) << 2), <f32>sumLanes(v128.load(from)));
        from += 32;
      }
      if (tap & 1 || tap == lastTap) pair += TILE_BYTES;
    }
  }
}

/** Windows of taps `first … last` of image n of the block as rows of adjacent pixels, zero after the last pixel. */
function gatherWindows(p: Plan, padded: usize, first: i32, last: i32, channel: i32, columns: usize, n: i32): void {
  const rowBytes = <usize>(p.rowStep * p.step * p.phaseWidth) << 2;
  for (let tap = first; tap <= last; tap++) {
    let from = padded + load<usize>(p.offsets + (<usize>tap << 2)) - channel * p.channelBytes;
    let to = columns + ((<usize>((tap - first) * p.block + n) * p.quads) << 4);
    v128.store(to + ((<usize>p.quads - 1) << 4), i32x4.splat(0));
    for (let y = 0; y < p.outHeight; y++) {
      for (let x: usize = 0; x < <usize>p.outWidth << 2; x += 4) {
        store<u32>(to, load<u32>(from + x));
        to += 4;
      }
      from += rowBytes;
    }
  }
}
