import type { Shape } from '../tensor/shape.js';

/** Geometry of a sliding window, `[vertical, horizontal]` each. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** Geometry of a convolution: a window, and groups that divide input and output channels. */
export interface ConvGeometry extends Omit<Window, 'kernel'> {
  readonly groups: number;
}

/** `[N, C, H, W]` with its padding. */
export function paddedShape({ padding }: Pick<Window, 'padding'>, [n, c, height, width]: Shape): Shape {
  return [n, c, height + 2 * padding[0], width + 2 * padding[1]];
}

/** Output extents of a window sliding over `[height, width]`. */
export function windowExtents(window: Window, height: number, width: number): [number, number] {
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor(
      (size + 2 * window.padding[axis] - window.dilation[axis] * (window.kernel[axis] - 1) - 1) / window.stride[axis],
    ) + 1;
  return [extent(height, 0), extent(width, 1)];
}
