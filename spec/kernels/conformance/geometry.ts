import fc from 'fast-check';
import { type OracleConvolution, type OracleWindow, places } from '../../oracle.js';

type Pair = readonly [number, number];

/** One convolution: images of `[n, c, height, width]` under `outputs` kernels. */
export interface ConvolutionCase {
  readonly image: readonly [number, number, number, number];
  readonly outputs: number;
  readonly kernel: Pair;
  readonly geometry: OracleConvolution;
}

/** A case with the common values filled in. */
function conv(
  image: ConvolutionCase['image'],
  outputs: number,
  kernel: Pair,
  geometry: Partial<OracleConvolution> = {},
): ConvolutionCase {
  return {
    image,
    outputs,
    kernel,
    geometry: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, ...geometry },
  };
}

/** The geometries networks use, and those that catch off-by-ones. */
export const CONVOLUTIONS: readonly ConvolutionCase[] = [
  conv([1, 1, 1, 1], 1, [1, 1]),
  conv([2, 3, 8, 8], 4, [3, 3], { padding: [1, 1] }),
  conv([2, 4, 9, 7], 5, [3, 3]),
  conv([2, 5, 7, 7], 6, [1, 1]),
  conv([2, 4, 9, 9], 8, [1, 1], { stride: [2, 2] }),
  conv([1, 3, 11, 12], 4, [5, 5], { padding: [2, 2] }),
  conv([2, 16, 6, 17], 17, [3, 3], { padding: [1, 1] }),
  conv([2, 3, 9, 11], 4, [3, 3], { stride: [2, 2], padding: [1, 1] }),
  conv([1, 3, 8, 10], 4, [3, 3], { stride: [2, 2] }),
  conv([1, 2, 13, 10], 3, [3, 3], { stride: [3, 2], padding: [0, 1] }),
  conv([2, 2, 11, 11], 3, [3, 3], { dilation: [2, 2], padding: [2, 2] }),
  conv([1, 2, 12, 9], 3, [3, 2], { dilation: [3, 2], padding: [1, 0], stride: [2, 1] }),
  conv([1, 2, 5, 9], 3, [2, 4], { padding: [0, 2] }),
  conv([1, 2, 9, 5], 3, [5, 1], { padding: [2, 0] }),
  conv([2, 4, 7, 7], 6, [3, 3], { groups: 2, padding: [1, 1] }),
  conv([1, 6, 6, 8], 9, [1, 1], { groups: 3 }),
  conv([2, 8, 8, 8], 8, [3, 3], { groups: 8, padding: [1, 1] }),
  ...[1, 2, 3, 4, 12, 16].map((width) => conv([2, 9, 3, width], 9, [3, 3], { groups: 9, padding: [1, 1] })),
  ...[2, 4, 6, 8, 10, 16].map((width) =>
    conv([2, 3, width === 2 ? 2 : 6, width], 3, [3, 3], { groups: 3, padding: [1, 1], stride: [2, 2] }),
  ),
  conv([1, 10, 1, 4], 10, [3, 3], { groups: 10, padding: [1, 1] }),
  conv([2, 5, 9, 9], 5, [3, 3], { groups: 5, padding: [1, 1], stride: [2, 2] }),
  conv([1, 3, 17, 16], 3, [5, 5], { groups: 3, padding: [2, 2] }),
  conv([1, 4, 6, 6], 8, [3, 3], { groups: 4, padding: [1, 1] }),
  conv([1, 4, 10, 6], 4, [3, 3], { groups: 4, dilation: [2, 1], padding: [2, 1] }),
  conv([1, 2, 3, 3], 3, [5, 5], { padding: [1, 1] }),
  conv([1, 2, 2, 2], 2, [3, 3], { padding: [2, 2] }),
  conv([2, 3, 1, 1], 4, [3, 3], { padding: [1, 1] }),
  conv([1, 2, 4, 4], 2, [2, 2], { padding: [3, 3], stride: [3, 3] }),
  conv([0, 3, 5, 5], 4, [3, 3], { padding: [1, 1] }),
];

/** Random geometries whose window fits at least once. */
export const randomConvolution: fc.Arbitrary<ConvolutionCase> = fc
  .record({
    images: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 3 }),
    inputs: fc.integer({ min: 1, max: 4 }),
    outputs: fc.integer({ min: 1, max: 5 }),
    size: pair(1, 9),
    kernel: pair(1, 4),
    stride: pair(1, 3),
    padding: pair(0, 2),
    dilation: pair(1, 2),
  })
  .map(({ images, groups, inputs, outputs, size, kernel, ...window }) => ({
    image: [images, groups * inputs, ...size] as const,
    outputs: groups * outputs,
    kernel,
    geometry: { ...window, groups },
  }))
  .filter(({ image, kernel, geometry }) => fits(image, { ...geometry, kernel }));

function pair(min: number, max: number): fc.Arbitrary<Pair> {
  return fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
}

/** Whether the window fits into the padded image at least once. */
function fits(image: readonly number[], window: OracleWindow): boolean {
  const { kernel, stride, padding, dilation } = window;
  return [0, 1].every((axis) => places(image[2 + axis], kernel[axis], stride[axis], padding[axis], dilation[axis]) > 0);
}

/** One line that tells a case from the others. */
export function describeConvolution({ image, outputs, kernel, geometry }: ConvolutionCase): string {
  const { stride, padding, dilation, groups } = geometry;
  const numbers = `stride ${stride}, padding ${padding}, dilation ${dilation}, groups ${groups}`;
  return `[${image}] under ${outputs} of ${kernel}, ${numbers}`;
}
