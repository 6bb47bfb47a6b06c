import { asBoolean, asOptions } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';
import type { AccumulateOptions } from '../accumulator/engine.js';
import { SumHistogram } from '../accumulator/histogram.js';
import type { Overflow } from '../accumulator/register.js';
import { makeScheme, outerAccumulatorBits, type Summation } from '../accumulator/summation.js';
import { asGraph } from '../graph/argument.js';
import type { IntegerGraph } from '../graph/graph.js';
import { exactProduct, type IntegerValue, runReference } from '../runtime/reference.js';
import type { LayerTally } from '../simulate.js';
import { isProved, type WatchedLayer, watchedLayers } from './layers.js';
import { simulatedProduct } from './simulatedProduct.js';

/** The registers of an experiment. */
export interface LaboratoryOptions {
  /** P, of every register or of the outer ones. Default, for tiles that name their inner bits: as those ask for. */
  readonly accumulatorBits?: number;
  /** `exact` sums without limits and only counts, `wrap` and `saturate` alter the results. */
  readonly overflow: Overflow;
  /** How the products of an output meet. Default `sequential`. */
  readonly summation?: Summation;
  /** Names of the layers that get these registers, or `all`; the others are exact. Default: {@link watchedLayers}. */
  readonly layers?: readonly string[] | 'all';
  /** Whether to count every partial sum by the bits it needs; much slower. Default false. */
  readonly histograms?: boolean;
}

/** What happened in the registers of one layer. */
export interface LaboratoryTally extends LayerTally {
  /** P of its registers, and P_I of the inner ones where tiles have such. */
  readonly accumulatorBits: number;
  readonly innerBits: number | null;
  /** Narrowest register that no input can overflow. */
  readonly safeBits: number;
  /** Whether its weights prove that no register overflows, whatever the inputs: 0 is then not a measurement. */
  readonly proved: boolean;
}

/** What came of it. */
export interface LaboratoryResult {
  /** The integers of the network's output. */
  readonly value: IntegerValue;
  readonly layers: readonly LaboratoryTally[];
  /** By the names of layers; empty unless asked for. */
  readonly histograms: ReadonlyMap<string, SumHistogram>;
}

/**
 * Runs a network with its layers' sums in simulated registers, in the order in which hardware would add.
 *
 * @param x integers of the input's grid, `[N, …]`
 * @throws QuantError on a bad P, mode, summation or layer; DataError if the shape does not fit
 */
export function runLaboratory(graph: IntegerGraph, x: IntegerValue, options: LaboratoryOptions): LaboratoryResult {
  const laboratory = new OverflowLaboratory(graph, options);
  return { value: laboratory.run(x), layers: laboratory.layers, histograms: laboratory.histograms };
}

/** One network on one kind of register, whose counts add up over all inputs that it is given. */
export class OverflowLaboratory {
  /** What has happened so far. */
  readonly layers: readonly LaboratoryTally[];
  readonly histograms: ReadonlyMap<string, SumHistogram>;
  readonly #graph: IntegerGraph;
  readonly #registers: ReadonlyMap<string, AccumulateOptions>;

  /** @throws QuantError on a bad P, mode, summation or layer */
  constructor(graph: IntegerGraph, options: LaboratoryOptions) {
    this.#graph = asGraph('runLaboratory', graph);
    const { layers, histograms = false } = asOptions('runLaboratory', options);
    asBoolean('runLaboratory', 'histograms', histograms);
    const watched = watchedLayers(graph, layers);
    this.histograms = new Map(histograms ? watched.map(({ node }) => [node.name, new SumHistogram()]) : []);
    this.#registers = new Map(
      watched.map((layer) => {
        const { name } = layer.node;
        return [name, { ...registersOf(layer, options), histogram: this.histograms.get(name) ?? null }];
      }),
    );
    this.layers = watched.map((layer) => emptyTally(layer, graph, registersOf(layer, options)));
  }

  /** The integers of the network's output. @param x of the input's grid, `[N, …]` @throws DataError on a bad shape */
  run(x: IntegerValue): IntegerValue {
    return runReference(this.#graph, x, {
      product: (node, input, weights) => {
        const registers = this.#registers.get(node.name);
        if (registers === undefined) return exactProduct(node, input, weights);
        const tally = this.layers.find(({ layer }) => layer === node.name);
        return simulatedProduct(node, input, weights, registers, tally);
      },
    });
  }
}

/** The registers of a layer. @throws QuantError if they cannot be */
function registersOf(
  { length }: WatchedLayer,
  { accumulatorBits, overflow, summation = 'sequential' }: LaboratoryOptions,
): AccumulateOptions {
  if (accumulatorBits !== undefined) return { accumulatorBits, overflow, summation };
  if (typeof summation !== 'object' || summation?.innerBits === undefined) {
    throw new QuantError('runLaboratory', 'accumulatorBits is missing; only tiles with innerBits can do without');
  }
  return { accumulatorBits: outerAccumulatorBits(summation.innerBits, length, summation.tile), overflow, summation };
}

function emptyTally(layer: WatchedLayer, graph: IntegerGraph, registers: AccumulateOptions): LaboratoryTally {
  const { accumulatorBits, overflow, summation = 'sequential' } = registers;
  const scheme = makeScheme(summation, layer.length, accumulatorBits, overflow);
  return {
    ...{ layer: layer.node.name, accumulatorBits, safeBits: layer.safeBits },
    innerBits: typeof summation === 'object' ? scheme.inner.bits : null,
    proved: isProved(layer, graph, scheme),
    ...{ overflows: 0, outputsAffected: 0, outputs: 0, sums: 0 },
  };
}
