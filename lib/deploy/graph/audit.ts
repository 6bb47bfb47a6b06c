import { type LayerTest, testAccumulator, witness } from '../../quant/accumulator.js';
import { bitsToHold } from '../../quant/integerRange.js';
import { sha256 } from '../../tensor/sha256.js';
import { checkGraph } from './check.js';
import { type GraphNode, type IntegerGraph, type IntegerTensor, isProduct, type ProductNode } from './graph.js';
import { type ChannelRange, type Extremes, extremesOf, type GraphRanges, inferRanges, scalingRange } from './ranges.js';

/**
 * The audit of an integer graph: what every register of it can hold, exactly, over every input and every order of
 * summation. Where a value comes from decides what it can be: a requantization gives the integers of its grid, sums
 * give what their terms add up to. Biases are in thresholds or offsets, so no accumulator of products adds one.
 */

/** The inputs that drive the fullest channel of a layer to its extremes, `[K]` each. */
export interface GraphWitness {
  readonly channel: number;
  /** Largest and smallest partial sum over all inputs and orders. */
  readonly max: number;
  readonly min: number;
  readonly maxInput: readonly number[];
  readonly minInput: readonly number[];
}

/** The verdict on a node that sums products. */
export interface GraphLayerAudit {
  readonly layer: string;
  readonly op: ProductNode['op'];
  /** M. */
  readonly weightBits: number;
  /** c and d: all that the inputs can be. */
  readonly input: Extremes;
  /** K, and the number of accumulators. */
  readonly length: number;
  readonly channels: number;
  /** P the layer claims; null if it claims none. */
  readonly accumulatorBits: number | null;
  /** Smallest P that is safe for every channel, whatever the inputs. */
  readonly safeBits: number;
  /** P − safeBits: negative if the claim does not hold; null without a claim. */
  readonly margin: number | null;
  /** Largest and smallest partial sum of any channel. */
  readonly max: number;
  readonly min: number;
  /** Largest ‖q‖₁ of a channel, and `⌊(2^P − 2)/(d − c)⌋`, what P allows balanced weights; null without a claim. */
  readonly l1: number;
  readonly budget: number | null;
  /** How many weights are 0. */
  readonly zeros: number;
  /** SHA-256 of the integer weights as row-major little-endian int32, hexadecimal. */
  readonly weightsSha256: string;
  /** Of each channel: α and β, the sums of its positive and of its negative weights; its extreme partial sums. */
  readonly alpha: readonly number[];
  readonly beta: readonly number[];
  readonly channelMax: readonly number[];
  readonly channelMin: readonly number[];
  /** The channel that needs the widest register. */
  readonly worst: GraphWitness;
  /** Whether no input and no order overflows P bits; null if no P is claimed. */
  readonly proved: boolean | null;
}

/**
 * What a register holds: sums of products; sums of values (residual adds, pools); an accumulator beside the thresholds
 * it is compared with; a fixed-point product with its offset.
 */
export type RegisterUse = 'products' | 'values' | 'comparison' | 'scaling';

/** A register of a node: what it can hold, partial sums included, and how many bits that takes. */
export interface RegisterAudit {
  readonly node: string;
  readonly holds: RegisterUse;
  readonly min: number;
  readonly max: number;
  readonly bits: number;
}

/** The verdict on an integer graph. */
export interface GraphAudit {
  /** Whether every P that is claimed holds, and one is. */
  readonly proved: boolean;
  /** Smallest P that is safe for all layers that claim one; null if none does. */
  readonly safeBits: number | null;
  /** Nodes with products, in their order. */
  readonly layers: readonly GraphLayerAudit[];
  /** Every register of the network, those of the layers included, in the order of the nodes. */
  readonly registers: readonly RegisterAudit[];
}

/**
 * Audits every register of an integer graph, for images of the size it was made for: a pool over whole planes sums more
 * of larger ones.
 * @throws DataError if the graph is none
 */
