import { checkBits } from '../../quant/integerRange.js';
import { asFunction, asList, asOptions } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { SumHistogram } from '../accumulator/histogram.js';
import { makeRegister, type Overflow, settle } from '../accumulator/register.js';
import type { Summation } from '../accumulator/summation.js';
import type { ScoredBatch } from '../evaluateNetwork.js';
import { asGraph } from '../graph/argument.js';
import type { IntegerGraph, IntegerTensor, ProductNode } from '../graph/graph.js';
import { computeNode, exactProduct, type IntegerValue } from '../runtime/reference.js';
import { type WatchedLayer, watchedLayers } from './layers.js';
import { simulatedProduct } from './simulatedProduct.js';

export interface AccuracyByBitsOptions {
  /** The widths P to try; every one of 2 … 32. */
  readonly bits: readonly number[];
  /** Default `sequential`; tiles here have inner registers of P bits as well. */
  readonly summation?: 'sequential' | 'pairwise' | { readonly tile: number };
  /** Names of the layers that get these registers, or `all`; the others are exact. Default: {@link watchedLayers}. */
  readonly layers?: readonly string[] | 'all';
  /** Batches whose partial sums are counted, which is slow. Default 1. */
  readonly histogramBatches?: number;
  /** Told after each batch how many samples are done. */
  readonly onBatch?: (samples: number) => void;
}

/** The metric on registers of P bits. */
export interface BitsPoint {
  readonly bits: number;
  readonly wrap: number;
  readonly saturate: number;
  /** Samples whose outputs are, to the last bit, those of exact sums. */
  readonly unchanged: { readonly wrap: number; readonly saturate: number };
}

/** What registers cost. */
export interface AccuracyByBits {
  readonly samples: number;
  /** The metric with exact sums: what the guarantee gives at any P that it is proved for. */
  readonly exact: number;
  /** By descending P. */
  readonly points: readonly BitsPoint[];
  readonly layers: readonly WatchedLayer[];
  /** Partial sums of exact runs, by the names of layers. */
  readonly histograms: ReadonlyMap<string, SumHistogram>;
}

/**
 * The metric of a network on registers of every width, wrapping and saturating, beside exact sums; and a histogram of
 * each layer's partial sums.
 *
 * @throws QuantError on a bad width, summation or layer; DataError if there is no batch
 */
export async function accuracyByBits(
  graph: IntegerGraph,
  batches: AsyncIterable<ScoredBatch> | Iterable<ScoredBatch>,
  options: AccuracyByBitsOptions,
): Promise<AccuracyByBits> {
  asGraph('accuracyByBits', graph);
  const { summation = 'sequential', histogramBatches = 1, onBatch } = asOptions('accuracyByBits', options);
  for (const bits of asList('accuracyByBits', 'bits', options.bits)) checkBits('accuracyByBits', 'P', bits, 2);
  if (onBatch) asFunction('accuracyByBits', 'onBatch', onBatch);
  const layers = watchedLayers(graph, options.layers);
  const histograms = new Map(layers.map(({ node }) => [node.name, new SumHistogram()]));
  const widths = [...new Set(options.bits)].sort((a, b) => b - a);
  const sums = widths.map((bits) => ({ bits, ...emptySums() }));
  let samples = 0;
  let exact = 0;
  let position = 0;
  for await (const batch of batches) {
    const { x, score } = asOptions('accuracyByBits', batch, 'a batch');
    const run = new ExactRun(graph, x, layers, summation);
    exact += score(run.output);
    samples += x.shape[0];
    for (const sum of sums) {
      for (const overflow of ['wrap', 'saturate'] as const) {
        const output = run.onRegisters(sum.bits, overflow);
        sum[overflow] += output === run.output ? score(run.output) : score(output);
        sum.unchanged[overflow] += equalSamples(output, run.output);
      }
    }
    if (position++ < histogramBatches) run.count(histograms);
    onBatch?.(samples);
  }
  if (samples === 0) throw new DataError('accuracyByBits', 'there is no sample');
  const points = sums.map(({ wrap, saturate, ...rest }) => {
    return { ...rest, wrap: wrap / samples, saturate: saturate / samples };
  });
  return { samples, exact: exact / samples, points, layers, histograms };
}

const emptySums = () => ({ wrap: 0, saturate: 0, unchanged: { wrap: 0, saturate: 0 } });

/** One batch computed exactly, of which runs on registers take over what they do not change. */
class ExactRun {
  readonly #values: ReadonlyMap<string, IntegerValue>;

  constructor(
    private readonly graph: IntegerGraph,
    x: IntegerValue,
    private readonly layers: readonly WatchedLayer[],
    private readonly summation: Summation,
  ) {
    const values = new Map([[graph.input.name, x]]);
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((name) => values.get(name) as IntegerValue);
      values.set(node.name, computeNode(node, inputs, graph.tensors));
    }
    this.#values = values;
  }

  get output(): IntegerValue {
    return this.#values.get(this.graph.output.value) as IntegerValue;
  }

  /** The output with the layers' sums in registers of so many bits; the very same object if nothing changed. */
  onRegisters(accumulatorBits: number, overflow: Overflow): IntegerValue {
    const { graph, summation } = this;
    const values = new Map(this.#values);
    const exact = (name: string) => this.#values.get(name) as IntegerValue;
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((name) => values.get(name) as IntegerValue);
      const same = node.inputs.every((name) => values.get(name) === exact(name));
      const layer = this.layers.find((each) => each.node === node);
      if (same && (layer === undefined || layer.safeBits <= accumulatorBits)) continue;
      const register = (product: ProductNode, x: IntegerValue, w: IntegerTensor) => {
        if (layer === undefined) return exactProduct(product, x, w);
        if (overflow === 'saturate') return simulatedProduct(product, x, w, { accumulatorBits, overflow, summation });
        // Where all registers wrap at one width, any order of sums ends at the low bits of the exact one.
        return wrapped(same ? exact(node.name) : exactProduct(product, x, w), accumulatorBits);
      };
      const value = computeNode(node, inputs, graph.tensors, register);
      values.set(node.name, equal(value.data, exact(node.name).data) ? exact(node.name) : value);
    }
    return values.get(graph.output.value) as IntegerValue;
  }

  /** Counts the partial sums of the layers. */
  count(histograms: ReadonlyMap<string, SumHistogram>): void {
    const { graph, summation } = this;
    for (const { node } of this.layers) {
      const x = this.#values.get(node.inputs[0]) as IntegerValue;
      const w = graph.tensors.get(node.weights) as IntegerTensor;
      const histogram = histograms.get(node.name) ?? null;
      simulatedProduct(node, x, w, { accumulatorBits: 32, overflow: 'exact', summation, histogram });
    }
  }
}

function wrapped({ shape, data }: IntegerValue, bits: number): IntegerValue {
  const register = makeRegister(bits, 'wrap');
  return { shape, data: data.map((sum) => settle(register, sum)) };
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.every((value, i) => value === b[i]);
}

/** How many samples of two values are equal. */
function equalSamples(a: IntegerValue, b: IntegerValue): number {
  const [samples] = a.shape;
  if (a === b) return samples;
  const size = a.data.length / samples;
  let count = 0;
  for (let n = 0; n < samples; n++) {
    if (equal(a.data.subarray(n * size, (n + 1) * size), b.data.subarray(n * size, (n + 1) * size))) count++;
  }
  return count;
}
