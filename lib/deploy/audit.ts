import type { Module } from '../nn/module.js';
import { type InputBounds, testAccumulator, witness } from '../quant/accumulator.js';
import { AccumulatorAwareQuantizer } from '../quant/accumulatorAware.js';
import type { BoundKind } from '../quant/bounds.js';
import { inputRange, MAX_BITS } from '../quant/integerRange.js';
import { type QuantLayer, quantLayers } from '../quant/layers.js';
import { QuantError } from '../tensor/errors.js';
import { accumulateLinear } from './accumulator/linear.js';
import { integerWeights } from './integerWeights.js';

/**
 * The audit of a trained model: from the integers alone, the worst that any input could do to each accumulator, and a
 * trial of that worst input on a simulated register. A bias is not counted: it is added after the accumulator.
 */

/** One extreme of a channel: the inputs that reach it, and what it is. */
export interface AuditWitness {
  readonly channel: number;
  /** Largest and smallest partial sum over all inputs and orders. */
  readonly max: number;
  readonly min: number;
  /** Inputs `[K]` that reach them. */
  readonly maxInput: readonly number[];
  readonly minInput: readonly number[];
}

/** What the simulated register did when fed the witnesses of every channel. */
export interface AuditTrial {
  /** P of the register: the claimed one, or the smallest safe one if none is claimed. */
  readonly accumulatorBits: number;
  /** Partial sums outside of the register; 0 in a proved layer. */
  readonly overflows: number;
  /** Whether every witness ended at the extreme it was said to reach. */
  readonly reached: boolean;
  /** Whether every channel overflows on one bit less than its smallest safe P. */
  readonly oneBitLessOverflows: boolean;
}

/** The verdict on one layer. */
export interface LayerAudit {
  readonly layer: string;
  /** M; N and 1s of the input; K. */
  readonly weightBits: number;
  readonly inputBits: number;
  readonly inputSigned: boolean;
  readonly length: number;
  readonly channels: number;
  /** The bound the layer was trained under; null if it was not constrained. */
  readonly bound: BoundKind | null;
  /** P the layer claims; null if it was not constrained. */
  readonly accumulatorBits: number | null;
  /** The cap T on ‖q‖₁; null if it was not constrained. */
  readonly budget: number | null;
  /** Smallest P that is safe for every channel, whatever the inputs. */
  readonly safeBits: number;
  /** Largest and smallest partial sum of any channel. */
  readonly max: number;
  readonly min: number;
  /** Share of the l1 budget used by the fullest channel, and on average; null without budget. */
  readonly budgetUsed: number | null;
  readonly meanBudgetUsed: number | null;
  /** Share of zero weights. */
  readonly sparsity: number;
  /** SHA-256 of the integer weights as row-major little-endian int32, hexadecimal. */
  readonly weightsSha256: string;
  /** α and β of each channel: sums of its positive and of its negative weights. */
  readonly alpha: readonly number[];
  readonly beta: readonly number[];
  /** The channel that needs the widest accumulator. */
  readonly worst: AuditWitness;
  /** Null if no register of 32 bits would do, and none was claimed. */
  readonly trial: AuditTrial | null;
  /** Whether P is proved, and the trial agrees; null if the layer claims nothing. */
  readonly proved: boolean | null;
}

/** The verdict on a model. */
export interface Audit {
  readonly layers: readonly LayerAudit[];
  /** Whether every layer that claims a P is proved, and there is one. */
  readonly proved: boolean;
  /** Smallest P that is safe for all constrained layers; null if there is none. */
  readonly safeBits: number | null;
  /** Share of zero weights over all constrained layers, or over all layers if none is. */
  readonly sparsity: number;
}

/**
 * Audits every layer that has an accumulator.
 * @throws QuantError if the model has no quantized layer, or weights are not on their grid
 */
export async function auditModel(model: Module): Promise<Audit> {
  const layers: LayerAudit[] = [];
  for (const [name, layer] of quantLayers(model)) layers.push(await auditLayer(name, layer));
  if (layers.length === 0) throw new QuantError('audit', 'the model has no quantized layer, so no integers to audit');
  const constrained = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  const counted = constrained.length > 0 ? constrained : layers;
  const size = (layer: LayerAudit) => layer.channels * layer.length;
  const total = counted.reduce((sum, layer) => sum + size(layer), 0);
  return {
    layers,
    proved: constrained.length > 0 && constrained.every(({ proved }) => proved === true),
    safeBits: constrained.length > 0 ? Math.max(...constrained.map(({ safeBits }) => safeBits)) : null,
    sparsity: counted.reduce((sum, layer) => sum + layer.sparsity * size(layer), 0) / total,
  };
}

