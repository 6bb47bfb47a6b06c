import { auditModel, type LayerAudit } from '../../deploy/audit.js';
import { integerWeights } from '../../deploy/integerWeights.js';
import { type LayerRole, WeightedModule } from '../../nn/layers/weighted.js';
import type { Module } from '../../nn/module.js';
import { type QuantLayer, quantLayers } from '../../quant/layers.js';
import { zeros } from '../../tensor/create.js';
import { dispose } from '../../tensor/storage.js';
import type { Bar } from '../report/histogramChart.js';

/** What a report says of a layer of dot products. */
export interface LayerFacts {
  readonly name: string;
  readonly role: LayerRole;
  /** K, terms of one dot product. */
  readonly length: number;
  readonly channels: number;
  /** Share of weights that are exactly 0. */
  readonly sparsity: number;
  /** Shares of the weights: of integers q if it is quantized, else of floats. */
  readonly weights: readonly Bar[];
  /** What its accumulator must hold; null if it is not quantized. */
  readonly accumulator: AccumulatorFacts | null;
}

export interface AccumulatorFacts {
  /** M, N and whether inputs are signed. */
  readonly weightBits: number;
  readonly inputBits: number;
  readonly inputSigned: boolean;
  /** P it was trained for, and T, the cap on ‖q‖₁ of a channel; null if it knows none. */
  readonly accumulatorBits: number | null;
  readonly budget: number | null;
  /** Narrowest P that no input can overflow, by the exact test of the integers. */
  readonly safeBits: number;
  /** Whether P is proved; null if there is no claim, or what a proof assumes is not known. */
  readonly proved: boolean | null;
  /** ‖q‖₁ of each channel. */
  readonly norms: readonly number[];
}

/** Every layer of dot products, in order. @param inputShape [channels, height, width] of an input */
export async function layerFacts(model: Module, inputShape: readonly number[]): Promise<LayerFacts[]> {
  const quantized = new Map(quantLayers(model));
  const audits = quantized.size === 0 ? new Map() : await auditsByName(model, inputShape);
  const facts: LayerFacts[] = [];
  for (const [name, layer] of model.namedModules()) {
    if (!(layer instanceof WeightedModule)) continue;
    const quant = quantized.get(name);
    facts.push(quant ? await quantizedFacts(name, quant, audits.get(name)) : await floatFacts(name, layer));
  }
  return facts;
}

async function auditsByName(model: Module, inputShape: readonly number[]): Promise<Map<string, LayerAudit>> {
  const example = zeros([1, ...inputShape]);
  const { layers } = await auditModel(model, { example });
  dispose(example);
  return new Map(layers.map((audit) => [audit.layer, audit]));
}

async function quantizedFacts(name: string, layer: QuantLayer, audit: LayerAudit): Promise<LayerFacts> {
  const { length, channels, sparsity, alpha, beta } = audit;
  const { weightBits, inputBits, inputSigned, accumulatorBits, budget, safeBits, proved } = audit;
  const norms = alpha.map((positive, i) => positive - beta[i]);
  const { q } = await integerWeights(name, layer);
  return {
    ...{ name, role: layer.role, length, channels, sparsity },
    weights: integerBars(q),
    accumulator: { weightBits, inputBits, inputSigned, accumulatorBits, budget, safeBits, proved, norms },
  };
}

async function floatFacts(name: string, layer: WeightedModule): Promise<LayerFacts> {
  const values = await layer.weight.data();
  const [channels] = layer.weight.shape;
  let zeros = 0;
  for (const value of values) zeros += value === 0 ? 1 : 0;
  return {
    ...{ name, role: layer.role, length: values.length / channels, channels, sparsity: zeros / values.length },
    weights: floatBars(values),
    accumulator: null,
  };
}

/** Most bars of a histogram. */
const BARS = 31;

/** A bar for each integer, or for so many neighbours that there are no more than {@link BARS}. */
function integerBars(q: Int32Array): Bar[] {
  const most = q.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  const width = Math.ceil((2 * most + 1) / BARS);
  // An odd number of bars, so that 0 is in the middle of one.
  const side = Math.ceil((most - (width - 1) / 2) / width);
  return bars(q, 2 * side + 1, -(side + 0.5) * width, width);
}

function floatBars(values: ArrayLike<number> & Iterable<number>): Bar[] {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const width = (2 * (most || 1)) / BARS;
  return bars(values, BARS, (-BARS / 2) * width, width);
}

function bars(values: ArrayLike<number> & Iterable<number>, count: number, low: number, width: number): Bar[] {
  const counts = new Array<number>(count).fill(0);
  for (const value of values) counts[Math.min(count - 1, Math.max(0, Math.floor((value - low) / width)))] += 1;
  return counts.map((number, i) => ({
    from: low + i * width,
    to: low + (i + 1) * width,
    share: number / values.length,
  }));
}
