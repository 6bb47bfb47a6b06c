import { asInstance } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import { asGraph } from './argument.js';
import type { FixedPointNode, GraphNode, IntegerGraph, IntegerTensor, ProductNode } from './graph.js';
import { type GraphShapes, inferShapes } from './shapes.js';

/** The integers that every channel (axis 1) of a value can take: exactly, over every input and order of summation. */
export interface ChannelRange {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** The ranges of all values, by name; one entry if all channels have one range. */
export type GraphRanges = ReadonlyMap<string, ChannelRange>;

/** The integers `low … high`, both included. */
export interface Extremes {
  readonly low: number;
  readonly high: number;
}

/** The smallest and the largest integer of any channel. */
export function extremesOf({ low, high }: ChannelRange): Extremes {
  const least = low.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return { low: least, high: high.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) };
}

/**
 * The range of every value. With α and β the sums of the positive and of the negative weights of a channel, its sums
 * are `c·α + d·β … d·α + c·β` for inputs `c … d`; since 0 is among these, that also bounds every partial sum.
 * @throws DataError if a value can leave int32, or a fixed-point product the 53 bits in which it is exact
 */
export function inferRanges(graph: IntegerGraph, given?: GraphShapes): GraphRanges {
  asGraph('inferRanges', graph);
  const shapes = given === undefined ? inferShapes(graph) : asInstance('inferRanges', 'the shapes', given, Map);
  const ranges = new Map<string, ChannelRange>();
  ranges.set(graph.input.name, uniform(graph.input));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => ranges.get(name) as ChannelRange);
    const range = rangeOf(node, inputs, graph.tensors, shapes);
    const { low, high } = extremesOf(range);
    // Sums that were rounded, beyond 2^53, were so far away that they are found here all the same.
    if (low < -(2 ** 31) || high >= 2 ** 31) {
      throw new DataError('graph', `${node.name} can be ${low} … ${high}, beyond int32`);
    }
    ranges.set(node.name, range);
  }
  return ranges;
}

/** The range of a node's result. */
export function rangeOf(
  node: GraphNode,
  inputs: readonly ChannelRange[],
  tensors: ReadonlyMap<string, IntegerTensor>,
  shapes: GraphShapes,
): ChannelRange {
  switch (node.op) {
    case 'conv':
    case 'linear':
      return sums(node, extremesOf(inputs[0]), tensors);
    case 'add': {
      const bounds = inputs.map(extremesOf);
      return uniform({
        low: bounds.reduce((sum, { low }) => sum + low, 0),
        high: bounds.reduce((sum, { high }) => sum + high, 0),
      });
    }
    case 'sumPool': {
      const plane = (shapes.get(node.inputs[0]) as readonly number[]).slice(2);
      const terms = sizeOf(node.kernel ?? plane);
      const { low, high } = extremesOf(inputs[0]);
      return uniform({ low: low * terms, high: high * terms });
    }
    case 'requantize':
      if (node.mode === 'fixed') checkScaling(node, inputs[0], tensors);
      return uniform(node);
    case 'concat': {
      const bounds = inputs.map(extremesOf);
      return uniform({
        low: Math.min(...bounds.map(({ low }) => low)),
        high: Math.max(...bounds.map(({ high }) => high)),
      });
    }
    case 'maxPool':
    case 'upsample':
      return inputs[0];
    case 'pixelShuffle':
    case 'reshape':
    case 'permute':
      return uniform(extremesOf(inputs[0]));
  }
}

function sums(
  node: ProductNode,
  { low: c, high: d }: Extremes,
  tensors: ReadonlyMap<string, IntegerTensor>,
): ChannelRange {
  const { shape, data } = tensors.get(node.weights) as IntegerTensor;
  const [channels] = shape;
  const length = data.length / channels;
  const low = new Float64Array(channels);
  const high = new Float64Array(channels);
  for (let i = 0; i < data.length; i++) {
    const channel = Math.floor(i / length);
    const q = data[i];
    low[channel] += q > 0 ? c * q : d * q;
    high[channel] += q > 0 ? d * q : c * q;
  }
  return { low, high };
}

/**
 * What `a·multiplier + offset·2^lift + 2^(shift−1)` and every part of it can be, for accumulators of a range. Exact
 * below 2^53.
 */
export function scalingRange(
  node: FixedPointNode,
  { low, high }: ChannelRange,
  tensors: ReadonlyMap<string, IntegerTensor>,
): Extremes {
  const named = (name: string) => (tensors.get(name) as IntegerTensor).data;
  const [multiplier, offset, shift] = [named(node.multiplier), named(node.offset), named(node.shift)];
  const channels = Math.max(low.length, offset.length);
  const found = { low: 0, high: 0 };
  for (let i = 0; i < channels; i++) {
    const row = offset.length === 1 ? 0 : i;
    const range = low.length === 1 ? 0 : i;
    const products = [low[range] * multiplier[row], high[range] * multiplier[row]];
    const lifted = offset[row] * 2 ** node.lift;
    const half = shift[row] === 0 ? 0 : 2 ** (shift[row] - 1);
    found.low = Math.min(found.low, Math.min(...products) + Math.min(0, lifted));
    found.high = Math.max(found.high, Math.max(...products) + Math.max(0, lifted) + half);
  }
  return found;
}

/** @throws DataError if a product, an offset or their sum could need more than 53 bits */
function checkScaling(node: FixedPointNode, a: ChannelRange, tensors: ReadonlyMap<string, IntegerTensor>): void {
  const { low, high } = scalingRange(node, a, tensors);
  if (Number.isSafeInteger(low) && Number.isSafeInteger(high)) return;
  throw new DataError('graph', `${node.name}: its products can leave the 53 bits in which they are exact`);
}

/** All channels alike. */
function uniform({ low, high }: Extremes): ChannelRange {
  return { low: Float64Array.of(low), high: Float64Array.of(high) };
}
