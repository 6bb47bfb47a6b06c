import { noGrad } from '../autograd/tape.js';
import { integerRange } from '../quant/integerRange.js';
import { QuantLayer } from '../quant/layers.js';
import type { QuantTensor } from '../quant/quantTensor.js';
import { asInstance } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';
import { copyOf } from './copyOf.js';
import { enterEvaluation } from './evaluationMode.js';

/** What a layer computes with: a weight is exactly `scales[channel] · q`, rounded once to the layer's dtype. */
export interface IntegerWeights {
  /** `[O, K]`, row-major. */
  readonly q: Int32Array;
  /** s of each output channel, `[O]`. */
  readonly scales: Float64Array;
}

/** The weights a layer multiplies with in evaluation, as its quantizer gave them once; in memory of their own. */
export type WeightDraw = QuantTensor;

/** Asks the quantizer of a layer once, in evaluation mode; the mode is as before afterwards. */
export function drawWeights(layer: QuantLayer): WeightDraw {
  const restore = enterEvaluation(asInstance('audit', 'the layer', layer, QuantLayer));
  try {
    return scope(() =>
      noGrad(() => {
        const { value, scale, bits, signed, narrow } = layer.quantWeight();
        return { value: copyOf(value), scale: copyOf(scale), bits, signed, narrow };
      }),
    );
  } finally {
    restore();
  }
}

/**
 * The integers a layer computes with in evaluation. Nothing is rounded on the way: a weight off its grid is an error.
 * @throws QuantError naming layer and weight unless all are finite, on their grid and within M bits, and the quantizer
 *   gives the same each time
 */
export async function integerWeights(name: string, layer: QuantLayer): Promise<IntegerWeights> {
  const draw = drawWeights(layer);
  try {
    if (await givesAgain(layer, draw)) return await integersOf(name, layer, draw);
  } finally {
    dispose(draw.value, draw.scale);
  }
  throw new QuantError('audit', `the quantizer of ${name} gives other weights each time, so they have no integers`);
}

/** Whether the quantizer of a layer gives the same weights once more. */
export async function givesAgain(layer: QuantLayer, draw: WeightDraw): Promise<boolean> {
  const again = drawWeights(layer);
  const [a, b, s, r] = await Promise.all([draw, again].flatMap(({ value, scale }) => [value.data(), scale.data()]));
  dispose(again.value, again.scale);
  return sameNumbers(a, s) && sameNumbers(b, r);
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i]))) return false;
  return true;
}

/** The integers of weights drawn from a layer. @throws QuantError as {@link integerWeights} */
export async function integersOf(name: string, layer: QuantLayer, draw: WeightDraw): Promise<IntegerWeights> {
  const fail = (problem: string): never => {
    throw new QuantError(
      'audit',
      `the weights of ${name} are no integers of ${layer.weightQuant.bits} bits: ${problem}`,
    );
  };
  const { value, scale, ...format } = draw;
  const [weights, steps] = await Promise.all([value.data(), scale.data()]);
  const [channels] = layer.weight.shape;
  if (weights.length !== layer.weight.size || (steps.length !== 1 && steps.length !== channels)) {
    fail(
      `${weights.length} of them with ${steps.length} scales do not make ${layer.weight.size} in ${channels} channels`,
    );
  }
  if (format.bits !== layer.weightQuant.bits) fail(`the quantizer gives ${format.bits} bits`);
  const scales = Float64Array.from({ length: channels }, (_, i) => steps[steps.length === 1 ? 0 : i]);
  const bad = scales.findIndex((s) => !(s > 0 && s < Number.POSITIVE_INFINITY));
  if (bad >= 0) fail(`the scale of channel ${bad} is ${scales[bad]}`);
  const { low, high } = integerRange(format.bits, format);
  const length = weights.length / channels;
  const round = value.dtype === 'float32' ? Math.fround : (x: number) => x;
  const q = new Int32Array(weights.length);
  for (let i = 0; i < q.length; i++) {
    const weight = weights[i];
    const s = scales[Math.floor(i / length)];
    q[i] = Math.round(weight / s);
    if (round(q[i] * s) === weight && q[i] >= low && q[i] <= high) continue;
    const at = `weight ${i % length} of channel ${Math.floor(i / length)}`;
    fail(`${at} is ${weight}, on a grid of step ${s} from ${low} to ${high}`);
  }
  return { q, scales };
}
