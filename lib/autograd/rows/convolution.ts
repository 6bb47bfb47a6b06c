import { type ConvGeometry, paddedShape, type Window, windowExtents } from '../../kernels/geometry.js';
import * as v from '../../kernels/value.js';
import { convolutionPaths } from '../../kernels/wasm/convolution.js';
import { offer } from '../../kernels/wasm/fast.js';
import { ShapeError } from '../../tensor/errors.js';
import { checkShape, type Shape, sizeOf } from '../../tensor/shape.js';
import { type View, viewExpand } from '../../tensor/view.js';
import { fastRow, type Row } from '../row.js';

offer(convolutionPaths);

/**
 * Convolution as a matrix product. With G groups, K = C/G·kh·kw and L = oh·ow, every image and group is one product
 * `weights [O/G, K] · columns [K, L]`; images and groups together are its batch.
 */
export const convolutionRows = {
  /** `x [N, C, H, W] * w [O, C/groups, kh, kw] → [N, O, oh, ow]` (cross-correlation, as in every framework) */
  conv2d: fastRow('conv2d', {
    shape: ([x, w], geometry) => outputShape(x, w, geometry),
    value: ([x, w], geometry) => {
      const [images] = x.shape;
      const columns = columnMatrices(x, windowOf(w.shape, geometry), geometry);
      const y = v.backendOf(x).matmul(weightMatrices(w, images, geometry), columns);
      return v.reshape(y, outputShape(x.shape, w.shape, geometry));
    },
    saves: [0, 1],
    vjp: [
      (g, { input, shapes: [shape], attrs: geometry }) => {
        const w = input(1);
        const [images, channels] = shape;
        const weights = v.transposeLast(weightMatrices(w, images, geometry));
        const columns = v.backendOf(g).matmul(weights, outputMatrices(g, geometry));
        const perImage = v.reshape(columns, [images, channels, w.shape[2] * w.shape[3], g.shape[2] * g.shape[3]]);
        return v.backendOf(g).col2im(perImage, shape, windowOf(w.shape, geometry));
      },
      (g, { input, shapes: [[images], shape], attrs: geometry }) => {
        const columns = columnMatrices(input(0), windowOf(shape, geometry), geometry);
        const products = v.backendOf(g).matmul(outputMatrices(g, geometry), v.transposeLast(columns));
        return v.reshape(v.sum(v.reshape(products, [images, ...shape]), [0]), shape);
      },
    ],
  }),
} satisfies Record<string, Row<never>>;

/** Throws unless x and w have so many axes each. */
export function checkRanks(op: string, rank: number, x: Shape, w: Shape): void {
  if (x.length !== rank || w.length !== rank) throw new ShapeError(op, `x and w must have ${rank} axes`, [x, w]);
}

/** Throws unless the channels of `x [N, C, …]` and `w [O, C/groups, …]` go together. */
export function checkChannels(op: string, x: Shape, w: Shape, groups: number): void {
  if (x[1] % groups !== 0 || w[0] % groups !== 0) {
    throw new ShapeError(op, `channels are not divisible by groups = ${groups}`, [x, w]);
  }
  if (x[1] / groups !== w[1]) {
    throw new ShapeError(op, `w takes ${w[1]} channels a group, x has ${x[1]} in ${groups} groups`, [x, w]);
  }
}

/** `[N, O, oh, ow]`. @throws ShapeError if channels, groups, kernel and image do not go together */
function outputShape(x: Shape, w: Shape, geometry: ConvGeometry): Shape {
  checkRanks('conv2d', 4, x, w);
  checkChannels('conv2d', x, w, geometry.groups);
  checkShape('conv2d', paddedShape(geometry, x));
  const [height, width] = windowExtents(windowOf(w, geometry), x[2], x[3]);
  if (height < 1 || width < 1) throw new ShapeError('conv2d', 'the kernel is larger than the padded image', [x, w]);
  return [x[0], w[0], height, width];
}

/** `w [O, C/G, kh, kw] → [N·G, O/G, K]`, the same for all images. */
function weightMatrices(w: View, images: number, { groups }: ConvGeometry): View {
  const [outputs, ...kernel] = w.shape;
  const matrices = v.reshape(w, [1, groups, outputs / groups, sizeOf(kernel)]);
  const repeated = viewExpand(matrices, [images, ...matrices.shape.slice(1)]);
  return v.reshape(repeated, [images * groups, ...matrices.shape.slice(2)]);
}

/** `x [N, C, H, W] → [N·G, K, L]` */
function columnMatrices(x: View, window: Window, { groups }: ConvGeometry): View {
  const columns = v.backendOf(x).im2col(x, window);
  const [images, channels, taps, positions] = columns.shape;
  return v.reshape(columns, [images * groups, (channels / groups) * taps, positions]);
}

/** `g [N, O, oh, ow] → [N·G, O/G, L]` */
function outputMatrices(g: View, { groups }: ConvGeometry): View {
  const [images, outputs, height, width] = g.shape;
  return v.reshape(g, [images * groups, outputs / groups, height * width]);
}

function windowOf([, , height, width]: Shape, { stride, padding, dilation }: ConvGeometry): Window {
  return { kernel: [height, width], stride, padding, dilation };
}
