/** Gradient of a convolution to its weights: dot products along pixels, six output channels by two taps at a time. */
import { microDot } from './micro';
import { fillWords, sumLanes } from './simd';
import { padChannels, Plan, SLACK } from './window';

/** Four-pixel groups multiplied before moving on, so that both operands stay in the first-level cache. */
const BAND: i32 = 256;

/**
 * Regroups output gradients into panels `[image][group][⌈rows/6⌉][quad][6][4]`, one panel a unit; zero where a row of
 * pixels or the list of channels ends.
 */
export function packGradient(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  const panels = (p.rows + 5) / 6;
  for (let unit = begin; unit < end; unit++) {
    const panel = unit % panels;
    const group = (unit / panels) % p.groups;
    const image = unit / panels / p.groups;
    const rows = min(6, p.rows - panel * 6);
    const from = p.out + <usize>image * p.outImage + group * p.outGroup + panel * 6 * p.outChannel;
    let to = p.packed + <usize>unit * p.quads * 96;
    if (rows < 6) fillWords(to, i32x4.splat(0), p.quads * 24);
    for (let i = 0; i < rows; i++) {
      packChannel(p, from + i * p.outChannel, to);
      to += 16;
    }
  }
}

/** One channel, a quad every 96 bytes; when gathering, rows of pixels follow each other without gaps. */
function packChannel(p: Plan, from: usize, to: usize): void {
  let lane: usize = 0;
  for (let y = 0; y < p.outHeight; y++) {
    let at = from + y * p.outRow;
    let left = p.outWidth;
    if (p.outColumn == 4 && lane == 0) {
      for (; left >= 4; left -= 4) {
        v128.store(to, v128.load(at));
        at += 16;
        to += 96;
      }
    }
    for (; left > 0; left--) {
      store<u32>(to + lane, load<u32>(at));
      at += p.outColumn;
      lane += 4;
      if (lane == 16) {
        lane = 0;
        to += 96;
      }
    }
    if (!p.gathered && lane != 0) {
      for (; lane < 16; lane += 4) store<u32>(to + lane, 0);
      lane = 0;
      to += 96;
    }
  }
  if (lane != 0) for (; lane < 16; lane += 4) store<u32>(to + lane, 0);
}

/** Byte offset in a padded plane of each quad of pixels. One unit. */
export function quadOffsets(begin: i32, end: i32, scratch: usize, plan: usize): void {
  const p = changetype<Plan>(plan);
  let to = p.table;
  if (p.gathered) {
    for (let q = 0; q < p.quads; q++) {
      store<i32>(to, q << 4);
      to += 4;
    }
    return;
  }
  const rowBytes = (p.rowStep * p.step * p.phaseWidth) << 2;
  for (let y = 0; y < p.outHeight; y++) {
    for (let x = 0; x < p.outWidth; x += 4) {
      store<i32>(to, y * rowBytes + (x << 2));
      to += 4;
    }
  }
}

/**
 * Units are pairs of (channel, tap) of a group, `⌈depth/2⌉` each. Writes `weights [group][row][depth]`. Scratch: sums of
 * 192 bytes for each unit and panel, padded copies of the channels in use, and when gathering 16·quads bytes a tap.
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
  const panels = (p.rows + 5) / 6;
  const lastTap = min(2 * (first + count), depth) - 1;
  const channel = (2 * first) / p.taps;
  const channels = lastTap / p.taps - channel + 1;
  const sums = scratch;
  const sumBytes = <usize>panels * count * 192;
  const padded = sums + sumBytes;
  fillWords(sums, i32x4.splat(0), <i32>(sumBytes >> 2));
  const rows = (p.outHeight - 1) * p.rowStep + p.span;
  const columns = padded + channels * p.planeBytes + SLACK;
  for (let image = 0; image < p.images; image++) {
    const source = p.source + <usize>image * p.sourceImage + group * p.sourceGroup + channel * p.sourceChannel;
    padChannels(p, source, channels, 0, rows, padded);
    if (p.gathered) gatherWindows(p, padded, 2 * first, lastTap, channel, columns);
    const gradient = p.packed + (<usize>image * p.groups + group) * panels * p.quads * 96;
    for (let q = 0; q < p.quads; q += BAND) {
      const quads = min(BAND, p.quads - q);
      for (let panel = 0; panel < panels; panel++) {
        const g = gradient + (<usize>panel * p.quads + q) * 96;
        let to = sums + <usize>panel * count * 192;
        for (let tap = 2 * first; tap <= lastTap; tap += 2) {
          const other = min(tap + 1, lastTap);
          if (p.gathered) {
            const x0 = columns + ((<usize>(tap - 2 * first) * p.quads) << 4);
            const x1 = columns + ((<usize>(other - 2 * first) * p.quads) << 4);
            microDot(quads, g, p.table + ((<usize>q) << 2), x0, x1, to);
          } else {
            const x0 = padded + load<usize>(p.offsets + ((<usize>tap) << 2)) - channel * p.planeBytes;
            const x1 = padded + load<usize>(p.offsets + ((<usize>other) << 2)) - channel * p.planeBytes;
            microDot(quads, g, p.table + ((<usize>q) << 2), x0, x1, to);
          }
          to += 192;
        }
      }
    }
  }
  for (let panel = 0; panel < panels; panel++) {
    for (let tap = 2 * first; tap <= lastTap; tap++) {
      let from = sums + <usize>panel * count * 192 + <usize>((tap >> 1) - first) * 192 + ((<usize>(tap & 1)) << 4);
      for (let i = panel * 6; i < min(panel * 6 + 6, p.rows); i++) {
        store<f32>(p.weights + ((<usize>(group * p.rows + i) * depth + tap) << 2), <f32>sumLanes(v128.load(from)));
        from += 32;
      }
    }
  }
}

/** Windows of taps `first … last` as rows of adjacent pixels, zero after the last pixel. */
function gatherWindows(p: Plan, padded: usize, first: i32, last: i32, channel: i32, to: usize): void {
  const rowBytes = (<usize>(p.rowStep * p.step * p.phaseWidth)) << 2;
  for (let tap = first; tap <= last; tap++) {
    let from = padded + load<usize>(p.offsets + ((<usize>tap) << 2)) - channel * p.planeBytes;
    const end = to + ((<usize>p.quads) << 4);
    v128.store(end - 16, i32x4.splat(0));
    let at = to;
    for (let y = 0; y < p.outHeight; y++) {
      for (let x: usize = 0; x < (<usize>p.outWidth) << 2; x += 4) {
        store<u32>(at, load<u32>(from + x));
        at += 4;
      }
      from += rowBytes;
    }
    to = end;
  }
}
