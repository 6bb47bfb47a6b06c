import * as v from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { reducedShape, sizeOf } from '../../tensor/shape.js';
import { type View, viewExpand } from '../../tensor/view.js';
import { fastRow, type Row, row } from '../row.js';

export interface Axes {
  /** Ascending, without duplicates; they stay as extents of 1. */
  readonly axes: readonly number[];
}

/** Rows that collapse axes to extent 1, and the order statistic, which collapses all. */
export const reductionRows = {
  sum: row<Axes>({
    name: 'sum',
    shape: ([x], { axes }) => reducedShape(x, axes),
    value: ([x], { axes }) => v.sum(x, axes),
    vjp: [(g, { shapes }) => viewExpand(g, shapes[0])],
  }),
  /** The gradient goes to the first maximum of each slice. */
  max: row<Axes>({
    name: 'max',
    shape: ([x], { axes }) => {
      if (axes.some((axis) => x[axis] === 0)) throw new ShapeError('max', 'no elements to take the maximum of', [x]);
      return reducedShape(x, axes);
    },
    value: ([x], { axes }) => v.max(x, axes),
    saves: [0, 'output'],
    vjp: [(g, s) => v.mul(g, v.firstOf(v.equal(s.input(0), s.output()), s.attrs.axes))],
  }),
  /** Position of the first maximum of each slice, counted row-major along `axes`, in the dtype of x; NaN is largest. */
  argmax: row<Axes>({
    name: 'argmax',
    shape: ([x], { axes }) => {
      const shape = reducedShape(x, axes);
      const count = axes.reduce((product, axis) => product * x[axis], 1);
      if (count === 0) throw new ShapeError('argmax', 'no elements to take the maximum of', [x]);
      if (count > 2 ** 24) throw new ShapeError('argmax', 'floats count to 2^24 elements a slice', [x]);
      return shape;
    },
    value: ([x], { axes }) => {
      const missing = v.sub(1, v.equal(x, x));
      const numbers = v.where(missing, Number.NEGATIVE_INFINITY, x);
      const largest = v.equal(numbers, v.max(numbers, axes));
      const candidates = v.where(viewExpand(v.max(missing, axes), x.shape), missing, largest);
      return v.sum(v.mul(v.firstOf(candidates, axes), v.iota(x, axes)), axes);
    },
  }),
  /** The k-th smallest (1-based), NaN being the largest, a scalar; the gradient goes to the first element like it. */
  kthSmallest: fastRow('kthSmallest', {
    shape: ([x], { k }) => {
      if (!Number.isInteger(k) || k < 1 || k > sizeOf(x)) {
        throw new ShapeError('kthSmallest', `k must be 1 … ${sizeOf(x)}; it is ${k}`, [x]);
      }
      return [];
    },
    value: ([x], { k }) => smallest(x, k),
    saves: [0],
    vjp: [
      (g, s) => {
        const size = sizeOf(s.shapes[0]);
        const value = viewExpand(smallest(s.input(0), s.attrs.k), [size]);
        const first = v.firstOf(v.same(v.reshape(s.input(0), [size]), value), [0]);
        return v.reshape(v.mul(first, g), s.shapes[0]);
      },
    ],
  }),
} satisfies Record<string, Row<never>>;

/** The element of that rank, a scalar: NaN if so many come last that it is one of them. */
function smallest(x: View, rank: number): View {
  const size = sizeOf(x.shape);
  const nothing = v.noNumber(v.reshape(x, [size]));
  const numbers = v.where(nothing, Number.POSITIVE_INFINITY, v.reshape(x, [size]));
  const isNumber = v.lessEqual(v.reshape(v.sum(nothing, [0]), []), size - rank);
  return v.where(isNumber, smallestNumber(numbers, rank), Number.NaN);
}

/** That of a vector without NaN: takes away the largest again and again; from below, where that end is nearer. */
function smallestNumber(elements: View, rank: number): View {
  const [size] = elements.shape;
  const fromBelow = rank - 1 < size - rank;
  let left = fromBelow ? v.unary('neg', elements) : elements;
  for (let taken = 0; taken < Math.min(rank - 1, size - rank); taken++) left = withoutLargest(left);
  return v.reshape(fromBelow ? v.unary('neg', v.max(left, [0])) : v.max(left, [0]), []);
}

/** The vector with the first of its largest elements replaced by −∞. */
const withoutLargest = v.compose((x: View) =>
  v.where(v.firstOf(v.equal(x, v.max(x, [0])), [0]), Number.NEGATIVE_INFINITY, x),
);
