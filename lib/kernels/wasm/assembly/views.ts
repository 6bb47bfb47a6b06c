/**
 * Reading and writing views of any strides, a chunk of consecutive (row-major) elements at a time.
 *
 * An operand is described by words: address, rank, then `rank` extents and `rank` byte strides, with mergeable axes
 * already merged by the host. Rank 0 is a scalar; rank 1 with stride 4 is contiguous.
 */
import { copyFloats, fillWords } from './simd';

/** Elements handled per chunk; three buffers of this size fit the first-level cache. */
export const CHUNK: i32 = 2048;

/** Bytes by which the pointer `locate` returned advances per vector: 16, or 0 for a repeated value. */
export let step: usize = 16;

/** A pointer to elements `start … start + count` of the operand, gathered into `buffer` only if they lie scattered. */
export function locate(operand: usize, start: i32, count: i32, buffer: usize): usize {
  const base = load<usize>(operand);
  const rank = load<i32>(operand, 4);
  step = 16;
  if (rank == 0) {
    v128.store(buffer, v128.load32_splat(base));
    step = 0;
    return buffer;
  }
  const extents = operand + 8;
  const strides = extents + ((<usize>rank) << 2);
  const last = (<usize>(rank - 1)) << 2;
  const inner = load<i32>(extents + last);
  const stride = load<i32>(strides + last);
  if (rank == 1 && stride == 4) return base + ((<usize>start) << 2);
  const column = start % inner;
  if (column + count <= inner && (stride == 4 || stride == 0)) {
    const at = rowAddress(operand, rank, start / inner) + column * stride;
    if (stride == 4) return at;
    v128.store(buffer, v128.load32_splat(at));
    step = 0;
    return buffer;
  }
  gather(operand, start, count, buffer);
  return buffer;
}

/** Address of row `row` of the innermost axis. */
function rowAddress(operand: usize, rank: i32, row: i32): usize {
  const extents = operand + 8;
  const strides = extents + ((<usize>rank) << 2);
  let address = load<usize>(operand);
  for (let axis = rank - 2; axis >= 0; axis--) {
    const at = (<usize>axis) << 2;
    const extent = load<i32>(extents + at);
    address += (row % extent) * load<i32>(strides + at);
    row /= extent;
  }
  return address;
}

/** Copies elements `start … start + count` of the operand to `to`, contiguously. */
export function gather(operand: usize, start: i32, count: i32, to: usize): void {
  const rank = load<i32>(operand, 4);
  if (rank == 0) {
    fillWords(to, v128.load32_splat(load<usize>(operand)), count);
    return;
  }
  const extents = operand + 8;
  const strides = extents + ((<usize>rank) << 2);
  const last = (<usize>(rank - 1)) << 2;
  const inner = load<i32>(extents + last);
  const stride = load<i32>(strides + last);
  const rows = rank > 1 ? load<i32>(extents + last - 4) : 1;
  const rowStride = rank > 1 ? load<i32>(strides + last - 4) : 0;
  let row = start / inner;
  let column = start % inner;
  while (count > 0) {
    let address = rowAddress(operand, rank, row);
    const stop = row - (row % rows) + rows;
    while (row < stop && count > 0) {
      const run = min(inner - column, count);
      let from = address + column * stride;
      if (stride == 4) {
        copyFloats(from, to, run);
        to += (<usize>run) << 2;
      } else if (stride == 0) {
        fillWords(to, v128.load32_splat(from), run);
        to += (<usize>run) << 2;
      } else {
        const end = to + ((<usize>run) << 2);
        while (to < end) {
          store<u32>(to, load<u32>(from));
          from += stride;
          to += 4;
        }
      }
      count -= run;
      column = 0;
      address += rowStride;
      row++;
    }
  }
}

/** The converse of `gather`. */
export function scatter(operand: usize, start: i32, count: i32, from: usize): void {
  const rank = load<i32>(operand, 4);
  if (rank == 0) {
    store<u32>(load<usize>(operand), load<u32>(from));
    return;
  }
  const extents = operand + 8;
  const strides = extents + ((<usize>rank) << 2);
  const last = (<usize>(rank - 1)) << 2;
  const inner = load<i32>(extents + last);
  const stride = load<i32>(strides + last);
  let row = start / inner;
  let column = start % inner;
  while (count > 0) {
    const run = min(inner - column, count);
    let to = rowAddress(operand, rank, row) + column * stride;
    for (const end = from + ((<usize>run) << 2); from < end; from += 4) {
      store<u32>(to, load<u32>(from));
      to += stride;
    }
    count -= run;
    column = 0;
    row++;
  }
}

/** Elements `begin … end` of `x`, copied to the contiguous `out`. */
export function copy(begin: i32, end: i32, scratch: usize, x: usize, out: usize): void {
  gather(x, begin, end - begin, out + ((<usize>begin) << 2));
}

/** Elements `begin … end` of `x`, copied into the view `into` of equal shape. */
export function copyInto(begin: i32, end: i32, scratch: usize, x: usize, into: usize): void {
  for (let start = begin; start < end; start += CHUNK) {
    const count = min(CHUNK, end - start);
    gather(x, start, count, scratch);
    scatter(into, start, count, scratch);
  }
}

/** Writes the word `value` to elements `begin … end` of `out`. */
export function fill(begin: i32, end: i32, scratch: usize, value: i32, out: usize): void {
  fillWords(out + ((<usize>begin) << 2), i32x4.splat(value), end - begin);
}
