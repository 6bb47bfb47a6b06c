/** What all convolution passes share: the plan the host writes, and padded copies of images split by column phase. */
import { PANEL_BYTES, ROWS } from './blocking';
import { packPanel } from './panels';
import { fillWords, storeLanes } from './simd';

/**
 * One sliding-window product: which image is read, how its padded copy is laid out, and where outputs go. Strides in
 * bytes. A padded row holds `step` phases of `phaseWidth` floats; phase p holds columns p, p + step, …, so that a
 * window moving by `step` columns reads adjacent floats.
 */
@unmanaged
export class Plan {
  source: usize = 0;
  sourceImage: i32 = 0;
  sourceGroup: i32 = 0;
  sourceChannel: i32 = 0;
  sourceRow: i32 = 0;
  sourceColumn: i32 = 0;
  /** Input channels of a group; extents of the image. */
  channels: i32 = 0;
  height: i32 = 0;
  width: i32 = 0;
  /** Zeros before the image (negative crops it); column phases; rows the window moves by. */
  top: i32 = 0;
  left: i32 = 0;
  step: i32 = 0;
  rowStep: i32 = 0;
  /** Rows one output row looks at; layout of the padded copy. */
  span: i32 = 0;
  phaseWidth: i32 = 0;
  planeBytes: i32 = 0;
  /** Distance of channels in the padded copy; the planes of `block` images lie between. */
  channelBytes: i32 = 0;
  /** Window positions; their byte offsets in a padded plane; the same for every (channel, tap). */
  taps: i32 = 0;
  tapOffsets: usize = 0;
  offsets: usize = 0;
  /**
   * Where operands are pairs of integers: the scale of each output channel, in whole panels; 0 where they are floats.
   */
  scales: usize = 0;
  /** Packed weights, their bytes per group, and output channels of a group. */
  weights: usize = 0;
  weightGroup: i32 = 0;
  rows: i32 = 0;
  /** The other tensor: outputs written, or output gradients read. */
  out: usize = 0;
  outImage: i32 = 0;
  outGroup: i32 = 0;
  outChannel: i32 = 0;
  outRow: i32 = 0;
  outColumn: i32 = 0;
  outHeight: i32 = 0;
  outWidth: i32 = 0;
  images: i32 = 0;
  groups: i32 = 0;
  /** Row bands an image is split into, or images taken together by one unit. */
  bands: i32 = 0;
  block: i32 = 0;
  /** 0 reads windows in place, 1 gathers them (narrow images). Depthwise: 1 for a 3 × 3 window of adjacent taps. */
  gathered: i32 = 0;
}

function ceilDivide(a: i32, b: i32): i32 {
  return a > 0 ? (a + b - 1) / b : 0;
}

/**
 * Rows `firstRow … firstRow + rows` of the padded copy of `channels` channels whose first is at `image`. Planes end
 * with zeros, so that vectors may reach past the last pixel. Unless it is `fresh`, an earlier copy has left the zeros.
 */
export function padChannels(
  p: Plan,
  image: usize,
  channels: i32,
  firstRow: i32,
  rows: i32,
  to: usize,
  fresh: bool,
): void {
  const rowBytes = <usize>(p.step * p.phaseWidth) << 2;
  const first = min(max(0, p.top - firstRow), rows);
  const last = max(first, min(rows, p.height + p.top - firstRow));
  const isDense = p.step == 1 && p.sourceColumn == 4;
  for (let c = 0; c < channels; c++) {
    const plane = to + c * p.channelBytes;
    const from = image + c * p.sourceChannel;
    if (isDense) {
      if (fresh) {
        fillWords(plane, i32x4.splat(0), first * p.phaseWidth);
        const end = <i32>(last * rowBytes);
        fillWords(plane + end, i32x4.splat(0), (p.planeBytes - end) >> 2);
      }
      copyRows(p, from + (firstRow + first - p.top) * p.sourceRow, plane + first * rowBytes, last - first, fresh);
      continue;
    }
    if (fresh) fillWords(plane, i32x4.splat(0), p.planeBytes >> 2);
    for (let y = first; y < last; y++) {
      const row = from + (firstRow + y - p.top) * p.sourceRow;
      for (let phase = 0; phase < p.step; phase++) {
        copyPhase(p, row, p.left - phase, plane + y * rowBytes + ((<usize>phase * p.phaseWidth) << 2));
      }
    }
  }
}

