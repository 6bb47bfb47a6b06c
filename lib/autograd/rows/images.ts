import { type Window, windowExtents } from '../../kernels/backend.js';
import { backendOf } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Shape } from '../../tensor/shape.js';
import { type Row, row } from '../row.js';

/** Throws unless `x` is a batch of images. */
export function checkImage(op: string, x: Shape): void {
  if (x.length !== 4) throw new ShapeError(op, 'x must have 4 axes [N, C, H, W]', [x]);
}

/** Rows over images with a kernel of their own because the composition would read memory many times over. */
export const imageRows = {
  /** Maximum over windows of `x [N, C, H, W]`; padding never wins, the gradient goes to the first maximum. */
  maxPool2d: row<Window>({
    shape: ([x], window) => {
      checkImage('maxPool2d', x);
      if (window.padding.some((p, i) => 2 * p > window.kernel[i])) {
        throw new ShapeError('maxPool2d', 'padding may be at most half the kernel', [x]);
      }
      const [height, width] = windowExtents(window, x[2], x[3]);
      if (height < 1 || width < 1) throw new ShapeError('maxPool2d', 'the window is larger than the padded image', [x]);
      return [x[0], x[1], height, width];
    },
    forward: (k, [x], window) => k.maxPool2d(x, window),
    saves: [0, 'output'],
    vjp: [(g, s) => backendOf(g).maxPool2dGrad(g, s.input(0), s.output(), s.attrs)],
  }),
  /** Every pixel of `x [N, C, H, W]` repeated `factor` × `factor` times. */
  upsampleNearest: row<{ readonly factor: number }>({
    shape: ([x], { factor }) => {
      checkImage('upsampleNearest', x);
      if (!Number.isInteger(factor) || factor < 1) {
        throw new ShapeError('upsampleNearest', `factor must be a positive integer; it is ${factor}`);
      }
      return [x[0], x[1], x[2] * factor, x[3] * factor];
    },
    forward: (k, [x], { factor }) => k.upsampleNearest(x, factor),
    vjp: [(g, s) => backendOf(g).upsampleNearestGrad(g, s.attrs.factor)],
  }),
} satisfies Record<string, Row<never>>;
