import { noGrad } from '../../autograd/tape.js';
import { asModule, type Module } from '../../nn/module.js';
import { testAccumulator } from '../../quant/accumulator.js';
import { AxeQuantizer } from '../../quant/axeWeights.js';
import type { Batches } from '../../quant/calibrate.js';
import { inputRange, MAX_BITS, weightRange } from '../../quant/integerRange.js';
import { activationQuantizers, multipliesPlainly, type QuantLayer, quantLayers } from '../../quant/layers.js';
import { asBoolean, asChoice, asFunction, asOptions } from '../../tensor/argument.js';
import { DataError, QuantError } from '../../tensor/errors.js';
import { Random } from '../../tensor/random.js';
import { dispose, scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { copyOf } from '../copyOf.js';
import { enterEvaluation } from '../evaluationMode.js';
import { type HostInputs, MomentSums } from './moments.js';
import { ChannelRegisters, type TiledRegister, tileBits } from './registers.js';
import { type Moments, ROUNDINGS, type Rounding, rowRounder } from './rounding.js';

/** How weights are rounded after training. */
export interface RoundingOptions {
  /** Default `gpfq`. */
  readonly rounding?: Rounding;
  /**
   * Tries multiples of the scale that the quantizer gives a channel, and keeps what errs least on the data. Default
   * true.
   */
  readonly scaleSearch?: boolean;
  /** Chooses the outputs that are looked at. Default 0. */
  readonly seed?: number;
  /** Told each layer as it begins. */
  readonly onLayer?: (layer: string) => void;
}

/** What became of one layer. */
export interface RoundedLayer {
  readonly layer: string;
  /** P and T that it was rounded for; null if any register will do. */
  readonly tileBits: number | null;
  readonly tile: number | null;
  /** Smallest P that sums T terms of any channel safely, and smallest that sums all of them. */
  readonly safeTileBits: number | null;
  readonly safeBits: number;
  /** Share of zero weights. */
  readonly sparsity: number;
}

/**
 * Rounds the weights of a model after training, layer by layer in the order in which it names them, and freezes the
 * layers to the integers (`QuantLayer.freeze`): AXE (Colbert et al., arXiv 2409.17092) where the weight quantizer is an
 * `AxeQuantizer`, without a register in mind elsewhere. The inputs of each layer are those of the layers rounded before
 * it; its weights and its scales stay as they are, in floats.
 *
 * @param model with float weights loaded, scales set and activations calibrated
 * @param batches called once per layer; must give the same batches each time; not called for `nearest`
 * @throws DataError if there are none; QuantError for a layer that multiplies in its own way or that no batch reaches
 */
export async function roundWeights(
  model: Module,
  batches: () => Batches,
  options: RoundingOptions = {},
): Promise<RoundedLayer[]> {
  const { rounding = 'gpfq', scaleSearch = true, seed = 0, onLayer } = asOptions('roundWeights', options);
  asFunction('roundWeights', 'batches', batches);
  asChoice('roundWeights', 'rounding', rounding, ROUNDINGS);
  asBoolean('roundWeights', 'scaleSearch', scaleSearch);
  if (onLayer !== undefined) asFunction('roundWeights', 'onLayer', onLayer);
  const layers = [...quantLayers(asModule('roundWeights', model))];
  if (layers.length === 0) throw new QuantError('roundWeights', 'the model has no quantized layer');
  const own = layers.find(([, layer]) => !multipliesPlainly(layer));
  if (own) throw new QuantError('roundWeights', `${own[0]} multiplies in a way of its author’s own`);
  const restore = enterEvaluation(model);
  const rounded: RoundedLayer[] = [];
  try {
    for (const [, layer] of layers) {
      layer.unfreeze();
      layer.quantizeWeights = false;
    }
    for (const [name, layer] of layers) {
      onLayer?.(name);
      const random = new Random(seed);
      const moments = rounding === 'nearest' ? null : await momentsOf(model, layer, batches(), random);
      rounded.push(await roundLayer(name, layer, moments, { rounding, scaleSearch }));
      layer.quantizeWeights = true;
    }
  } finally {
    for (const [, layer] of layers) layer.quantizeWeights = true;
    restore();
  }
  return rounded;
}

async function roundLayer(
  name: string,
  layer: QuantLayer,
  moments: readonly Moments[] | null,
  { rounding, scaleSearch }: Required<Pick<RoundingOptions, 'rounding' | 'scaleSearch'>>,
): Promise<RoundedLayer> {
  const { weightQuant: quantizer, weight, dotLength: length } = layer;
  const [channels] = weight.shape;
  const scales = await scalesOf(layer);
  const weights = await weight.data();
  const { low, high } = inputRange(layer.input);
  const input = { low, high };
  const axe = quantizer instanceof AxeQuantizer ? quantizer : null;
  const register: TiledRegister | null = axe && { bits: axe.tileBits, tile: axe.tile, input };
  const rounders = (moments ?? [null]).map((group) => rowRounder(rounding, group));
  const { high: limit } = weightRange(quantizer.bits);
  const factors = scaleSearch ? scaleFactors(quantizer.powerOfTwoScales) : [1];
  const q = new Float64Array(weights.length);
  for (let row = 0; row < channels; row++) {
    const rounder = rounders[Math.floor((row * rounders.length) / channels)];
    const own = weights.subarray(row * length, (row + 1) * length);
    const tries = factors.map((factor) => {
      const scale = Math.fround(scales[row] * factor);
      const steps = Float64Array.from(own, (w) => w / scale);
      const integers = rounder.round(steps, limit, register && new ChannelRegisters(register, steps));
      return { scale, integers, error: scale * scale * rounder.error(steps, integers) };
    });
    const best = tries.reduce((least, each) => (each.error < least.error ? each : least));
    q.set(best.integers, row * length);
    scales[row] = best.scale;
  }
  layer.freeze(q, scales);
  return {
    ...{ layer: name, tileBits: axe?.tileBits ?? null, tile: axe?.tile ?? null },
    safeTileBits: axe && tileBits(q, channels, { tile: axe.tile, input }),
    safeBits: testAccumulator(q, channels, input, MAX_BITS).safeBits,
    sparsity: q.reduce((zeros, value) => zeros + (value === 0 ? 1 : 0), 0) / q.length,
  };
}

/** Multiples of a scale to try: larger ones spend less of a budget, smaller ones clip the largest weights. */
function scaleFactors(powersOfTwo: boolean): number[] {
  return [0, -1, 1, 2, 3, 4, 5, 6].filter((half) => !powersOfTwo || half % 2 === 0).map((half) => 2 ** (half / 2));
}

/** The scales that a layer's quantizer gives its channels. */
async function scalesOf(layer: QuantLayer): Promise<Float64Array> {
  const scale = scope(() => noGrad(() => copyOf(layer.quantWeight().scale)));
  const values = await scale.data();
  dispose(scale);
  return Float64Array.from({ length: layer.weight.shape[0] }, (_, i) => values[values.length === 1 ? 0 : i]);
}

/** What a layer sees on data, in the network rounded so far and in floats. */
async function momentsOf(
  model: Module,
  layer: QuantLayer,
  batches: Batches,
  random: Random,
): Promise<readonly Moments[]> {
  const sums = new MomentSums(layer);
  let reached = false;
  let count = 0;
  for await (const batch of batches) {
    const quantized = await inputsIn(model, layer, batch);
    const floats = await inFloats(model, () => inputsIn(model, layer, batch));
    for (const [i, x] of quantized.entries()) await sums.add(x, floats[i], random);
    reached ||= quantized.length > 0;
    count += 1;
  }
  if (count === 0) throw new DataError('roundWeights', 'needs at least one batch');
  if (!reached) throw new QuantError('roundWeights', 'no batch reaches one of the layers');
  return sums.groups;
}

/** What a layer multiplies in one forward pass, call by call. */
async function inputsIn(model: Module, layer: QuantLayer, batch: Tensor): Promise<HostInputs[]> {
  const seen: Tensor[] = [];
  const before = layer.observer;
  layer.observer = (_, x) => void seen.push(copyOf(x));
  try {
    scope(() => {
      noGrad(() => model.forward(batch));
      return seen;
    });
  } finally {
    layer.observer = before;
  }
  const inputs: HostInputs[] = [];
  for (const x of seen) inputs.push({ shape: x.shape, data: await x.data() });
  dispose(seen);
  return inputs;
}

/** Runs `work` on the model in floats. */
async function inFloats<T>(model: Module, work: () => Promise<T>): Promise<T> {
  const quantizers = [...activationQuantizers(model)].map(([, quantizer]) => quantizer);
  const layers = [...quantLayers(model)].map(([, layer]) => ({ layer, quantized: layer.quantizeWeights }));
  try {
    for (const quantizer of quantizers) quantizer.quantizes = false;
    for (const { layer } of layers) layer.quantizeWeights = false;
    return await work();
  } finally {
    for (const quantizer of quantizers) quantizer.quantizes = true;
    for (const { layer, quantized } of layers) layer.quantizeWeights = quantized;
  }
}
