import { noGrad } from '../../lib/autograd/tape.js';
import { integerWeights } from '../../lib/deploy/integerWeights.js';
import { a2q, a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { intActivation, uintActivation } from '../../lib/quant/activation.js';
import { type BoundKind, dataTypeAccumulatorBits, smallestAccumulatorBits } from '../../lib/quant/bounds.js';
import type { IntegerFormat } from '../../lib/quant/integerRange.js';
import { QuantConv2d, type QuantLayer, type QuantLayerOptions, QuantLinear } from '../../lib/quant/layers.js';
import { BackendError, QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { scope } from '../../lib/tensor/storage.js';
import { fitsRegister, type Register, registerFor } from '../oracle.js';
import { drawWeights, type Hostile } from './hostileWeights.js';

/**
 * The guarantee, attacked: whatever numbers the parameters of an A2Q or A2Q+ layer hold, the integers of each channel
 * pass the exact test of its P, or are refused by name.
 */

/** What came of it; a case is one channel. */
export interface Tally {
  /** Channels whose integers passed. */
  passed: number;
  /** Channels refused, by the first words of the reason. */
  refused: Record<string, number>;
  /** Channels that spend the register to within one more weight of ±1: the attack reaches the edge. */
  full: number;
  /** What broke the guarantee, or was refused by no name. */
  failures: string[];
}

export interface Attack {
  readonly seed: number;
  readonly cases: number;
  /** Most weights of a layer, but for the few long ones. */
  readonly weights?: number;
  /** Layers of 10⁵ to 10⁶ terms. */
  readonly long?: number;
}

/** A layer to be attacked. */
interface Target {
  readonly method: BoundKind;
  readonly bits: number;
  readonly accumulatorBits: number;
  readonly input: IntegerFormat;
  readonly channels: number;
  readonly length: number;
  readonly form: 'linear' | 'convolution' | 'grouped' | 'depthwise';
}

/** Attacks layers on the current backend until that many channels were tried. */
export async function attack({ seed, cases, weights = 30_000, long = 0 }: Attack): Promise<Tally> {
  const random = new Random(seed);
  const tally: Tally = { passed: 0, refused: {}, full: 0, failures: [] };
  let tried = 0;
  for (let i = 0; tried < cases; i++) {
    const length = i < long ? Math.floor(10 ** random.uniform(5, 6)) : drawLength(random);
    const most = i < long ? 1 : Math.max(1, Math.min(64, Math.floor(weights / length)));
    const target = drawTarget(random, length, Math.min(most, cases - tried));
    tried += target.channels;
    await attackLayer(target, random, tally);
  }
  return tally;
}

/** K: often small, sometimes of a real layer. */
function drawLength(random: Random): number {
  return random.uniform() < 0.1 ? 1 + random.integer(3) : Math.floor(10 ** random.uniform(0, Math.log10(2000)));
}

function drawTarget(random: Random, length: number, channels: number): Target {
  const signed = random.uniform() < 0.5;
  const input = { bits: signed ? 2 + random.integer(15) : 1 + random.integer(16), signed };
  const method = length > 1 && random.uniform() < 0.5 ? 'a2q+' : 'a2q';
  const bits = 2 + random.integer(15);
  const accumulatorBits = drawAccumulatorBits(random, method, input, dataTypeAccumulatorBits(length, bits, input));
  const forms = ['linear', 'convolution', 'grouped', 'depthwise'] as const;
  const form = length > 2000 ? 'linear' : forms[random.integer(forms.length)];
  return { method, bits, accumulatorBits, input, channels, length, form };
}

/** P: now and then any, most often one that holds a weight, and not all weights. */
function drawAccumulatorBits(random: Random, method: BoundKind, input: IntegerFormat, enough: number): number {
  if (random.uniform() < 0.02) return 2 + random.integer(31);
  const least = smallestAccumulatorBits(method, input);
  const most = Math.min(32, Math.max(enough, least + 1));
  return least + random.integer(most - least + 1);
}

/** One output channel has `length` weights in every form. */
function build({ method, bits, accumulatorBits, input, channels, length, form }: Target, random: Random): QuantLayer {
  const activation = (input.signed ? intActivation : uintActivation)({ bits: input.bits });
  const weight = (method === 'a2q' ? a2q : a2qPlus)({ bits, accumulatorBits });
  const options: QuantLayerOptions = { weight, input: activation, bias: false, random };
  const inputs = length % 9 === 0 ? length / 9 : length;
  const kernel = inputs === length ? 1 : 3;
  switch (form) {
    case 'linear':
      return new QuantLinear(length, channels, options);
    case 'convolution':
      return new QuantConv2d(inputs, channels, kernel, options);
    case 'grouped':
      return new QuantConv2d(inputs * channels, channels, kernel, { ...options, groups: channels });
    case 'depthwise':
      return new QuantConv2d(channels, channels, [1, length], { ...options, groups: channels });
  }
}

async function attackLayer(target: Target, random: Random, tally: Tally): Promise<void> {
  let layer: QuantLayer;
  try {
    layer = build(target, random);
  } catch (error) {
    refuse(tally, target, error, target.channels);
    return;
  }
  try {
    const drawn = drawWeights(random, target);
    write(layer, drawn);
    await check(layer, target, drawn, tally);
  } catch (error) {
    refuse(tally, target, error, target.channels);
  } finally {
    layer.dispose();
  }
}

function write(layer: QuantLayer, { w, d, t }: Hostile): void {
  layer.weight.write(w);
  const parameters = new Map(layer.weightQuant.namedParameters());
  parameters.get('d')?.write(d);
  parameters.get('t')?.write(t);
}

/** A refusal by name is counted; any other error is a failure. */
function refuse(tally: Tally, target: Target, error: unknown, channels: number): void {
  if (error instanceof QuantError || error instanceof BackendError) {
    const reason = error.message.replaceAll(/-?\d[\d.e+-]*/g, '#').slice(0, 60);
    tally.refused[reason] = (tally.refused[reason] ?? 0) + channels;
  } else tally.failures.push(`${JSON.stringify(target)}: ${error}`);
}

async function check(layer: QuantLayer, target: Target, { kinds }: Hostile, tally: Tally): Promise<void> {
  const { value, scale } = scope(() =>
    noGrad(() => {
      const { value, scale } = layer.quantWeight();
      return { value: value.detach(), scale: scale.detach() };
    }),
  );
  const [values, scales] = await Promise.all([value.data(), scale.data()]);
  value.dispose();
  scale.dispose();
  const register = registerFor(target.accumulatorBits, target.input);
  let unusable = 0;
  for (let channel = 0; channel < target.channels; channel++) {
    const row = values.subarray(channel * target.length, (channel + 1) * target.length);
    const step = scales[channel];
    if (!(step > 0 && step < Number.POSITIVE_INFINITY && row.every(Number.isFinite))) {
      unusable++;
      continue;
    }
    const q = Float64Array.from(row, (each) => Math.round(each / step));
    const problem = problemOf(q, row, step, target, register);
    if (problem === null) tally.passed++;
    else tally.failures.push(`${kinds[channel]}: ${problem}; ${JSON.stringify(target)}`);
    if (problem === null && isFull(q, register)) tally.full++;
  }
  if (unusable === 0) return;
  // What is no number must not come out as integers anywhere.
  try {
    await integerWeights('layer', layer);
    tally.failures.push(`${unusable} channels without numbers were not refused; ${JSON.stringify(target)}`);
  } catch (error) {
    refuse(tally, target, error, unusable);
  }
}

function problemOf(
  q: Float64Array,
  row: ArrayLike<number>,
  step: number,
  { bits }: Target,
  register: Register,
): string | null {
  const limit = 2 ** (bits - 1) - 1;
  for (let k = 0; k < q.length; k++) {
    if (Math.abs(q[k]) > limit) return `weight ${q[k]} exceeds ${limit}`;
    if (Math.fround(q[k] * step) !== row[k]) return `${row[k]} is no multiple of ${step}`;
  }
  return fitsRegister(q, register) ? null : 'the register overflows';
}

/** Whether one more weight of 1 or −1 would not fit. */
function isFull(q: Float64Array, register: Register): boolean {
  return [1, -1].some((one) => !fitsRegister([...sumsOf(q), one], register));
}

/** Sums of the positive and of the negative weights: they stand for the row. */
function sumsOf(q: Float64Array): [number, number] {
  return [q.reduce((sum, x) => sum + Math.max(x, 0), 0), q.reduce((sum, x) => sum + Math.min(x, 0), 0)];
}
