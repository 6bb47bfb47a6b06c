import { backendOf, reshape, sumTo } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { broadcastStrides, checkShape, type Shape, sizeOf } from '../../tensor/shape.js';
import { type View, viewExpand, viewSlice, viewTranspose } from '../../tensor/view.js';
import { type Row, row } from '../row.js';

/** Rows that move no numbers, or only move them. */
export const layoutRows = {
  /** The same elements, row-major, under another shape. */
  reshape: row<{ readonly shape: Shape }>({
    name: 'reshape',
    moves: true,
    shape: ([x], { shape }) => {
      if (sizeOf(x) !== sizeOf(shape)) throw new ShapeError('reshape', 'the element counts differ', [x, shape]);
      return shape;
    },
    value: ([x], { shape }) => reshape(x, shape),
    vjp: [(g, { shapes }) => reshape(g, shapes[0])],
  }),
  /** Axes in another order: output axis i is input axis `axes[i]`. */
  permute: row<{ readonly axes: readonly number[] }>({
    name: 'permute',
    moves: true,
    shape: ([x], { axes }) => {
      if (axes.length !== x.length || new Set(axes).size !== x.length || axes.some((axis) => !(axis in x))) {
        throw new ShapeError('permute', `[${axes.join(', ')}] is not an order of ${x.length} axes`, [x]);
      }
      return axes.map((axis) => x[axis]);
    },
    value: ([x], { axes }) => viewTranspose(x, axes),
    vjp: [
      (g, { attrs: { axes } }) =>
        viewTranspose(
          g,
          axes.map((_, i) => axes.indexOf(i)),
        ),
    ],
  }),
  /** Extents of 1 (and missing leading axes) repeated to `shape`, without a copy: broadcasting as an operation. */
  expand: row<{ readonly shape: Shape }>({
    name: 'expand',
    moves: true,
    shape: ([x], { shape }) => {
      checkShape('expand', shape);
      broadcastStrides('expand', x, x, shape);
      return shape;
    },
    value: ([x], { shape }) => viewExpand(x, shape),
    vjp: [(g, { shapes }) => sumTo(g, shapes[0])],
  }),
  /** Elements `start ≤ i < end` by `step` along one axis, without a copy. */
  slice: row<{ readonly axis: number; readonly start: number; readonly end: number; readonly step: number }>({
    name: 'slice',
    moves: true,
    shape: ([x], { axis, start, end, step }) => {
      const whole = [start, end, step].every(Number.isInteger);
      if (!whole || start < 0 || end < start || end > x[axis] || step < 1) {
        throw new ShapeError('slice', `${start}:${end}:${step} does not fit axis ${axis}`, [x]);
      }
      return x.map((extent, i) => (i === axis ? Math.ceil((end - start) / step) : extent));
    },
    value: ([x], { axis, start, end, step }) => viewSlice(x, axis, start, end, step),
    vjp: [
      (g, { shapes: [shape], attrs: { axis, start, end, step } }) => {
        const whole = backendOf(g).fill(shape, 0, g.storage.dtype);
        backendOf(g).copyInto(g, viewSlice(whole, axis, start, end, step));
        return whole;
      },
    ],
  }),
  /** The elements with others of one value around them: `padding[axis]` counts those before and those after. */
  pad: row<{ readonly padding: readonly (readonly [number, number])[]; readonly value: number }>({
    name: 'pad',
    moves: true,
    shape: ([x], { padding }) => {
      checkPadding(padding, x);
      return x.map((extent, axis) => padding[axis][0] + extent + padding[axis][1]);
    },
    value: ([x], { padding, value }) => {
      const shape = x.shape.map((extent, axis) => padding[axis][0] + extent + padding[axis][1]);
      const whole = backendOf(x).fill(shape, value, x.storage.dtype);
      backendOf(x).copyInto(x, inside(whole, padding, x.shape));
      return whole;
    },
    vjp: [(g, { shapes, attrs: { padding } }) => inside(g, padding, shapes[0])],
  }),
  /** Tensors one after the other along `axis`. */
  concat: row<{ readonly axis: number }>({
    name: 'concat',
    moves: true,
    shape: (shapes, { axis }) => {
      const [first] = shapes;
      for (const shape of shapes) {
        if (shape.length !== first.length || shape.some((extent, i) => i !== axis && extent !== first[i])) {
          throw new ShapeError('concat', `shapes must agree outside of axis ${axis}`, shapes);
        }
      }
      return first.map((extent, i) => (i === axis ? shapes.reduce((total, shape) => total + shape[axis], 0) : extent));
    },
    value: (inputs, { axis }) => {
      const k = backendOf(inputs[0]);
      const total = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
      const out = k.fill(
        inputs[0].shape.map((extent, i) => (i === axis ? total : extent)),
        0,
        inputs[0].storage.dtype,
      );
      let start = 0;
      for (const x of inputs) {
        k.copyInto(x, viewSlice(out, axis, start, start + x.shape[axis], 1));
        start += x.shape[axis];
      }
      return out;
    },
    vjp: (g, { shapes, attrs: { axis } }) => {
      let end = 0;
      return shapes.map((shape) => {
        end += shape[axis];
        return viewSlice(g, axis, end - shape[axis], end, 1);
      });
    },
  }),
} satisfies Record<string, Row<never>>;

type PaddingPairs = readonly (readonly [number, number])[];

function checkPadding(padding: PaddingPairs, x: Shape): void {
  const whole = (pair: unknown) =>
    Array.isArray(pair) && pair.length === 2 && pair.every((n) => Number.isInteger(n) && n >= 0);
  if (!Array.isArray(padding) || padding.length !== x.length || !padding.every(whole)) {
    throw new ShapeError('pad', 'needs [before, after] for each axis, integers of at least 0 (slice takes away)', [x]);
  }
}

/** What is left of a padded view without its padding. */
function inside(view: View, padding: PaddingPairs, shape: Shape): View {
  return padding.reduce((rest, [before], axis) => viewSlice(rest, axis, before, before + shape[axis], 1), view);
}
