import { noGrad } from '../../autograd/tape.js';
import type { Module } from '../../nn/module.js';
import { AccumulatorAwareQuantizer } from '../../quant/accumulatorAware.js';
import type { IntegerFormat } from '../../quant/integerRange.js';
import { QuantConv2d, type QuantLayer, QuantResizeConv2d, quantLayers } from '../../quant/layers.js';
import { QuantError } from '../../tensor/errors.js';
import { dispose, scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { integerWeights } from '../integerWeights.js';

/** A layer as hardware sees it: integers, the scales of their grids, and the register its sums fit. */
export interface IntegerLayer {
  readonly name: string;
  /** `[O, …]`, row-major integers of `weightBits`. */
  readonly weights: Int32Array;
  readonly shape: readonly number[];
  /** M. */
  readonly weightBits: number;
  /** s of each output channel, `[O]`: a weight is worth s·q. */
  readonly weightScales: readonly number[];
  /** N and 1s. */
  readonly input: IntegerFormat;
  /** s of the inputs. */
  readonly inputScale: number;
  /** P the layer was trained for; null if its accumulator is not constrained. */
  readonly accumulatorBits: number | null;
  /** In floating point, added after the accumulator, `[O]`; null without. */
  readonly bias: readonly number[] | null;
  /** Of convolutions; null for linear layers. */
  readonly geometry: {
    readonly stride: readonly number[];
    readonly padding: readonly number[];
    readonly dilation: readonly number[];
    readonly groups: number;
    /** Nearest up-sampling before it. */
    readonly resize: number;
  } | null;
}

/**
 * The integers of every layer with an accumulator.
 * @throws QuantError if the model has none, or weights are not on their grid
 */
export async function integerLayers(model: Module): Promise<IntegerLayer[]> {
  const layers: IntegerLayer[] = [];
  for (const [name, layer] of quantLayers(model)) layers.push(await integerLayer(name, layer));
  if (layers.length === 0) throw new QuantError('export', 'the model has no quantized layer, so no integers to export');
  return layers;
}

async function integerLayer(name: string, layer: QuantLayer): Promise<IntegerLayer> {
  const { weightQuant, input } = layer;
  const resize = layer instanceof QuantResizeConv2d ? layer.factor : 1;
  const isConvolution = layer instanceof QuantConv2d || layer instanceof QuantResizeConv2d;
  const { q, scales } = await integerWeights(name, layer);
  const [inputScale] = await numbersOf(() => input.scale());
  if (!(inputScale > 0 && inputScale < Number.POSITIVE_INFINITY)) {
    throw new QuantError('export', `the scale of the inputs of ${name} is ${inputScale}`);
  }
  return {
    name,
    weights: q,
    shape: layer.weight.shape,
    weightBits: weightQuant.bits,
    weightScales: [...scales],
    input: { bits: input.bits, signed: input.signed },
    inputScale,
    accumulatorBits: weightQuant instanceof AccumulatorAwareQuantizer ? weightQuant.accumulatorBits : null,
    bias: layer.bias && [...(await layer.bias.data())],
    geometry: isConvolution ? { ...layer.geometry, resize } : null,
  };
}

async function numbersOf(compute: () => Tensor): Promise<number[]> {
  const x = scope(() => noGrad(compute));
  const values = [...(await x.data())];
  dispose(x);
  return values;
}
