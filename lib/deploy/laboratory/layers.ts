import { type InputBounds, worstCase } from '../../quant/accumulator.js';
import { dataTypeAccumulatorBits } from '../../quant/bounds.js';
import { bitsToHold } from '../../quant/integerRange.js';
import { asStrings } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';
import type { SumScheme } from '../accumulator/summation.js';
import { asGraph } from '../graph/argument.js';
import { checkGraph } from '../graph/check.js';
import { type IntegerGraph, type IntegerTensor, isProduct, type ProductNode } from '../graph/graph.js';
import { type ChannelRange, extremesOf, type GraphRanges, inferRanges } from '../graph/ranges.js';

/** A layer whose sums are looked at, and what is known of them beforehand. */
export interface WatchedLayer {
  readonly node: ProductNode;
  /** K, terms of a sum. */
  readonly length: number;
  /** The integers that its inputs can be. */
  readonly inputs: InputBounds;
  /** P that the layer was trained for; null if nobody constrained it. */
  readonly claimedBits: number | null;
  /** The certified range: what any partial sum can be, over all channels, inputs and orders. */
  readonly low: number;
  readonly high: number;
  /** Narrowest register that holds it. */
  readonly safeBits: number;
  /** Narrowest register that holds the sums of any weights of that many bits (the data-type bound of the papers). */
  readonly dataTypeBits: number;
}

/**
 * The layers of a network whose sums are looked at: those named, or `all`; by default those constrained to a P, and
 * where there are none, all but the first and the last, as the papers have it.
 * @throws QuantError if a name is not that of a layer with an accumulator, DataError if the graph is none
 */
export function watchedLayers(graph: IntegerGraph, names?: readonly string[] | 'all'): WatchedLayer[] {
  checkGraph(asGraph('watchedLayers', graph), 'the network');
  const products = graph.nodes.filter(isProduct);
  const ranges = inferRanges(graph);
  return chosen(products, names).map((node) => describe(node, graph, ranges));
}

function chosen(
  products: readonly ProductNode[],
  names: readonly string[] | 'all' | undefined,
): readonly ProductNode[] {
  if (names === 'all') return products;
  if (names === undefined) {
    const constrained = products.filter(({ accumulatorBits }) => accumulatorBits !== null);
    if (constrained.length > 0) return constrained;
    return products.length > 2 ? products.slice(1, -1) : products;
  }
  return asStrings('watchedLayers', 'the names of layers', names).map((name) => {
    const found = products.find((node) => node.name === name);
    if (found) return found;
    const there = products.map((node) => node.name).join(', ');
    throw new QuantError('watchedLayers', `${name} is no layer with an accumulator; there are ${there}`);
  });
}

function describe(node: ProductNode, graph: IntegerGraph, ranges: GraphRanges): WatchedLayer {
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const { low, high } = extremesOf(ranges.get(node.name) as ChannelRange);
  const inputs = extremesOf(ranges.get(node.inputs[0]) as ChannelRange);
  const length = data.length / shape[0];
  const signed = inputs.low < 0;
  const bits = Math.max(1, bitsToHold(inputs.low, inputs.high) - (signed ? 0 : 1));
  return {
    ...{ node, length, inputs, claimedBits: node.accumulatorBits, low, high },
    safeBits: bitsToHold(low, high),
    dataTypeBits: dataTypeAccumulatorBits(length, node.weightBits, { bits, signed }),
  };
}

/** Whether no input whatever can overflow any register of a scheme: each tile fits an inner one, each sum an outer. */
export function isProved({ node, length, inputs, low, high }: WatchedLayer, graph: IntegerGraph, scheme: SumScheme) {
  if (low < scheme.outer.low || high > scheme.outer.high) return false;
  if (scheme.inner.bits === scheme.outer.bits) return true;
  const { data } = graph.tensors.get(node.weights) as IntegerTensor;
  for (let row = 0; row < data.length; row += length) {
    for (let from = 0; from < length; from += scheme.tile) {
      const tile = data.subarray(row + from, row + Math.min(length, from + scheme.tile));
      const { min, max } = worstCase(tile, inputs);
      if (min < scheme.inner.low || max > scheme.inner.high) return false;
    }
  }
  return true;
}
