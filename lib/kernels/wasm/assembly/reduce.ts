/** Sums and maxima over any axes. Each output is computed whole by one thread, so results do not depend on threads. */
import { PART } from './blocking';
import { fillWords, highDoubles, lowDoubles, storeLanes, sumDoubles } from './simd';

/** Sum of `count` adjacent floats, in float64. */
export function sumRun(x: usize, count: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  const whole = x + (<usize>(count & ~7) << 2);
  while (x < whole) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    s0 = f64x2.add(s0, lowDoubles(a));
    s1 = f64x2.add(s1, highDoubles(a));
    s2 = f64x2.add(s2, lowDoubles(b));
    s3 = f64x2.add(s3, highDoubles(b));
    x += 32;
  }
  let total = sumDoubles(f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3)));
  for (const end = x + (<usize>(count & 7) << 2); x < end; x += 4) total += load<f32>(x);
  return total;
}

function maxRun(x: usize, count: i32): f32 {
  let best = f32x4.splat(-Infinity);
  for (; count >= 4; count -= 4) {
    best = f32x4.max(best, v128.load(x));
    x += 16;
  }
  let m = max<f32>(
    max<f32>(f32x4.extract_lane(best, 0), f32x4.extract_lane(best, 1)),
    max<f32>(f32x4.extract_lane(best, 2), f32x4.extract_lane(best, 3)),
  );
  for (; count > 0; count--) {
    m = max<f32>(m, load<f32>(x));
    x += 4;
  }
  return m;
}

/** Extents and byte strides of a set of axes: rank, extents, strides. */
function offsetAt(axes: usize, skip: i32, index: i32): usize {
  const rank = load<i32>(axes);
  let offset: usize = 0;
  for (let axis = rank - 1 - skip; axis >= 0; axis--) {
    const at = axes + 4 + (<usize>axis << 2);
    const extent = load<i32>(at);
    offset += (index % extent) * load<i32>(at + (<usize>rank << 2));
    index /= extent;
  }
  return offset;
}

/**
 * Outputs `begin … end`; axes `kept` number the outputs, axes `gone` are summed (or maximised). `rows` is the number of
 * positions of all `gone` axes but the last, `run` and `by` extent and byte stride of that last one.
 */
export function reduceRows(
  begin: i32, end: i32, scratch: usize,
  op: i32, x: usize, kept: usize, gone: usize, rows: i32, run: i32, by: i32, out: usize,
): void {
  for (let i = begin; i < end; i++) {
    const base = x + offsetAt(kept, 0, i);
    const to = out + (<usize>i << 2);
    if (op == 0) {
      let total: f64 = 0;
      for (let row = 0; row < rows; row++) {
        let from = base + offsetAt(gone, 1, row);
        if (by == 4) total += sumRun(from, run);
        else {
          for (let j = 0; j < run; j++) {
            total += load<f32>(from);
            from += by;
          }
        }
      }
      store<f32>(to, <f32>total);
    } else {
      let best: f32 = -Infinity;
      for (let row = 0; row < rows; row++) {
        let from = base + offsetAt(gone, 1, row);
        if (by == 4) best = max<f32>(best, maxRun(from, run));
        else {
          for (let j = 0; j < run; j++) {
            best = max<f32>(best, load<f32>(from));
            from += by;
          }
        }
      }
      store<f32>(to, best);
    }
  }
}

/**
 * As `reduceRows` for outputs whose last kept axis (extent `width`) is adjacent in memory: eight columns at once.
 * Units are blocks of eight columns of a row of outputs. `count` is the number of positions of the `gone` axes.
 */
export function reduceColumns(
  begin: i32, end: i32, scratch: usize,
  op: i32, x: usize, kept: usize, gone: usize, count: i32, run: i32, by: i32, width: i32, out: usize,
): void {
  const blocks = (width + 7) / 8;
  for (let unit = begin; unit < end; unit++) {
    const row = unit / blocks;
    const column = (unit % blocks) * 8;
    const lanes = min(8, width - column);
    const base = x + offsetAt(kept, 1, row) + (<usize>column << 2);
    if (op == 0) sumColumns(base, gone, count, run, by, scratch);
    else maxColumns(base, gone, count, run, by, scratch);
    const to = out + ((<usize>row * width + column) << 2);
    for (let i = 0; i < lanes; i += 4) {
      const v = v128.load(scratch + (<usize>i << 2));
      if (lanes - i >= 4) v128.store(to + (<usize>i << 2), v);
      else storeLanes(to + (<usize>i << 2), v, lanes - i);
    }
  }
}

function sumColumns(base: usize, gone: usize, count: i32, run: i32, by: i32, to: usize): void {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  for (let row = 0; row < count; row++) {
    let from = base + offsetAt(gone, 1, row);
    for (let j = 0; j < run; j++) {
      const a = v128.load(from);
      const b = v128.load(from, 16);
      s0 = f64x2.add(s0, lowDoubles(a));
      s1 = f64x2.add(s1, highDoubles(a));
      s2 = f64x2.add(s2, lowDoubles(b));
      s3 = f64x2.add(s3, highDoubles(b));
      from += by;
    }
  }
  v128.store64_lane(to, f32x4.demote_f64x2_zero(s0), 0);
  v128.store64_lane(to, f32x4.demote_f64x2_zero(s1), 0, 8);
  v128.store64_lane(to, f32x4.demote_f64x2_zero(s2), 0, 16);
  v128.store64_lane(to, f32x4.demote_f64x2_zero(s3), 0, 24);
}

function maxColumns(base: usize, gone: usize, count: i32, run: i32, by: i32, to: usize): void {
  let a = f32x4.splat(-Infinity);
  let b = f32x4.splat(-Infinity);
  for (let row = 0; row < count; row++) {
    let from = base + offsetAt(gone, 1, row);
    for (let j = 0; j < run; j++) {
      a = f32x4.max(a, v128.load(from));
      b = f32x4.max(b, v128.load(from, 16));
      from += by;
    }
  }
  v128.store(to, a);
  v128.store(to, b, 16);
}

/** Parts `begin … end` of a sum of `count` adjacent floats, as float64. */
export function partialSums(begin: i32, end: i32, scratch: usize, x: usize, count: i32, parts: usize): void {
  for (let part = begin; part < end; part++) {
    const start = part * PART;
    store<f64>(parts + (<usize>part << 3), sumRun(x + (<usize>start << 2), min(PART, count - start)));
  }
}

/** Sum of `count` float64 parts, as one float. One unit. */
export function sumParts(begin: i32, end: i32, scratch: usize, parts: usize, count: i32, out: usize): void {
  let total: f64 = 0;
  for (let i: usize = 0; i < <usize>count; i++) total += load<f64>(parts + (i << 3));
  store<f32>(out, <f32>total);
}

/** Outputs of a reduction over no elements. */
export function reduceEmpty(begin: i32, end: i32, scratch: usize, op: i32, out: usize): void {
  fillWords(out + (<usize>begin << 2), f32x4.splat(op == 0 ? 0 : -Infinity), end - begin);
}
