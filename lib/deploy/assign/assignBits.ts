import { testAccumulator } from '../../quant/accumulator.js';
import { MAX_BITS } from '../../quant/integerRange.js';
import { asChoice, asFunction, asNumber, asOptions } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { asGraph } from '../graph/argument.js';
import { checkGraph } from '../graph/check.js';
import { type IntegerGraph, type IntegerTensor, isProduct, type ProductNode } from '../graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../graph/ranges.js';
import type { IntegerValue } from '../runtime/reference.js';
import { COSTS, type Cost, countZeros, layerCost } from './cost.js';
import { narrowLayer } from './narrow.js';

/** What may be given up, and for what. */
export interface AssignOptions {
  /** What is to be small. */
  readonly cost: Cost;
  /** How much of the metric may be lost, in its own units, at least 0. */
  readonly maxLoss: number;
  /** Integers of the network's input `[N, …]`, by which thresholds are moved. */
  readonly samples: IntegerValue;
  /** The metric of a network; higher is better. */
  readonly measure: (graph: IntegerGraph) => Promise<number>;
  /** Told each width that is tried. */
  readonly onTry?: (layer: string, bits: number, loss: number) => void;
}

/** The width that a layer got. */
export interface AssignedLayer {
  readonly layer: string;
  /** Least P without a change, by the exact test; and P now. */
  readonly safeBits: number;
  readonly bits: number;
  /** Share of zero weights, before and now. */
  readonly zeros: readonly [before: number, now: number];
  readonly cost: readonly [before: number, now: number];
}

/** A network with narrower accumulators. */
export interface Assignment {
  /** Each layer claims its P, which holds by the exact test. */
  readonly graph: IntegerGraph;
  readonly layers: readonly AssignedLayer[];
  readonly metric: readonly [before: number, now: number];
  readonly cost: readonly [before: number, now: number];
}

/**
 * Chooses the accumulator width of every layer without retraining. The least P of a layer as it is follows from its
 * weights ({@link testAccumulator}) and costs nothing; below it, weights are clipped onto the budget of P and the
 * thresholds behind them moved. What each width of each layer loses alone is measured first; then bits are taken one
 * after the other where they save most for what they lose, and each step is measured on the whole network.
 *
 * @throws DataError if the graph is none, or has no layer; ArgumentError for other options
 */
export async function assignBits(graph: IntegerGraph, options: AssignOptions): Promise<Assignment> {
  const { cost, maxLoss, samples, measure, onTry } = asOptions('assignBits', options);
  checkGraph(asGraph('assignBits', graph), 'assignBits');
  asChoice('assignBits', 'cost', cost, COSTS);
  if (!(asNumber('assignBits', 'maxLoss', maxLoss) >= 0))
    throw new DataError('assignBits', 'maxLoss must be at least 0');
  asFunction('assignBits', 'measure', measure);
  if (onTry) asFunction('assignBits', 'onTry', onTry);
  const layers = graph.nodes.filter(isProduct).map((node) => ({ name: node.name, safeBits: safeBitsOf(graph, node) }));
  if (layers.length === 0) throw new DataError('assignBits', 'the network has no layer with an accumulator');
  const safe = layers.reduce((made, { name, safeBits }) => narrowLayer(made, name, safeBits, samples), graph);
  const before = await measure(safe);
  const attempt = async (from: IntegerGraph, layer: string, bits: number) => {
    const made = narrowLayer(from, layer, bits, samples);
    const loss = before - (await measure(made));
    onTry?.(layer, bits, loss);
    return { made, loss };
  };

  const steps: Step[] = [];
  for (const { name, safeBits } of layers) {
    let last = { loss: 0, cost: costOf(safe, name, safeBits, cost) };
    for (let bits = safeBits - 1; bits >= 2; bits--) {
      const { made, loss } = await attempt(safe, name, bits);
      if (loss > maxLoss) break;
      const next = { loss, cost: costOf(made, name, bits, cost) };
      steps.push({ layer: name, bits, worth: (last.cost - next.cost) / Math.max(loss - last.loss, 1e-6) });
      last = next;
    }
  }
  let current = safe;
  const given = new Map(layers.map(({ name, safeBits }) => [name, safeBits]));
  let open = steps;
  while (open.length > 0) {
    const next = open.filter(({ layer, bits }) => bits === (given.get(layer) as number) - 1);
    const best = next.reduce((most, each) => (each.worth > most.worth ? each : most));
    const { made, loss } = await attempt(current, best.layer, best.bits);
    if (loss <= maxLoss) {
      current = made;
      given.set(best.layer, best.bits);
    }
    open = open.filter(({ layer, bits }) => layer !== best.layer || (loss <= maxLoss && bits < best.bits));
  }
  const assigned = layers.map(({ name, safeBits }): AssignedLayer => {
    const bits = given.get(name) as number;
    return {
      ...{ layer: name, safeBits, bits },
      zeros: [zerosOf(safe, name), zerosOf(current, name)],
      cost: [costOf(safe, name, safeBits, cost), costOf(current, name, bits, cost)],
    };
  });
  const total = (which: 0 | 1) => assigned.reduce((sum, each) => sum + each.cost[which], 0);
  checkGraph(current, 'assignBits');
  return {
    ...{ graph: current, layers: assigned },
    metric: [before, await measure(current)],
    cost: [total(0), total(1)],
  };
}

/** One bit less of one layer. */
interface Step {
  readonly layer: string;
  readonly bits: number;
  /** Cost saved for what it loses. */
  readonly worth: number;
}

function nodeOf(graph: IntegerGraph, layer: string): ProductNode {
  return graph.nodes.find(({ name }) => name === layer) as ProductNode;
}

function costOf(graph: IntegerGraph, layer: string, bits: number, cost: Cost): number {
  return layerCost(graph, nodeOf(graph, layer), bits, cost);
}

function zerosOf(graph: IntegerGraph, layer: string): number {
  const { data } = graph.tensors.get(nodeOf(graph, layer).weights) as IntegerTensor;
  return countZeros(data) / data.length;
}

/** Least P of a layer as it is, at least 2: what the graph can say. */
function safeBitsOf(graph: IntegerGraph, node: ProductNode): number {
  const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
  const input = extremesOf(inferRanges(graph).get(node.inputs[0]) as ChannelRange);
  const { safeBits } = testAccumulator(data, shape[0], input, MAX_BITS);
  if (safeBits <= MAX_BITS) return Math.max(2, safeBits);
  throw new DataError('assignBits', `${node.name} needs ${safeBits} bits, beyond the ${MAX_BITS} of any register here`);
}
