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

/** Output extents of a window sliding over `[height, width]`. */
export function windowExtents(window: Window, height: number, width: number): [number, number] {
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor(
      (size + 2 * window.padding[axis] - window.dilation[axis] * (window.kernel[axis] - 1) - 1) / window.stride[axis],
    ) + 1;
  return [extent(height, 0), extent(width, 1)];
}
