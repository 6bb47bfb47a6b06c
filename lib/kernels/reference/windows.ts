import ndarray from 'ndarray';
import ops from 'ndarray-ops';
import type { Shape } from '../../tensor/shape.js';
import { type Window, windowExtents } from '../geometry.js';
import { type HostArray, temporary } from './arrays.js';

/** A zero-padded image, float64 so that sums into it round only once, and two ways of looking at it. */
interface PaddedImage {
  /** Without the padding: `[N, C, H, W]`. */
  readonly image: HostArray;
  /** As overlapping windows: `[N, C, kh, kw, oh, ow]`; the same pixel shows up in several of them. */
  readonly windows: HostArray;
}

function paddedImage([n, c, height, width]: Shape, window: Window): PaddedImage {
  const { kernel, stride, padding, dilation } = window;
  const padded = temporary([n, c, height + 2 * padding[0], width + 2 * padding[1]], 'float64');
  const [perImage, perChannel, perRow, perPixel] = padded.stride;
  const windows = ndarray(
    padded.data,
    [n, c, ...kernel, ...windowExtents(window, height, width)],
    [perImage, perChannel, dilation[0] * perRow, dilation[1] * perPixel, stride[0] * perRow, stride[1] * perPixel],
  );
  return { image: padded.lo(0, 0, ...padding).hi(n, c, height, width), windows };
}

/** `columns [N, C, kh·kw, oh·ow]`, which is contiguous, with its four window axes apart. */
function unfolded(columns: HostArray, shape: readonly number[]): HostArray {
  return ndarray(columns.data, [...shape], undefined, columns.offset);
}

/** Every window of `x [N, C, H, W]` as a column of `out [N, C, kh·kw, oh·ow]`. */
export function im2col(out: HostArray, x: HostArray, window: Window): void {
  const { image, windows } = paddedImage(x.shape, window);
  ops.assign(image, x);
  ops.assign(unfolded(out, windows.shape), windows);
}

/** The adjoint: every column of `columns` (contiguous) added back into the image `out [N, C, H, W]`. */
export function col2im(out: HostArray, columns: HostArray, window: Window): void {
  const { image, windows } = paddedImage(out.shape, window);
  ops.addeq(windows, unfolded(columns, windows.shape));
  ops.assign(out, image);
}
