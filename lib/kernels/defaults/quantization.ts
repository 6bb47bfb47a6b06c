import { sizeOf } from '../../tensor/shape.js';
import { type View, viewExpand } from '../../tensor/view.js';
import type { FusedKernels, QuantGrid } from '../backend.js';
import {
  div,
  equal,
  firstOf,
  greater,
  greaterEqual,
  iota,
  lessEqual,
  max,
  maximum,
  minimum,
  mul,
  reshape,
  sub,
  sum,
  unary,
  where,
} from '../value.js';
import { compose } from './compose.js';

/** Fake quantization of activations and the order statistic its first scale comes from. */
export const quantization = {
  powerScale: compose((x: View, divisor: number) => div(maximum(unary('exp2', x), 1e-10), divisor)),

  powerScaleGrad: compose((g: View, x: View, divisor: number) => div(mul(mul(g, unary('exp2', x)), Math.LN2), divisor)),

  fakeQuantize: compose((x: View, scale: View, grid: QuantGrid) => {
    const s = reshape(scale, []);
    const from = grid.relu ? unary('relu', x) : x;
    return mul(clip(unary('roundHalfEven', div(from, s)), grid), s);
  }),

  fakeQuantizeGrad: compose((g: View, x: View, scale: View, grid: QuantGrid) => {
    const from = grid.relu ? unary('relu', x) : x;
    const onGrid = div(from, reshape(scale, []));
    const rounded = unary('roundHalfEven', onGrid);
    const inside = mul(greaterEqual(rounded, grid.low), lessEqual(rounded, grid.high));
    const slope = where(inside, sub(rounded, onGrid), clip(rounded, grid));
    const toScale = sum(reshape(mul(g, slope), [sizeOf(x.shape)]), [0]);
    const passes = grid.relu ? mul(inside, greater(x, 0)) : inside;
    return { x: where(passes, g, 0), scale: reshape(toScale, scale.shape) };
  }),

  /**
   * Takes away the largest element again and again; from below, where that end is nearer. The index is that of the
   * first element equal to the value found, exact up to 2²⁴ elements in float32.
   */
  kthSmallest: compose((x: View, rank: number) => {
    const { value, first } = smallest(x, rank);
    const index = sum(where(first, iota(first, [0]), 0), [0]);
    return { value, index: reshape(index, []) };
  }),

  kthSmallestGrad: compose((g: View, x: View, rank: number) => {
    const { first } = smallest(x, rank);
    return reshape(mul(first, g), x.shape);
  }),
} satisfies Partial<FusedKernels>;

/** The element of that rank, and a 1 at the first element equal to it, `[size]`. */
function smallest(x: View, rank: number): { value: View; first: View } {
  const size = sizeOf(x.shape);
  const elements = reshape(x, [size]);
  const fromBelow = rank - 1 < size - rank;
  let left = fromBelow ? unary('neg', elements) : elements;
  for (let taken = 0; taken < Math.min(rank - 1, size - rank); taken++) left = withoutLargest(left);
  const value = fromBelow ? unary('neg', max(left, [0])) : max(left, [0]);
  return { value: reshape(value, []), first: firstOf(equal(elements, viewExpand(value, [size])), [0]) };
}

function clip(x: View, { low, high }: QuantGrid): View {
  return minimum(maximum(x, low), high);
}

/** The vector with the first of its largest elements replaced by −∞. */
const withoutLargest = compose((x: View) => where(firstOf(equal(x, max(x, [0])), [0]), Number.NEGATIVE_INFINITY, x));
