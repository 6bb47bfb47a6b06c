import { asInteger } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import { asGraph } from './graph/argument.js';
import { checkGraph } from './graph/check.js';
import { type IntegerGraph, type IntegerTensor, isProduct, type ProductNode } from './graph/graph.js';
import { type ChannelRange, type Extremes, extremesOf, inferRanges } from './graph/ranges.js';

/** Part of a channel's weights, whose sum of products fits a register in any order. */
export interface RegisterGroup {
  /** Which weights, along the channel's `[C/groups, kh, kw]` or `[K]`, ascending. */
  readonly indices: Int32Array;
  /** How much of each; a weight may be spread over several groups. */
  readonly units: Int32Array;
  /** The exact extremes of the group's sum over all inputs; every partial sum lies between them. */
  readonly low: number;
  readonly high: number;
}

/** The groups of one layer with an accumulator. */
export interface RegisterLayer {
  readonly node: string;
  /** Of the layer's inputs: c and d. */
  readonly input: Extremes;
  /** Of the whole sums, which the register that adds up the groups holds. */
  readonly sums: Extremes;
  /** For each output channel; null where one input alone can be beyond the register, so that no grouping helps. */
  readonly channels: readonly (readonly RegisterGroup[])[] | null;
}

/**
 * Deals the weights of every layer, unit by unit, into groups that provably fit a signed register of so many bits, as
 * few as can be for unsigned inputs: `max(⌈α/U⁺⌉, ⌈β/U⁻⌉)` of a channel, with α and β the sums of its positive and of
 * its negative weights, `U⁺ = ⌊(2^(R−1) − 1)/d⌋` and `U⁻ = ⌊2^(R−1)/d⌋`. The groups of a channel add up to its weights:
 * the network's integers do not change, whatever P they were trained for.
 * @param registerBits R, 2 … 32
 * @throws DataError if the graph is none
 */
export function registerGroups(graph: IntegerGraph, registerBits: number): RegisterLayer[] {
  checkGraph(asGraph('registerGroups', graph), 'the network');
  asInteger('registerGroups', 'registerBits', registerBits, 2, 32);
  const ranges = inferRanges(graph);
  return graph.nodes.filter(isProduct).map((node) => {
    const weights = graph.tensors.get(node.weights) as IntegerTensor;
    const input = extremesOf(ranges.get(node.inputs[0]) as ChannelRange);
    const sums = extremesOf(ranges.get(node.name) as ChannelRange);
    return { node: node.name, input, sums, channels: channelsOf(node, weights, input, registerBits) };
  });
}

function channelsOf(
  node: ProductNode,
  { shape, data }: IntegerTensor,
  input: Extremes,
  registerBits: number,
): RegisterGroup[][] | null {
  const length = data.length / shape[0];
  const channels: RegisterGroup[][] = [];
  for (let channel = 0; channel < shape[0]; channel++) {
    const weights = data.subarray(channel * length, (channel + 1) * length);
    const groups = deal(weights, input, 2 ** (registerBits - 1));
    if (groups === null) return null;
    prove(groups, weights, input, registerBits, `${node.name}, channel ${channel}`);
    channels.push(groups);
  }
  return channels;
}

/** A group that is being filled. */
interface Open {
  readonly indices: number[];
  readonly units: number[];
  low: number;
  high: number;
}

/** How many units of a size there is room for. */
function room(left: number, unit: number): number {
  return unit === 0 ? Number.POSITIVE_INFINITY : Math.floor(left / unit);
}

/** Each unit goes to the first group that can take it; null if an empty one cannot. */
function deal(weights: ArrayLike<number>, { low: c, high: d }: Extremes, most: number): RegisterGroup[] | null {
  const groups: Open[] = [];
  // A group that cannot take one more positive unit never can again; likewise for negative ones.
  const first = { rising: 0, falling: 0 };
  for (let index = 0; index < weights.length; index++) {
    const rising = weights[index] > 0;
    const [up, down] = rising ? [d, -c] : [-c, d];
    const kind = rising ? 'rising' : 'falling';
    let left = Math.abs(weights[index]);
    while (left > 0) {
      const at = first[kind];
      if (at === groups.length) groups.push({ indices: [], units: [], low: 0, high: 0 });
      const group = groups[at];
      const taken = Math.min(left, room(most - 1 - group.high, up), room(most + group.low, down));
      if (taken === 0 && group.indices.length === 0) return null;
      if (taken === 0) {
        first[kind]++;
        continue;
      }
      group.indices.push(index);
      group.units.push(rising ? taken : -taken);
      group.low -= taken * down;
      group.high += taken * up;
      left -= taken;
    }
  }
  return groups.map(({ indices, units, low, high }) => {
    return { indices: Int32Array.from(indices), units: Int32Array.from(units), low, high };
  });
}

/**
 * Tests from the groups alone that each fits the register and that they add up to the weights.
 * @throws QuantError if one does not
 */
function prove(
  groups: readonly RegisterGroup[],
  weights: ArrayLike<number>,
  { low: c, high: d }: Extremes,
  registerBits: number,
  what: string,
): void {
  const left = Array.from(weights);
  for (const { indices, units, low, high } of groups) {
    const sum = { low: 0, high: 0 };
    for (let i = 0; i < units.length; i++) {
      left[indices[i]] -= units[i];
      sum.low += units[i] * (units[i] > 0 ? c : d);
      sum.high += units[i] * (units[i] > 0 ? d : c);
    }
    if (sum.low !== low || sum.high !== high || low < -(2 ** (registerBits - 1)) || high >= 2 ** (registerBits - 1)) {
      throw new QuantError('registerGroups', `${what}: a group of ${low} … ${high} does not fit ${registerBits} bits`);
    }
  }
  if (left.some((rest) => rest !== 0))
    throw new QuantError('registerGroups', `${what}: the groups are not its weights`);
}
