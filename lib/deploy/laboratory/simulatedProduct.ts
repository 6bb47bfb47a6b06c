import { accumulateConv2d } from '../accumulator/conv2d.js';
import type { AccumulateOptions } from '../accumulator/engine.js';
import { accumulateLinear } from '../accumulator/linear.js';
import type { IntegerTensor, ProductNode } from '../graph/graph.js';
import { type IntegerValue, repeatPixels } from '../runtime/reference.js';
import type { LayerTally } from '../simulate.js';

/** The dot products of a layer in simulated registers. @param tally to which what happened is added */
export function simulatedProduct(
  node: ProductNode,
  x: IntegerValue,
  weights: IntegerTensor,
  options: AccumulateOptions,
  tally?: LayerTally,
): IntegerValue {
  const w = { shape: weights.shape, data: Int32Array.from(weights.data) };
  const { y, overflows, outputsAffected, sums } =
    node.op === 'conv'
      ? accumulateConv2d(repeatPixels(x, node.resize), w, node, options)
      : accumulateLinear(x, w, options);
  if (tally) {
    tally.overflows += overflows;
    tally.outputsAffected += outputsAffected;
    tally.outputs += y.data.length;
    tally.sums += sums;
  }
  return { shape: y.shape, data: Int32Array.from(y.data) };
}
