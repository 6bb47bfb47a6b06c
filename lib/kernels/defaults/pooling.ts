import { type View, viewExpand } from '../../tensor/view.js';
import { type FusedKernels, type Window, windowExtents } from '../backend.js';
import { equal, firstOf, max, mul, reshape, sum, where } from '../value.js';
import { compose, type Kernels } from './compose.js';

/** Maximum pooling and nearest-neighbour up-sampling, with their gradients. */
export function pooling(k: Kernels) {
  /** Which entries of `im2col(x)` are pixels of the image and not padding: 1 or 0, `[N, C, kh·kw, oh·ow]`. */
  const insideImage = (x: View, columns: View, window: Window): View => {
    const ones = k.fill([1, 1, x.shape[2], x.shape[3]], 1, x.storage.dtype);
    return viewExpand(k.im2col(ones, window), columns.shape);
  };

  return {
    maxPool2d: compose((x: View, window: Window) => {
      const [n, c, height, width] = x.shape;
      const columns = k.im2col(x, window);
      const never = x.storage.dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
      const candidates = where(insideImage(x, columns, window), columns, never);
      return reshape(max(candidates, [2]), [n, c, ...windowExtents(window, height, width)]);
    }),

    maxPool2dGrad: compose((g: View, x: View, y: View, window: Window) => {
      const columns = k.im2col(x, window);
      const [n, c, , positions] = columns.shape;
      const isMaximum = equal(columns, reshape(y, [n, c, 1, positions]));
      const winner = firstOf(mul(isMaximum, insideImage(x, columns, window)), [2]);
      return k.col2im(where(winner, reshape(g, [n, c, 1, positions]), 0), x.shape, window);
    }),

    upsampleNearest: compose((x: View, factor: number) => {
      const [n, c, height, width] = x.shape;
      const repeated = viewExpand(reshape(x, [n, c, height, 1, width, 1]), [n, c, height, factor, width, factor]);
      return reshape(k.copy(repeated), [n, c, height * factor, width * factor]);
    }),

    upsampleNearestGrad: compose((g: View, factor: number) => {
      const [n, c, height, width] = [g.shape[0], g.shape[1], g.shape[2] / factor, g.shape[3] / factor];
      return reshape(sum(reshape(g, [n, c, height, factor, width, factor]), [3, 5]), [n, c, height, width]);
    }),
  } satisfies Partial<FusedKernels>;
}
