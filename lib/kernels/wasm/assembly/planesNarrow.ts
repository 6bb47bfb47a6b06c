/** Depthwise 3 × 3 of stride 1 on planes at most four pixels wide. */
import { addTap, Planes, put, weight } from './planes';
import { firstLanes, madd } from './simd';

/** A row moved one pixel to the right, and to the left; zeros come in. */
@inline
function fromLeft(row: v128): v128 {
  return i32x4.shuffle(i32x4.splat(0), row, 0, 4, 5, 6);
}

@inline
function fromRight(row: v128): v128 {
  return i32x4.shuffle(row, i32x4.splat(0), 1, 2, 3, 4);
}

/** Stride 1 on narrow planes, for planes `begin … end`. */
export function depthwiseNarrow(begin: i32, end: i32, scratch: usize, planes: usize): void {
  const p = changetype<Planes>(planes);
  for (let plane = begin; plane < end; plane++) narrowPlane(p, plane, plane % p.channels);
}

function narrowPlane(p: Planes, plane: i32, c: i32): void {
  const w$r$c = weight(p, c, $r, $c);
  const width = p.width;
  const inside = firstLanes(width);
  const rowBytes = <usize>width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let from = p.x + plane * planeBytes;
  let to = p.out + plane * planeBytes;
  // What the rows so far add to the output row above, and to that of the row itself.
  let above = f32x4.splat(0);
  let here = f32x4.splat(0);
  for (const stop = from + planeBytes, first = from; from < stop; from += rowBytes) {
    const x1 = v128.and(v128.load(from), inside);
    const x0 = fromLeft(x1);
    const x2 = fromRight(x1);
    if (from > first) {
      above = madd(x$c, w2$c, above);
      put(to, above, width);
      to += rowBytes;
    }
    above = here;
    above = madd(x$c, w1$c, above);
    here = addTap($c, x$c, w0$c, here);
  }
  put(to, above, width);
}

/** What a narrow plane adds to the gradient to the weights. */
export function narrowGradient(p: Planes, plane: i32, sums: usize): void {
  const inside = firstLanes(p.width);
  const rowBytes = <usize>p.width << 2;
  const planeBytes = <usize>p.height * rowBytes;
  let s$r$c = v128.load(sums, 48 * $r + 16 * $c);
  const offset = <usize>plane * planeBytes;
  let g = p.g + offset;
  let x = p.x + offset;
  // Gradients of the rows below, at and above the row of x.
  let g0 = v128.and(v128.load(g), inside);
  let g1 = f32x4.splat(0);
  let g2 = f32x4.splat(0);
  for (const stop = x + planeBytes; x < stop; x += rowBytes) {
    g += rowBytes;
    g2 = g1;
    g1 = g0;
    g0 = x + rowBytes < stop ? v128.and(v128.load(g), inside) : f32x4.splat(0);
    const x1 = v128.and(v128.load(x), inside);
    const x0 = fromLeft(x1);
    const x2 = fromRight(x1);
    s$r$c = madd(x$c, g$r, s$r$c);
  }
  v128.store(sums, s$r$c, 48 * $r + 16 * $c);
}
