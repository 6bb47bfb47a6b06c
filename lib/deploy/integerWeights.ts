import { noGrad } from '../autograd/tape.js';
import { integerRange } from '../quant/integerRange.js';
import type { QuantLayer } from '../quant/layers.js';
import { integers } from '../quant/quantTensor.js';
import { QuantError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';

/** `[O, K]` integers of a layer. @throws QuantError unless the weights lie on their grid, within M bits */
export async function integerWeights(name: string, layer: QuantLayer): Promise<Int32Array> {
  const { grid, bits } = scope(() =>
    noGrad(() => {
      const quantized = layer.quantWeight();
      return { grid: integers(quantized), bits: quantized.bits };
    }),
  );
  const values = await grid.data();
  dispose(grid);
  const { low, high } = integerRange(bits, { signed: true });
  const q = Int32Array.from(values);
  if (values.some((value, i) => value !== q[i] || value < low || value > high)) {
    throw new QuantError('audit', `the weights of ${name} are no integers of ${bits} bits`);
  }
  return q;
}
