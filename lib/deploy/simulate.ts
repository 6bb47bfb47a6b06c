import { noGrad } from '../autograd/tape.js';
import type { Module } from '../nn/module.js';
import { QuantConv2d, type QuantLayer, QuantResizeConv2d, quantLayers } from '../quant/layers.js';
import type { QuantTensor } from '../quant/quantTensor.js';
import { asFunction, asOptions } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { QuantError } from '../tensor/errors.js';
import { hostArray, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { accumulateConv2d } from './accumulator/conv2d.js';
import type { Accumulated, AccumulateOptions, IntegerArray } from './accumulator/engine.js';
import { accumulateLinear } from './accumulator/linear.js';
import { makeRegister } from './accumulator/register.js';
import { enterEvaluation } from './evaluationMode.js';
import { hostValues } from './hostValues.js';
import { repeatPixels } from './runtime/reference.js';

/**
 * A trained quantized model on real P-bit accumulators: while a simulation runs, the dot products of its constrained
 * layers are summed in integers, one partial sum after the other, in a register of P bits that overflows as hardware
 * does. Everything else (batch norm, activation quantizers, the first and the last layer) computes as in training.
 */

/** The accumulators to compute with. */
export interface SimulationOptions extends Pick<AccumulateOptions, 'accumulatorBits' | 'overflow'> {
  /** The layers that get them, by name; the others keep their 32 bits. Default: {@link hiddenLayers}. */
  readonly layers?: Iterable<readonly [name: string, layer: QuantLayer]>;
}

/** What happened in the accumulators of one layer. */
export interface LayerTally {
  readonly layer: string;
  /** Partial sums outside −2^(P−1) … 2^(P−1) − 1. */
  overflows: number;
  /** Outputs with at least one of them. */
  outputsAffected: number;
  /** Outputs computed. */
  outputs: number;
  /** Partial sums checked. */
  sums: number;
}

/** The outcome of a simulation: what the work returned, and one tally a layer. */
export interface Simulation<T> {
  readonly result: T;
  readonly layers: readonly LayerTally[];
  /** Partial sums that did not fit, over all layers. */
  readonly overflows: number;
}

/** The layers the papers constrain to P bits: all with an accumulator but the first and the last. */
export function hiddenLayers(model: Module): [name: string, layer: QuantLayer][] {
  return [...quantLayers(model)].filter(([, { role }]) => role === 'hidden');
}

/**
 * Runs `work`, usually an evaluation of `model`, with P-bit accumulators in its hidden layers, in evaluation mode.
 * Forward only: what the accumulators return carries no gradient. The model computes as before once the work is done,
 * whether or not it fails.
 *
 * @param options.overflow `exact` sums without limits and only counts, `wrap` and `saturate` alter the results
 * @throws QuantError on a bad P or mode, or inputs that are not on the grid of the layer's quantizer;
 *   BackendError on a backend whose memory the host cannot read in place
 * @example
 * const options = { method: 'a2q+', weightBits: 4, actBits: 4, accumulatorBits: 9, random: new Random(0) } as const;
 * const model = new SmallCnn(layerPolicy(options), { inChannels: 1, imageSize: 16, classes: 10 });
 * const test = glyphs({ split: 'test', length: 64 });
 * const { result, overflows } = await withAccumulators(model, { accumulatorBits: 9, overflow: 'wrap' }, () =>
 *   evaluate(model, test, classification(), { batchSize: 32 }),
 * );
 * result.samples; // 64
 * overflows; // 0: trained or not
 */
export async function withAccumulators<T>(
  model: Module,
  options: SimulationOptions,
  work: () => T | Promise<T>,
): Promise<Simulation<T>> {
  const { accumulatorBits, overflow } = asOptions('withAccumulators', options);
  asFunction('withAccumulators', 'the work', work);
  makeRegister(accumulatorBits, overflow);
  const layers = [...(options.layers ?? hiddenLayers(model))];
  const tallies = layers.map(([layer]): LayerTally => {
    return { layer, overflows: 0, outputsAffected: 0, outputs: 0, sums: 0 };
  });
  const before = layers.map(([, layer]) => layer.product);
  for (const [i, [, layer]] of layers.entries()) {
    layer.product = (_, x, w) => integerProduct(layer, x, w, { accumulatorBits, overflow }, tallies[i]);
  }
  const restore = enterEvaluation(model);
  try {
    const result = await work();
    return { result, layers: tallies, overflows: tallies.reduce((total, each) => total + each.overflows, 0) };
  } finally {
    for (const [i, [, layer]] of layers.entries()) layer.product = before[i];
    restore();
  }
}

/** One call of a layer: `y = s_x · s_w · (q_x ∗ q_w)`, the product in a P-bit register. */
function integerProduct(
  layer: QuantLayer,
  x: Tensor,
  w: QuantTensor,
  options: AccumulateOptions,
  tally: LayerTally,
): Tensor {
  const inputScale = scope(
    () =>
      hostValues(
        'withAccumulators',
        noGrad(() => layer.input.scale()),
      )[0],
  );
  const scales = hostValues('withAccumulators', w.scale);
  const weightScales = Float64Array.from({ length: w.value.shape[0] }, (_, i) => scales[scales.length === 1 ? 0 : i]);
  const qx = toIntegers(x, () => inputScale, 'x');
  const perChannel = w.value.size / w.value.shape[0];
  const qw = toIntegers(w.value, (i) => weightScales[Math.floor(i / perChannel)], 'w');
  const { y, ...counts } = accumulateLayer(layer, qx, qw, options);
  tally.overflows += counts.overflows;
  tally.outputsAffected += counts.outputsAffected;
  tally.sums += counts.sums;
  tally.outputs += y.data.length;

  const out = hostArray(x.dtype, y.data.length);
  const [, channels, ...positions] = y.shape;
  const area = positions.reduce((product, extent) => product * extent, 1);
  for (let i = 0; i < out.length; i++) {
    out[i] = y.data[i] * (inputScale * weightScales[Math.floor(i / area) % channels]);
  }
  return tensor(out, y.shape, { dtype: x.dtype, device: x.device });
}

function accumulateLayer(layer: QuantLayer, x: IntegerArray, w: IntegerArray, options: AccumulateOptions): Accumulated {
  if (layer instanceof QuantConv2d) return accumulateConv2d(x, w, layer.geometry, options);
  if (layer instanceof QuantResizeConv2d) {
    return accumulateConv2d(repeatPixels(x, layer.factor), w, layer.geometry, options);
  }
  return accumulateLinear(x, w, options);
}

/** How far `q·s` may be from its grid, in steps: float32 rounding of the product, and a little for sums of such. */
const toleranceAt = (q: number) => 1e-3 + Math.abs(q) * 2 ** -23;

/** The integers `value / scale`. @throws QuantError if a value is between two of them */
function toIntegers(values: Tensor, scaleAt: (index: number) => number, name: string): IntegerArray {
  const host = hostValues('withAccumulators', values);
  const data = new Int32Array(host.length);
  for (let i = 0; i < data.length; i++) {
    const steps = host[i] / scaleAt(i);
    data[i] = Math.round(steps);
    if (!(Math.abs(steps - data[i]) <= toleranceAt(data[i]))) {
      throw new QuantError(
        'withAccumulators',
        `${name} holds ${host[i]}, which is no multiple of its scale ${scaleAt(i)}; ` +
          'only quantized values can be summed as integers',
      );
    }
  }
  return { data, shape: values.shape };
}