export async function auditGraph(graph: IntegerGraph): Promise<GraphAudit> {
  checkGraph(graph, 'auditGraph');
  const ranges = inferRanges(graph);
  const layers: GraphLayerAudit[] = [];
  const registers: RegisterAudit[] = [];
  for (const node of graph.nodes) {
    if (isProduct(node)) layers.push(await auditProduct(node, graph, ranges));
    const held = registerOf(node, graph, ranges);
    if (held !== null) registers.push(held);
  }
  const claims = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  return {
    proved: claims.length > 0 && claims.every(({ proved }) => proved),
    safeBits: claims.length > 0 ? claims.reduce((most, { safeBits }) => Math.max(most, safeBits), 1) : null,
    layers,
    registers,
  };
}

async function auditProduct(node: ProductNode, graph: IntegerGraph, ranges: GraphRanges): Promise<GraphLayerAudit> {
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const { low, high } = extremesOf(ranges.get(node.inputs[0]) as ChannelRange);
  const input = { low: low + 0, high: high + 0 };
  const { accumulatorBits: claimed } = node;
  const test = testAccumulator(data, shape[0], input, claimed ?? 32);
  const { safeBits, channels } = test;
  const span = input.high - input.low;
  return {
    ...{ layer: node.name, op: node.op, weightBits: node.weightBits, input },
    ...{ length: data.length / shape[0], channels: shape[0], accumulatorBits: claimed, safeBits },
    margin: claimed === null ? null : claimed - safeBits,
    max: channels.reduce((most, { max }) => Math.max(most, max), 0),
    min: channels.reduce((least, { min }) => Math.min(least, min), 0),
    l1: channels.reduce((most, { l1 }) => Math.max(most, l1), 0),
    budget: claimed === null || span === 0 ? null : Math.floor((2 ** claimed - 2) / span),
    zeros: countZeros(data),
    weightsSha256: await integersSha256(data),
    alpha: channels.map(({ alpha }) => alpha),
    beta: channels.map(({ beta }) => beta),
    channelMax: channels.map(({ max }) => max),
    channelMin: channels.map(({ min }) => min),
    worst: worstOf(test, data),
    proved: claimed === null ? null : test.safe,
  };
}

/** The first channel whose sums go furthest in either direction, as two's complement counts: −1 as far as 0. */
function worstOf({ channels, input }: LayerTest, data: IntegerTensor['data']): GraphWitness {
  const reach = channels.map(({ max, min }) => Math.max(max, -min - 1));
  const channel = reach.indexOf(reach.reduce((most, each) => Math.max(most, each), 0));
  const length = data.length / channels.length;
  const inputs = witness(data.subarray(channel * length, (channel + 1) * length), input);
  const { max, min } = channels[channel];
  return { channel, max, min, maxInput: [...inputs.max], minInput: [...inputs.min] };
}

/** The register of a node; null if it only moves values. */
function registerOf(node: GraphNode, { tensors }: IntegerGraph, ranges: GraphRanges): RegisterAudit | null {
  const own = extremesOf(ranges.get(node.name) as ChannelRange);
  const input = ranges.get(node.inputs[0]) as ChannelRange;
  const register = (holds: RegisterUse, { low, high }: Extremes): RegisterAudit => {
    return { node: node.name, holds, min: low + 0, max: high + 0, bits: bitsToHold(low, high) };
  };
  switch (node.op) {
    case 'conv':
    case 'linear':
      return register('products', own);
    case 'add':
    case 'sumPool':
      return register('values', own);
    case 'requantize': {
      if (node.mode === 'fixed') return register('scaling', scalingRange(node, input, tensors));
      const { data } = tensors.get(node.thresholds) as IntegerTensor;
      let { low, high } = extremesOf(input);
      for (const threshold of data) {
        low = Math.min(low, threshold);
        high = Math.max(high, threshold);
      }
      return register('comparison', { low, high });
    }
    default:
      return null;
  }
}

function countZeros(q: IntegerTensor['data']): number {
  let zeros = 0;
  for (const weight of q) if (weight === 0) zeros += 1;
  return zeros;
}

function integersSha256(q: IntegerTensor['data']): Promise<string> {
  const bytes = new DataView(new ArrayBuffer(q.length * 4));
  for (let i = 0; i < q.length; i++) bytes.setInt32(i * 4, q[i], true);
  return sha256(new Uint8Array(bytes.buffer));
}
