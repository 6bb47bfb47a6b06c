import { ShapeError } from '../../tensor/errors.js';
import type { Accumulated, AccumulateOptions, IntegerArray } from './engine.js';
import { accumulate, checkIntegers, inputExtremes } from './engine.js';
import { LANES } from './weights.js';

/**
 * A linear layer on P-bit accumulators: `y = x·wᵀ` in integers, every partial sum checked.
 *
 * @param x `[batch, in]` integer inputs.
 * @param w `[out, in]` integer weights; one row is one accumulator. No bias: that is for a wider register.
 * @returns `y [batch, out]` and the overflow counts.
 * @throws ShapeError if the shapes do not fit; QuantError on a bad P, mode or order, or sums that may reach 2^52.
 * @example
 * const x = { data: Int32Array.of(15, 15), shape: [1, 2] };
 * const w = { data: Int32Array.of(7, 7), shape: [1, 2] };
 * const { y, overflows } = accumulateLinear(x, w, { accumulatorBits: 8, overflow: 'wrap' });
 * [...y.data]; // [−46]: in place of 210
 * overflows; // 1
 */
export function accumulateLinear(x: IntegerArray, w: IntegerArray, options: AccumulateOptions): Accumulated {
  checkIntegers('accumulateLinear', 'x', x, 2);
  checkIntegers('accumulateLinear', 'w', w, 2);
  const [batch, length] = x.shape;
  const [channels] = w.shape;
  if (w.shape[1] !== length) throw new ShapeError('accumulateLinear', 'in-features differ', [x.shape, w.shape]);

  const y = new Float64Array(batch * channels);
  const counts = accumulate(
    {
      weights: w.data,
      length,
      groups: 1,
      vectors: batch,
      inputs: inputExtremes(x.data),
      gather: (_, vector, panel, lane) => {
        for (let k = 0; k < length; k++) panel[k * LANES + lane] = x.data[vector * length + k];
      },
      outputIndex: (row, vector) => vector * channels + row,
    },
    options,
    y,
  );
  return { y: { data: y, shape: [batch, channels] }, ...counts };
}
