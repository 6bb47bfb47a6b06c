/**
 * Weight gradients of depthwise 3 × 3 convolutions, by blocks of channels. Scratch: a row, 32 bytes, a block's sums.
 */
import { CHANNELS, NINE_BYTES } from './blocking';
import { Planes, storeSums, zeroRow } from './planes';
import { halvingGradient } from './planesHalving';
import { narrowGradient } from './planesNarrow';
import { madd } from './simd';

const NARROW: i32 = 0;
const HALVING: i32 = 1;
const ROWS: i32 = 2;

@inline
function sumBlocks(kind: i32, begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  const zeros = zeroRow(p, scratch);
  const sums = scratch + (<usize>p.width << 2) + 32;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * CHANNELS;
    const count = min(CHANNELS, p.channels - first);
    memory.fill(sums, 0, count * NINE_BYTES);
    for (let image = 0; image < p.images; image++) {
      for (let i = 0; i < count; i++) {
        const plane = image * p.channels + first + i;
        if (kind == NARROW) narrowGradient(p, plane, sums + i * NINE_BYTES);
        else if (kind == HALVING) halvingGradient(p, plane, zeros, sums + i * NINE_BYTES);
        else rowsGradient(p, plane, zeros, sums + i * NINE_BYTES);
      }
    }
    storeSums(sums, count, p.out + ((<usize>first * 9) << 2));
  }
}

/** Stride 1 on narrow planes. */
export function depthwiseNarrowGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  sumBlocks(NARROW, begin, end, scratch, planes);
}

/** Stride 2 on planes of even extents. */
export function depthwiseHalvingGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  sumBlocks(HALVING, begin, end, scratch, planes);
}

/** Stride 1 on planes of whole vectors a row. */
export function depthwiseRowsGradient(begin: i32, end: i32, scratch: usize, planes: usize): void {
  sumBlocks(ROWS, begin, end, scratch, planes);
}

function rowsGradient(p: Planes, plane: i32, zeros: usize, sums: usize): void {
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s$r$c = v128.load(sums, 48 * $r + 16 * $c);
  const offset = <usize>plane * planeBytes;
  for (let y = 0; y < p.height; y++) {
    // Gradients of the rows below, at and above the row of x.
    let x = p.x + offset + y * rowBytes;
    let g1 = p.g + offset + y * rowBytes;
    let g0 = y + 1 < p.height ? g1 + rowBytes : zeros;
    let g2 = y > 0 ? g1 - rowBytes : zeros;
    let before = f32x4.splat(0);
    let x1 = v128.load(x);
    for (const stop = x + rowBytes; x < stop; ) {
      x += 16;
      const after = x < stop ? v128.load(x) : f32x4.splat(0);
      const x0 = i32x4.shuffle(before, x1, 3, 4, 5, 6);
      const x2 = i32x4.shuffle(x1, after, 1, 2, 3, 4);
      { // each $r
        const g = v128.load(g$r);
        s$r$c = madd(x$c, g, s$r$c);
      }
      before = x1;
      x1 = after;
      g$r += 16;
    }
  }
  v128.store(sums, s$r$c, 48 * $r + 16 * $c);
}