/** Rows of adjacent pixels into a copy of one phase, with the zeros beside them if it is `fresh`. */
function copyRows(p: Plan, row: usize, to: usize, rows: i32, fresh: bool): void {
  const rowBytes = <usize>p.phaseWidth << 2;
  const first = min(max(p.left, 0), p.phaseWidth);
  const count = max(first, min(p.width + p.left, p.phaseWidth)) - first;
  const after = p.phaseWidth - first - count;
  const whole = <usize>(count & ~3) << 2;
  const rest = count & 3;
  let from = row + ((first - p.left) << 2);
  to += <usize>first << 2;
  for (; rows > 0; rows--) {
    if (fresh) {
      for (let i: usize = 4; i <= <usize>first << 2; i += 4) store<u32>(to - i, 0);
      const end = to + (<usize>count << 2);
      for (let i: usize = 0; i < <usize>after << 2; i += 4) store<u32>(end + i, 0);
    }
    for (let i: usize = 0; i < whole; i += 16) v128.store(to + i, v128.load(from + i));
    if (rest) storeLanes(to + whole, v128.load(from + whole), rest);
    from += p.sourceRow;
    to += rowBytes;
  }
}

/** One phase of one row: element i is column `i·step − left` of the image. */
function copyPhase(p: Plan, row: usize, left: i32, to: usize): void {
  const first = min(ceilDivide(left, p.step), p.phaseWidth);
  const last = max(first, min(ceilDivide(p.width + left, p.step), p.phaseWidth));
  const by = p.step * p.sourceColumn;
  let from = row + (first * p.step - left) * p.sourceColumn;
  const end = to + (<usize>last << 2);
  for (let at = to + (<usize>first << 2); at < end; at += 4) {
    store<u32>(at, load<u32>(from));
    from += by;
  }
}

/** Byte offsets of every (channel, tap) in a padded copy. One unit. */
export function windowOffsets(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  let to = p.offsets;
  for (let c = 0; c < p.channels; c++) {
    for (let t: usize = 0; t < (<usize>p.taps) << 2; t += 4) {
      store<i32>(to, c * p.channelBytes + load<i32>(p.tapOffsets + t));
      to += 4;
    }
  }
}

/** Weights as panels `[group][⌈rows/ROWS⌉][channel][tap][ROWS]`, one a unit. `taps`: byte offsets in a filter. */
export function packWeights(
  begin: i32,
  end: i32,
  scratch: usize,
  w: usize,
  groupStride: i32,
  rowStride: i32,
  channelStride: i32,
  rows: i32,
  channels: i32,
  taps: i32,
  tapList: usize,
  out: usize,
): void {
  const panels = (rows + ROWS - 1) / ROWS;
  const depth = channels * taps;
  let isDense = channelStride == taps << 2;
  for (let t = 0; t < taps; t++) isDense = isDense && load<i32>(tapList + (<usize>t << 2)) == t << 2;
  for (let unit = begin; unit < end; unit++) {
    const first = (unit % panels) * ROWS;
    const height = min(ROWS, rows - first);
    const base = w + (unit / panels) * groupStride + first * rowStride;
    const to = out + <usize>unit * depth * PANEL_BYTES;
    if (isDense) {
      packPanel(base, rowStride, 4, height, depth, to, PANEL_BYTES);
      continue;
    }
    for (let t = 0; t < taps; t++) {
      const from = base + load<i32>(tapList + (<usize>t << 2));
      packPanel(from, rowStride, channelStride, height, channels, to + <usize>t * PANEL_BYTES, taps * PANEL_BYTES);
    }
  }
}
