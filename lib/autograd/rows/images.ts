import { paddedShape, type Window, windowExtents } from '../../kernels/geometry.js';
import * as v from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { checkShape, type Shape } from '../../tensor/shape.js';
import { type View, viewExpand } from '../../tensor/view.js';
import { fastRow, type Row } from '../row.js';

/** Throws unless `x` is a batch of images. */
export function checkImage(op: string, x: Shape): void {
  if (x.length !== 4) throw new ShapeError(op, 'x must have 4 axes [N, C, H, W]', [x]);
}

/** Throws where a window could lie wholly in the padding. */
export function checkPadding(op: string, { kernel, padding, dilation }: Window, x: Shape): void {
  if (padding.some((zeros, axis) => 2 * zeros > dilation[axis] * (kernel[axis] - 1) + 1)) {
    throw new ShapeError(op, 'padding may be at most half the kernel', [x]);
  }
}

/** Pooling and up-sampling. */
export const imageRows = {
  /** Maximum over windows of `x [N, C, H, W]`; padding never wins, the gradient goes to the first maximum. */
  maxPool2d: fastRow('maxPool2d', {
    shape: ([x], window) => {
      checkImage('maxPool2d', x);
      checkPadding('maxPool2d', window, x);
      checkShape('maxPool2d', paddedShape(window, x));
      const [height, width] = windowExtents(window, x[2], x[3]);
      if (height < 1 || width < 1) throw new ShapeError('maxPool2d', 'the window is larger than the padded image', [x]);
      return [x[0], x[1], height, width];
    },
    value: ([x], window) => {
      const [n, c, height, width] = x.shape;
      const columns = v.backendOf(x).im2col(x, window);
      const candidates = v.where(insideImage(x, columns, window), columns, Number.NEGATIVE_INFINITY);
      return v.reshape(v.max(candidates, [2]), [n, c, ...windowExtents(window, height, width)]);
    },
    saves: [0, 'output'],
    vjp: [
      (g, { input, output, attrs: window }) => {
        const x = input(0);
        const columns = v.backendOf(x).im2col(x, window);
        const [n, c, , positions] = columns.shape;
        const isMaximum = v.same(columns, v.reshape(output(), [n, c, 1, positions]));
        const winner = v.firstOf(v.mul(isMaximum, insideImage(x, columns, window)), [2]);
        return v.backendOf(g).col2im(v.where(winner, v.reshape(g, [n, c, 1, positions]), 0), x.shape, window);
      },
    ],
  }),
  /** Every pixel of `x [N, C, H, W]` repeated `factor` × `factor` times; its gradient sums each such block. */
  upsampleNearest: fastRow('upsampleNearest', {
    shape: ([x], { factor }) => {
      checkImage('upsampleNearest', x);
      if (!Number.isInteger(factor) || factor < 1) {
        throw new ShapeError('upsampleNearest', `factor must be a positive integer; it is ${factor}`);
      }
      return [x[0], x[1], x[2] * factor, x[3] * factor];
    },
    value: ([x], { factor }) => {
      const [n, c, height, width] = x.shape;
      const repeated = viewExpand(v.reshape(x, [n, c, height, 1, width, 1]), [n, c, height, factor, width, factor]);
      return v.reshape(v.backendOf(x).copy(repeated), [n, c, height * factor, width * factor]);
    },
    vjp: [
      (g, { shapes: [shape], attrs: { factor } }) => {
        const [n, c, height, width] = shape;
        return v.reshape(v.sum(v.reshape(g, [n, c, height, factor, width, factor]), [3, 5]), shape);
      },
    ],
  }),
} satisfies Record<string, Row<never>>;

/** Which entries of `im2col(x)` are pixels of the image and not padding: 1 or 0, `[N, C, kh·kw, oh·ow]`. */
function insideImage(x: View, columns: View, window: Window): View {
  const ones = v.backendOf(x).fill([1, 1, x.shape[2], x.shape[3]], 1, x.storage.dtype);
  return viewExpand(v.backendOf(x).im2col(ones, window), columns.shape);
}
