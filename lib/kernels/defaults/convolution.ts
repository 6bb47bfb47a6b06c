import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type View, viewExpand } from '../../tensor/view.js';
import { type ConvGeometry, type FusedKernels, type Window, windowExtents } from '../backend.js';
import { reshape, sum, transposeLast } from '../value.js';
import { compose, type Kernels } from './compose.js';

/**
 * Convolution as a matrix product. With G groups, K = C/G·kh·kw and L = oh·ow, every image and group is one product
 * `weights [O/G, K] · columns [K, L]`; images and groups together are its batch.
 */
export function convolution(k: Kernels) {
  /** `w [O, C/G, kh, kw] → [N·G, O/G, K]`, the same for all images. */
  const weightMatrices = (w: View, images: number, { groups }: ConvGeometry): View => {
    const [outputs, ...kernel] = w.shape;
    const matrices = reshape(w, [1, groups, outputs / groups, sizeOf(kernel)]);
    const repeated = viewExpand(matrices, [images, ...matrices.shape.slice(1)]);
    return reshape(repeated, [images * groups, ...matrices.shape.slice(2)]);
  };

  /** `x [N, C, H, W] → [N·G, K, L]` */
  const columnMatrices = (x: View, window: Window, { groups }: ConvGeometry): View => {
    const columns = k.im2col(x, window);
    const [images, channels, taps, positions] = columns.shape;
    return reshape(columns, [images * groups, (channels / groups) * taps, positions]);
  };

  /** `g [N, O, oh, ow] → [N·G, O/G, L]` */
  const outputMatrices = (g: View, { groups }: ConvGeometry): View => {
    const [images, outputs, height, width] = g.shape;
    return reshape(g, [images * groups, outputs / groups, height * width]);
  };

  return {
    conv2d: compose((x: View, w: View, geometry: ConvGeometry) => {
      const [images, , height, width] = x.shape;
      const window = windowOf(w.shape, geometry);
      const y = k.matmul(weightMatrices(w, images, geometry), columnMatrices(x, window, geometry));
      return reshape(y, [images, w.shape[0], ...windowExtents(window, height, width)]);
    }),

    conv2dInputGrad: compose((g: View, w: View, inputShape: Shape, geometry: ConvGeometry) => {
      const [images, channels] = inputShape;
      const weights = weightMatrices(w, images, geometry);
      const columns = k.matmul(transposeLast(weights), outputMatrices(g, geometry));
      const taps = w.shape[2] * w.shape[3];
      const perImage = reshape(columns, [images, channels, taps, g.shape[2] * g.shape[3]]);
      return k.col2im(perImage, inputShape, windowOf(w.shape, geometry));
    }),

    conv2dWeightGrad: compose((g: View, x: View, weightShape: Shape, geometry: ConvGeometry) => {
      const columns = columnMatrices(x, windowOf(weightShape, geometry), geometry);
      const products = k.matmul(outputMatrices(g, geometry), transposeLast(columns));
      return reshape(sum(reshape(products, [x.shape[0], ...weightShape]), [0]), weightShape);
    }),
  } satisfies Partial<FusedKernels>;
}

function windowOf([, , height, width]: Shape, { stride, padding, dilation }: ConvGeometry): Window {
  return { kernel: [height, width], stride, padding, dilation };
}
