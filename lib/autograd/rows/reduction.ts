import { backendOf, equal, firstOf, max, mul, sum } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { reducedShape, sizeOf } from '../../tensor/shape.js';
import { viewExpand } from '../../tensor/view.js';
import { type Row, row } from '../row.js';

export interface Axes {
  /** Ascending, without duplicates; they stay as extents of 1. */
  readonly axes: readonly number[];
}

/** Rows that collapse axes to extent 1. */
export const reductionRows = {
  sum: row<Axes>({
    shape: ([x], { axes }) => reducedShape(x, axes),
    forward: (_, [x], { axes }) => sum(x, axes),
    vjp: [(g, { shapes }) => viewExpand(g, shapes[0])],
  }),
  /** The gradient goes to the first maximum of each slice. */
  max: row<Axes>({
    shape: ([x], { axes }) => {
      if (axes.some((axis) => x[axis] === 0)) throw new ShapeError('max', 'no elements to take the maximum of', [x]);
      return reducedShape(x, axes);
    },
    forward: (_, [x], { axes }) => max(x, axes),
    saves: [0, 'output'],
    vjp: [(g, s) => mul(g, firstOf(equal(s.input(0), s.output()), s.attrs.axes))],
  }),
  /** The k-th smallest of all elements (1-based), a scalar; the gradient goes to the one element it is. */
  kthSmallest: row<{ readonly k: number }>({
    shape: ([x], { k }) => {
      if (!Number.isInteger(k) || k < 1 || k > sizeOf(x)) {
        throw new ShapeError('kthSmallest', `k must be 1 … ${sizeOf(x)}; it is ${k}`, [x]);
      }
      return [];
    },
    forward: (backend, [x], { k }) => backend.kthSmallest(x, k).value,
    saves: [0],
    vjp: [(g, s) => backendOf(g).kthSmallestGrad(g, s.input(0), s.attrs.k)],
  }),
} satisfies Record<string, Row<never>>;
