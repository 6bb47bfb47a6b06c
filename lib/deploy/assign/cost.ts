import { bitsToHold } from '../../quant/integerRange.js';
import { sizeOf } from '../../tensor/shape.js';
import type { IntegerGraph, IntegerTensor, ProductNode } from '../graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../graph/ranges.js';
import { type GraphShapes, inferShapes } from '../graph/shapes.js';

/**
 * What a network costs on hardware that is made for it, an image: `bops` are bit operations as QONNX counts them,
 * multiplications of weights that are not 0 times M times N; `acc-bits` the bits of all accumulators, one each output.
 */
export const COSTS = ['bops', 'acc-bits'] as const;
export type Cost = (typeof COSTS)[number];

/** The cost of one layer whose accumulators have P bits. */
export function layerCost(graph: IntegerGraph, node: ProductNode, bits: number, cost: Cost): number {
  const shapes: GraphShapes = inferShapes(graph);
  const outputs = sizeOf((shapes.get(node.name) as readonly number[]).slice(1));
  if (cost === 'acc-bits') return outputs * bits;
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const { low, high } = extremesOf(inferRanges(graph).get(node.inputs[0]) as ChannelRange);
  const inputBits = bitsToHold(low, high) - (low < 0 ? 0 : 1);
  const used = data.length - countZeros(data);
  return (outputs / shape[0]) * used * node.weightBits * inputBits;
}

export function countZeros(q: ArrayLike<number>): number {
  let zeros = 0;
  for (let i = 0; i < q.length; i++) if (q[i] === 0) zeros += 1;
  return zeros;
}
