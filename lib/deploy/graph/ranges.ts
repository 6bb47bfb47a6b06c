import { DataError } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { ConvNode, GraphNode, IntegerGraph, IntegerTensor, LinearNode } from './graph.js';
import { type GraphShapes, inferShapes } from './shapes.js';

/** The integers that every channel (axis 1) of a value can take: exactly, over every input and order of summation. */
export interface ChannelRange {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** The ranges of all values, by name; one entry if all channels have one range. */
export type GraphRanges = ReadonlyMap<string, ChannelRange>;

/** The smallest and the largest integer of any channel. */
export function extremesOf({ low, high }: ChannelRange): { readonly low: number; readonly high: number } {
  const least = low.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return { low: least, high: high.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) };
}

/**
 * The range of every value. With α and β the sums of the positive and of the negative weights of a channel, its sums
 * are `c·α + d·β … d·α + c·β` for inputs `c … d`; since 0 is among these, that also bounds every partial sum.
 * @throws DataError if a sum could leave the 53 bits in which it is exact
 */
export function inferRanges(graph: IntegerGraph, shapes: GraphShapes = inferShapes(graph)): GraphRanges {
  const ranges = new Map<string, ChannelRange>();
  ranges.set(graph.input.name, uniform(graph.input.low, graph.input.high));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => ranges.get(name) as ChannelRange);
    const range = rangeOf(node, inputs, graph.tensors, shapes);
    const { low, high } = extremesOf(range);
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) {
      throw new DataError('graph', `${node.name}: its sums can leave the 53 bits in which they are exact`);
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
      return uniform(
        bounds.reduce((sum, { low }) => sum + low, 0),
        bounds.reduce((sum, { high }) => sum + high, 0),
      );
    }
    case 'sumPool': {
      const plane = (shapes.get(node.inputs[0]) as readonly number[]).slice(2);
      const terms = sizeOf(node.kernel ?? plane);
      const { low, high } = extremesOf(inputs[0]);
      return uniform(Math.min(0, low * terms), Math.max(0, high * terms));
    }
    case 'requantize':
      return uniform(node.low, node.high);
    case 'concat': {
      const bounds = inputs.map(extremesOf);
      return uniform(Math.min(...bounds.map(({ low }) => low)), Math.max(...bounds.map(({ high }) => high)));
    }
    case 'maxPool':
    case 'upsample':
      return inputs[0];
    case 'pixelShuffle':
    case 'reshape':
    case 'permute': {
      const { low, high } = extremesOf(inputs[0]);
      return uniform(low, high);
    }
  }
}

function sums(
  node: ConvNode | LinearNode,
  { low: c, high: d }: { readonly low: number; readonly high: number },
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

function uniform(low: number, high: number): ChannelRange {
  return { low: Float64Array.of(low), high: Float64Array.of(high) };
}