/** Audits one layer. @throws QuantError if its weights are not on their grid */
export async function auditLayer(name: string, layer: QuantLayer): Promise<LayerAudit> {
  const q = await integerWeights(name, layer);
  const { weightQuant: quantizer, dotLength: length, input } = layer;
  const channels = q.length / length;
  const { low, high } = inputRange(input);
  const range = { low, high };
  const claim = quantizer instanceof AccumulatorAwareQuantizer ? quantizer : null;
  const test = testAccumulator(q, channels, range, claim?.accumulatorBits ?? MAX_BITS);
  const rows = Array.from({ length: channels }, (_, i) => q.subarray(i * length, (i + 1) * length));
  const register = claim?.accumulatorBits ?? test.safeBits;
  const trial = register > MAX_BITS ? null : tryWitnesses(rows, range, test, register);
  const used = claim ? test.channels.map(({ l1 }) => l1 / claim.budget) : null;
  const worst = test.channels.reduce(
    (best, { utilisation }, i, all) => (utilisation > all[best].utilisation ? i : best),
    0,
  );
  const extremes = witness(rows[worst], range);
  return {
    layer: name,
    weightBits: quantizer.bits,
    inputBits: input.bits,
    inputSigned: input.signed,
    length,
    channels,
    bound: claim?.kind ?? null,
    accumulatorBits: claim?.accumulatorBits ?? null,
    budget: claim?.budget ?? null,
    safeBits: test.safeBits,
    max: Math.max(...test.channels.map(({ max }) => max)),
    min: Math.min(...test.channels.map(({ min }) => min)),
    budgetUsed: used && Math.max(...used),
    meanBudgetUsed: used && used.reduce((sum, share) => sum + share, 0) / channels,
    sparsity: q.reduce((zeros, weight) => zeros + (weight === 0 ? 1 : 0), 0) / q.length,
    weightsSha256: await sha256(q),
    alpha: test.channels.map(({ alpha }) => alpha),
    beta: test.channels.map(({ beta }) => beta),
    worst: {
      channel: worst,
      max: test.channels[worst].max,
      min: test.channels[worst].min,
      maxInput: [...extremes.max],
      minInput: [...extremes.min],
    },
    trial,
    proved: claim && test.safe && trial !== null && agrees(trial),
  };
}

function agrees({ overflows, reached, oneBitLessOverflows }: AuditTrial): boolean {
  return overflows === 0 && reached && oneBitLessOverflows;
}

/** Feeds both witnesses of every channel to a P-bit register that wraps around, and to one a bit too narrow. */
function tryWitnesses(
  rows: readonly Int32Array[],
  range: InputBounds,
  test: ReturnType<typeof testAccumulator>,
  accumulatorBits: number,
): AuditTrial {
  let overflows = 0;
  let reached = true;
  let oneBitLessOverflows = true;
  for (const [i, q] of rows.entries()) {
    const { max, min, safeBits } = test.channels[i];
    const inputs = witness(q, range);
    const x = { data: Int32Array.from([...inputs.max, ...inputs.min]), shape: [2, q.length] };
    const w = { data: q, shape: [1, q.length] };
    const run = accumulateLinear(x, w, { accumulatorBits, overflow: 'wrap' });
    overflows += run.overflows;
    reached &&= run.y.data[0] === max && run.y.data[1] === min;
    // An all-zero channel needs no register at all, and the simulation has none wider than 32 bits.
    if (safeBits < 2 || safeBits > MAX_BITS) continue;
    const narrow = accumulateLinear(x, w, { accumulatorBits: safeBits - 1, overflow: 'wrap' });
    oneBitLessOverflows &&= narrow.overflows > 0;
  }
  return { accumulatorBits, overflows, reached, oneBitLessOverflows };
}

async function sha256(q: Int32Array): Promise<string> {
  const bytes = new DataView(new ArrayBuffer(q.length * 4));
  for (const [i, value] of q.entries()) bytes.setInt32(i * 4, value, true);
  const digest = await crypto.subtle.digest('SHA-256', bytes.buffer);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
