import { asTensor } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import { largest, smallest } from '../tensor/extremes.js';
import { checkShape } from '../tensor/shape.js';
import { type DType, hostArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { addBias } from './bias.js';
import { type Pair, pair } from './geometry.js';
import { expand, matmul, permute, reshape } from './ops.js';
import { convolutionRows } from './rows/convolution.js';
import { checkImage, imageRows } from './rows/images.js';
import { apply } from './tape.js';

/**
 * `[N, C, H, W] → [N, C, fh·H, fw·W]`, each pixel repeated.
 *
 * @param factor one for both directions, or `[fh, fw]`
 * @throws ShapeError for a factor that is no positive integer
 * @example
 * await upsampleNearest(tensor([[[[1, 2]]]]), [1, 3]).toArray(); // [[[[1, 1, 1, 2, 2, 2]]]]
 */
export function upsampleNearest(x: Tensor, factor: Pair): Tensor {
  if (typeof factor === 'number') return apply(imageRows.upsampleNearest, [x], { factor });
  const [down, across] = pair('upsampleNearest', 'factor', factor, 1);
  if (down === across) return apply(imageRows.upsampleNearest, [x], { factor: down });
  checkImage('upsampleNearest', asTensor('upsampleNearest', 'x', x).shape);
  const [n, c, height, width] = x.shape;
  const large = [n, c, height * down, width * across];
  checkShape('upsampleNearest', large);
  const single = reshape(x, [n, c, height, 1, width, 1]);
  return reshape(expand(single, [n, c, height, down, width, across]), large);
}

/** `[N, C·r², H, W] → [N, C, r·H, r·W]` (Shi et al. 2016): channels become sub-pixels. */
export function pixelShuffle<D extends DType>(x: Tensor<D>, factor: number): Tensor<D> {
  asTensor('pixelShuffle', 'x', x);
  if (x.rank !== 4 || !Number.isInteger(factor) || factor < 1 || x.shape[1] % (factor * factor) !== 0) {
    throw new ShapeError('pixelShuffle', `channels must be divisible by ${factor}²`, [x.shape]);
  }
  const [n, c, h, w] = x.shape;
  const out = c / (factor * factor);
  const split = permute(reshape(x, [n, out, factor, factor, h, w]), [0, 1, 4, 2, 5, 3]);
  return reshape(split, [n, out, h * factor, w * factor]);
}

/** Along one axis: which tap of the small kernel every tap of the large one falls on, for each sub-pixel. */
interface SubPixelAxis {
  /** Taps of the small kernel, and pixels of padding that keep the size. */
  readonly taps: number;
  readonly padding: number;
  /** `[sub-pixel][tap of the large kernel]`. */
  readonly falls: readonly (readonly number[])[];
}

/** Sub-pixel φ of pixel a sees under tap t large pixel r·a + φ + t − (k − 1)/2, a copy of pixel a + ⌊(φ + t − …)/r⌋. */
function subPixelAxis(kernel: number, factor: number): SubPixelAxis {
  const looks = Array.from({ length: factor }, (_, phase) =>
    Array.from({ length: kernel }, (_, tap) => Math.floor((phase + tap - (kernel - 1) / 2) / factor)),
  );
  const first = smallest(looks.flat());
  const last = largest(looks.flat());
  return { taps: last - first + 1, padding: -first, falls: looks.map((row) => row.map((look) => look - first)) };
}

/**
 * The kernel at the small resolution that does what `w [O, C, kh, kw]` (odd extents, centred) does after each pixel was
 * repeated `factor` × `factor` times: taps that fall on copies of one pixel are added up. Differentiable.
 *
 * @returns kernel `[O·factor², C, kh', kw']`, outputs in the order of {@link pixelShuffle}, and its padding
 */
export function subPixelKernel(w: Tensor, factor: number): { kernel: Tensor; padding: readonly [number, number] } {
  const [outputs, channels, kh, kw] = w.shape;
  const [down, across] = [subPixelAxis(kh, factor), subPixelAxis(kw, factor)];
  const columns = factor * factor * down.taps * across.taps;
  checkShape('resizeConv2d', [kh * kw, columns]);
  const data = hostArray(w.dtype, kh * kw * columns);
  for (const [i, rows] of down.falls.entries()) {
    for (const [j, places] of across.falls.entries()) {
      for (const [r, y] of rows.entries()) {
        for (const [s, x] of places.entries()) {
          const column = ((i * factor + j) * down.taps + y) * across.taps + x;
          data[(r * kw + s) * columns + column] = 1;
        }
      }
    }
  }
  const gather = tensor(data, [kh * kw, columns], { dtype: w.dtype, device: w.device });
  const sums = matmul(reshape(w, [outputs * channels, kh * kw]), gather);
  const split = permute(reshape(sums, [outputs, channels, factor * factor, down.taps, across.taps]), [0, 2, 1, 3, 4]);
  return {
    kernel: reshape(split, [outputs * factor * factor, channels, down.taps, across.taps]),
    padding: [down.padding, across.padding],
  };
}

/**
 * Nearest up-sampling by `factor`, then a convolution that keeps the size ("resize convolution", Odena et al. 2016),
 * without the large image: its `factor²·O` small outputs are the sub-pixels of the large one (the same map: Shi et al.
 * 2016, arXiv 1609.07009).
 *
 * @param x `[N, C, H, W]` @param w `[O, C, kh, kw]`, odd @param bias `[O]` @returns `[N, O, factor·H, factor·W]`
 * @throws ShapeError for an even kernel, a factor that is no positive integer, or channels that do not fit
 */
export function resizeConv2d(x: Tensor, w: Tensor, bias: Tensor | null, factor: number): Tensor {
  if (!Number.isInteger(factor) || factor < 1) {
    throw new ShapeError('resizeConv2d', `factor must be a positive integer; it is ${factor}`);
  }
  if (w.rank !== 4 || w.shape[2] % 2 === 0 || w.shape[3] % 2 === 0) {
    throw new ShapeError('resizeConv2d', 'w must be [O, C, kh, kw] with odd extents', [w.shape]);
  }
  if (x.rank === 4) checkShape('resizeConv2d', [x.shape[0], w.shape[0], x.shape[2] * factor, x.shape[3] * factor]);
  const { kernel, padding } = subPixelKernel(w, factor);
  const geometry = { stride: [1, 1], padding, dilation: [1, 1], groups: 1 } as const;
  const y = pixelShuffle(apply(convolutionRows.conv2d, [x, kernel], geometry), factor);
  return addBias('resizeConv2d', y, w, bias);
}
