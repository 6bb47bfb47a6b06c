import { type ConvGeometry, windowExtents } from '../../kernels/geometry.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Accumulated, AccumulateOptions, IntegerArray } from './engine.js';
import { accumulate, checkIntegers, inputExtremes } from './engine.js';
import { LANES } from './weights.js';

/**
 * A 2-d convolution on P-bit accumulators, in integers, every partial sum checked.
 *
 * @param x `[N, C, H, W]` integer inputs; padding is the integer 0.
 * @param w `[O, C/groups, kh, kw]` integers; an accumulator per output channel, of K = C/groups·kh·kw terms, no bias
 * @returns `y [N, O, oh, ow]` and the overflow counts.
 * @throws ShapeError if the shapes do not fit; QuantError on a bad P, mode or order, or sums that may reach 2^52.
 */
export function accumulateConv2d(
  x: IntegerArray,
  w: IntegerArray,
  geometry: ConvGeometry,
  options: AccumulateOptions,
): Accumulated {
  const [oh, ow] = outputExtents(x, w, geometry);
  const [batch] = x.shape;
  const [channels, ...terms] = w.shape;
  const positions = oh * ow;
  const y = new Float64Array(batch * channels * positions);
  const counts = accumulate(
    {
      weights: w.data,
      length: terms.reduce((product, extent) => product * extent, 1),
      groups: geometry.groups,
      vectors: batch * positions,
      inputs: inputExtremes(x.data),
      gather: patchGatherer(x, w.shape, geometry, ow, positions),
      outputIndex: (row, vector) => {
        const image = Math.floor(vector / positions);
        return (image * channels + row) * positions + vector - image * positions;
      },
    },
    options,
    y,
  );
  return { y: { data: y, shape: [batch, channels, oh, ow] }, ...counts };
}

/** Copies the patch under one window, channels outermost, as the weights lie; zeros outside the image. */
function patchGatherer(
  x: IntegerArray,
  weightShape: readonly number[],
  geometry: ConvGeometry,
  ow: number,
  positions: number,
): (group: number, vector: number, panel: Int32Array, lane: number) => void {
  const [, inputChannels, height, width] = x.shape;
  const [, depth, kh, kw] = weightShape;
  const { stride, padding, dilation } = geometry;
  const data = x.data;
  return (group, vector, panel, lane) => {
    const image = Math.floor(vector / positions);
    const position = vector - image * positions;
    const row = Math.floor(position / ow);
    const top = row * stride[0] - padding[0];
    const left = (position - row * ow) * stride[1] - padding[1];
    let at = lane;
    for (let channel = 0; channel < depth; channel++) {
      const plane = (image * inputChannels + group * depth + channel) * height;
      for (let i = 0; i < kh; i++) {
        const h = top + i * dilation[0];
        const line = (plane + h) * width;
        const inImage = h >= 0 && h < height;
        for (let j = 0; j < kw; j++, at += LANES) {
          const v = left + j * dilation[1];
          panel[at] = inImage && v >= 0 && v < width ? data[line + v] : 0;
        }
      }
    }
  };
}

function outputExtents(x: IntegerArray, w: IntegerArray, geometry: ConvGeometry): [number, number] {
  checkIntegers('accumulateConv2d', 'x', x, 4);
  checkIntegers('accumulateConv2d', 'w', w, 4);
  const { stride, padding, dilation, groups } = geometry;
  const isCount = (value: number) => Number.isInteger(value) && value >= 1;
  const paddingFits = padding.every((value) => Number.isInteger(value) && value >= 0);
  if (!paddingFits || ![...stride, ...dilation, groups].every(isCount))
    throw new ShapeError('accumulateConv2d', 'stride, dilation and groups must be positive, padding non-negative');
  if (x.shape[1] !== w.shape[1] * groups || w.shape[0] % groups !== 0)
    throw new ShapeError('accumulateConv2d', `channels do not fit ${groups} groups`, [x.shape, w.shape]);

  const [, , height, width] = x.shape;
  const [oh, ow] = windowExtents({ ...geometry, kernel: [w.shape[2], w.shape[3]] }, height, width);
  if (oh < 1 || ow < 1)
    throw new ShapeError('accumulateConv2d', 'the window is larger than the padded input', [x.shape, w.shape]);
  return [oh, ow];
}
