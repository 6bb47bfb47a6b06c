/**
 * Convolution without multiplication: a weight ±v is v additions or subtractions of shifted inputs, in int8 lanes. The
 * host deals the units into groups whose sums cannot leave int8, whatever the inputs; each group is widened once.
 *
 * A channel's table: the number of groups; for each the ends of its additions and of its subtractions, as bytes from
 * where offsets begin; the offsets of inputs, words all.
 */
import { finish16, resultBytes } from './finish';

/** `span` bytes of each plane, one after the other: what a block reads lies together, in few lines and pages. */
export function gather(x: usize, plane: usize, planes: i32, span: usize, to: usize): void {
  for (; planes > 0; planes--) {
    for (let at: usize = 0; at < span; at += 16) v128.store(to + at, v128.load(x + at));
    x += plane;
    to += span;
  }
}

@inline
function widenFirst(a: v128, to: usize): void {
  v128.store(to, i16x8.extend_low_i8x16_s(a));
  v128.store(to, i16x8.extend_high_i8x16_s(a), 16);
}

@inline
function widenInto(a: v128, to: usize): void {
  v128.store(to, i16x8.add(v128.load(to), i16x8.extend_low_i8x16_s(a)));
  v128.store(to, i16x8.add(v128.load(to, 16), i16x8.extend_high_i8x16_s(a)), 16);
}

// each $V of 2 4 8
/** A channel's sums of $V · 16 pixels, in int16. @returns the end of its table */
export function sumUnits$V(from: usize, table: usize, to: usize): usize {
  let groups = load<i32>(table);
  table += 4;
  for (let first = true; groups > 0; groups--) {
    const plus = table + 8 + load<usize>(table);
    const minus = table + 8 + load<usize>(table, 4);
    let a$i = i8x16.splat(0);
    for (table += 8; table < plus; table += 4) {
      const x = from + load<usize>(table);
      a$i = i8x16.add(a$i, v128.load(x, $i16));
    }
    for (; table < minus; table += 4) {
      const x = from + load<usize>(table);
      a$i = i8x16.sub(a$i, v128.load(x, $i16));
    }
    if (first) {
      widenFirst(a$i, to + $i16 * 2);
    } else {
      widenInto(a$i, to + $i16 * 2);
    }
    first = false;
  }
  return table;
}

/** All channels of blocks of $V · 16 pixels; a unit is a block, for which `span` bytes of each plane are gathered. */
export function additions$V(
  begin: i32, end: i32, scratch: usize,
  x: usize, from: usize, planes: i32, span: usize, tables: usize, outputs: i32,
  kind: i32, records: usize, step: usize, mask: usize, out: usize, plane: usize,
): void {
  for (let block = <usize>begin; block < <usize>end; block++) {
    const at = block * ($V * 16);
    let table = tables;
    let record = records;
    let to = out + resultBytes(kind, at);
    const gathered = scratch + $V * 32;
    gather(x + at, from, planes, span, gathered);
    for (let o = 0; o < outputs; o++) {
      table = sumUnits$V(gathered, table, scratch);
      finish16(kind, scratch, $V * 16, record, mask + at, to);
      record += step;
      to += plane;
    }
  }
}
// end
