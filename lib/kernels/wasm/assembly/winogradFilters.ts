/**
 * Winograd's filters, transformed, as panels. T is what is multiplied: f32, or i16 for pairs ("channels") of integers.
 */
import { PANEL_BYTES, ROWS } from './blocking';
import { fillWords, interleaveHigh, interleaveLow, joinHigh, joinLow } from './simd';
import { add, sub, times } from './tiles';
import { Picture, Tiling } from './tiling';

/** Panels `begin … end` of all transformed filters, into `Tiling.filters`. Scratch: FILTER_BYTES. */
export function winogradFilters(begin: i32, end: i32, scratch: usize, tiling: usize): void {
  const t = changetype<Tiling>(tiling);
  if (t.scales) transformPanels<i16>(begin, end, scratch, t);
  else transformPanels<f32>(begin, end, scratch, t);
}

function transformPanels<T>(begin: i32, end: i32, scratch: usize, t: Tiling): void {
  const rows = changetype<Picture>(t.output).channels;
  const channels = changetype<Picture>(t.input).channels;
  const step = <usize>((rows + ROWS - 1) / ROWS) * channels * PANEL_BYTES;
  for (let panel = begin; panel < end; panel++) {
    const to = t.filters + (<usize>panel * channels) * PANEL_BYTES;
    transformPanel<T>(t, panel * ROWS, rows, 0, channels, to, step, scratch);
  }
}

/**
 * Filters of ROWS outputs and channels `from … end` as `[frequency][channel][ROWS]`, frequencies `step` bytes apart.
 * Scratch: 36 floats of four channels as taps and at work, and as many results of ROWS outputs.
 */
export function transformPanel<T>(
  t: Tiling, first: i32, rows: i32, from: i32, end: i32, out: usize, step: usize, scratch: usize,
): void {
  const work = scratch + 144;
  const results = work + 288;
  const frequencies = (t.edge + 2) * (t.edge + 2);
  const atOnce = isFloat<T>() ? 4 : 2;
  for (let c = from; c < end; c += atOnce) {
    const lanes = min(atOnce, end - c);
    for (let i = 0; i < ROWS; i++) {
      const to = results + <usize>i * 576;
      if (first + i < rows) {
        if (isFloat<T>()) {
          const w = t.weights + (first + i) * t.weightRow + c * t.weightChannel;
          loadFilters(w, t.weightChannel, t.weightDown, t.weightAcross, lanes, scratch);
        } else {
          const pairs = changetype<Picture>(t.input).channels;
          loadPairs(t.weights + <usize>((first + i) * pairs + c) * 36, lanes, scratch);
        }
        transformFilters<T>(t.edge, scratch, work, to);
      } else fillWords(to, i32x4.splat(0), 144);
    }
    let to = out + <usize>(c - from) * PANEL_BYTES;
    for (let f = 0; f < frequencies; f++) {
      if (isFloat<T>()) storeFilters(results + (<usize>f << 4), lanes, to);
      else storePairs(results + (<usize>f << 4), lanes, to);
      to += step;
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

/** Nine taps of one or two pairs of channels, as floats, a channel in each lane. */
function loadPairs(w: usize, pairs: i32, to: usize): void {
  for (let tap = 0; tap < 9; tap++) {
    store<f32>(to, <f32>load<i16>(w));
    store<f32>(to, <f32>load<i16>(w, 2), 4);
    if (pairs > 1) {
      store<f32>(to, <f32>load<i16>(w, 36), 8);
      store<f32>(to, <f32>load<i16>(w, 38), 12);
    }
    w += 4;
    to += 16;
  }
}

/** One frequency of ROWS outputs and one or two pairs of channels, whole numbers, as pairs `[pair][ROWS]`. */
function storePairs(from: usize, pairs: i32, to: usize): void {
  for (let i: usize = 0; i < <usize>PANEL_BYTES; i += 4) {
    const whole = i32x4.trunc_sat_f32x4_s(v128.load(from));
    const both = i16x8.narrow_i32x4_s(whole, whole);
    v128.store32_lane(to + i, both, 0);
    if (pairs > 1) v128.store32_lane(to + i, both, 1, PANEL_BYTES);
    from += 576;
  }
}

/** One frequency of ROWS outputs and up to four channels, transposed to `[channel][ROWS]`. */
function storeFilters(from: usize, lanes: i32, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 576);
  const c = v128.load(from, 1152);
  const d = v128.load(from, 1728);
  const ab = interleaveLow(a, b);
  const cd = interleaveLow(c, d);
  const last = from + 2304;
  v128.store(to, joinLow(ab, cd));
  store<u32>(to, load<u32>(last), 16);
  if (lanes < 2) return;
  v128.store(to, joinHigh(ab, cd), 20);
  store<u32>(to, load<u32>(last, 4), 36);
  if (lanes < 3) return;
  const AB = interleaveHigh(a, b);
  const CD = interleaveHigh(c, d);
  v128.store(to, joinLow(AB, CD), 40);
  store<u32>(to, load<u32>(last, 8), 56);
  if (lanes < 4) return;
  v128.store(to, joinHigh(AB, CD), 60);
  store<u32>(to, load<u32>(last, 12), 76);
}

/** G of F(4×4): three vectors `by` bytes apart to six vectors `step` bytes apart. T = i16: 24·G, an integer matrix. */
@inline
function filterLine4<T>(from: usize, by: usize, to: usize, step: usize): void {
  const unit: f32 = isFloat<T>() ? 1 : 24;
  const w0 = v128.load(from);
  const w1 = v128.load(from + by);
  const w2 = v128.load(from + 2 * by);
  v128.store(to, times<f32>(unit / 4, w0));
  const ends = times<f32>(-unit / 6, add<f32>(w0, w2));
  const middle = times<f32>(unit / 6, w1);
  v128.store(to + step, sub<f32>(ends, middle));
  v128.store(to + 2 * step, add<f32>(ends, middle));
  const outer = add<f32>(times<f32>(unit / 24, w0), times<f32>(unit / 6, w2));
  const inner = times<f32>(unit / 12, w1);
  v128.store(to + 3 * step, add<f32>(outer, inner));
  v128.store(to + 4 * step, sub<f32>(outer, inner));
  v128.store(to + 5 * step, times<f32>(unit, w2));
}

@inline
function filterLine2(from: usize, by: usize, to: usize, step: usize): void {
  const w0 = v128.load(from);
  const w1 = v128.load(from + by);
  const w2 = v128.load(from + 2 * by);
  v128.store(to, w0);
  const ends = times<f32>(0.5, add<f32>(w0, w2));
  const middle = times<f32>(0.5, w1);
  v128.store(to + step, add<f32>(ends, middle));
  v128.store(to + 2 * step, sub<f32>(ends, middle));
  v128.store(to + 3 * step, w2);
}

/** G·w·Gᵀ of four filters in lanes, nine vectors at `from`; `edge` 4 or 2; `work`: 18 vectors. T = i16: times 24². */
function transformFilters<T>(edge: i32, from: usize, work: usize, to: usize): void {
  if (edge == 4) {
    for (let s: usize = 0; s < 48; s += 16) filterLine4<T>(from + s, 48, work + s, 48);
    for (let y: usize = 0; y < 6; y++) filterLine4<T>(work + y * 48, 16, to + y * 96, 16);
  } else {
    for (let s: usize = 0; s < 48; s += 16) filterLine2(from + s, 48, work + s, 48);
    for (let y: usize = 0; y < 4; y++) filterLine2(work + y * 48, 16, to + y * 64, 16);
  }
}
