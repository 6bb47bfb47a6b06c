import { noGrad } from '../autograd/tape.js';
import { WeightedModule } from '../nn/layers/weighted.js';
import type { Module } from '../nn/module.js';
import { testAccumulator, witness } from '../quant/accumulator.js';
import { AccumulatorAwareQuantizer } from '../quant/accumulatorAware.js';
import type { BoundKind } from '../quant/bounds.js';
import type { Batches } from '../quant/calibrate.js';
import { inputRange, MAX_BITS } from '../quant/integerRange.js';
import { multipliesPlainly, QuantLayer, quantLayers } from '../quant/layers.js';
import { QuantError } from '../tensor/errors.js';
import { largest, smallest } from '../tensor/extremes.js';
import { sha256 } from '../tensor/sha256.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { copyOf } from './copyOf.js';
import {
  type AuditedWeights,
  type InputChecked,
  type InputEvidence,
  type Observation,
  observeInputs,
  ownEvidence,
} from './inputs.js';
import { drawWeights, givesAgain, integersOf, type WeightDraw } from './integerWeights.js';
import { type AuditTrial, agrees, tryWitnesses } from './trial.js';

export type { InputChecked, InputEvidence } from './inputs.js';
export type { AuditTrial } from './trial.js';

/**
 * The audit of a trained model: from the integers alone, the worst that any input could do to each accumulator, and a
 * trial of that worst input on a simulated register. A bias is not counted: it is added after the accumulator. What the
 * proof assumes is checked: weights on their grid, inputs on theirs, nothing computed beside the quantized layers.
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

/** The verdict on one layer. */
export interface LayerAudit {
  readonly layer: string;
  /** M; N and 1s of the input; K. */
  readonly weightBits: number;
  readonly inputBits: number;
  readonly inputSigned: boolean;
  /** How it is known that the inputs are integers of these bits, and those met in the data. */
  readonly inputChecked: InputChecked;
  readonly inputSeen: InputEvidence['seen'];
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
  /** What a proof assumes and is not known, or not so. */
  readonly problems: readonly string[];
  /** True: no input overflows P bits. False: some input does. Null: nothing is claimed, or a problem is in the way. */
  readonly proved: boolean | null;
}

/** The verdict on a model. */
export interface Audit {
  readonly layers: readonly LayerAudit[];
  /** What in the model, outside of its quantized layers, a proof cannot speak of. */
  readonly problems: readonly string[];
  /** Whether every layer that claims a P is proved, there is one, and nothing else computes dot products. */
  readonly proved: boolean;
  /** Smallest P that is safe for all constrained layers; null if there is none. */
  readonly safeBits: number | null;
  /** Share of zero weights over all constrained layers, or over all layers if none is. */
  readonly sparsity: number;
}

/** What an audit may run through the model: inputs as `forward` takes them. */
export interface AuditOptions {
  /** One batch of any numbers: shows, for every input of its shape, which quantizer each layer's inputs come from. */
  readonly example?: Tensor;
  /** Data: the same, and the values that really reach each layer are held to its grid. */
  readonly batches?: Batches;
}

/**
 * Audits every layer that has an accumulator. Without an example or data, a layer that names a quantizer upstream as
 * its input rests on the model author's word, and is not proved.
 *
 * @param options or the batches alone
 * @throws QuantError if the model has no quantized layer, or weights are not on their grid; DataError without a batch
 */
export async function auditModel(model: Module, options: AuditOptions | Batches = {}): Promise<Audit> {
  const named = [...quantLayers(model)];
  if (named.length === 0) throw new QuantError('audit', 'the model has no quantized layer, so no integers to audit');
  const drawn = new Map(named.map(([, layer]) => [layer, drawWeights(layer)] as const));
  const layers: LayerAudit[] = [];
  let problems: readonly string[];
  try {
    const observed = await observe(model, options, drawn);
    for (const [name, layer] of named) layers.push(await auditDrawn(name, layer, drawn, observed));
    problems = await strayProblems(model, observed);
  } finally {
    dispose([...drawn.values()].map(({ value, scale }) => [value, scale]));
  }
  const constrained = layers.filter(({ accumulatorBits }) => accumulatorBits !== null);
  const counted = constrained.length > 0 ? constrained : layers;
  const size = (layer: LayerAudit) => layer.channels * layer.length;
  const total = counted.reduce((sum, layer) => sum + size(layer), 0);
  const proved = constrained.length > 0 && constrained.every((layer) => layer.proved === true);
  return {
    layers,
    problems,
    proved: proved && problems.length === 0,
    safeBits: constrained.length > 0 ? largest(constrained.map(({ safeBits }) => safeBits)) : null,
    sparsity: counted.reduce((sum, layer) => sum + layer.sparsity * size(layer), 0) / total,
  };
}

function observe(model: Module, options: AuditOptions | Batches, drawn: AuditedWeights): Promise<Observation> | null {
  const given = Symbol.iterator in options || Symbol.asyncIterator in options ? { batches: options } : options;
  const { example, batches } = given as AuditOptions;
  if (batches !== undefined) return observeInputs(model, batches, true, drawn);
  return example === undefined ? null : observeInputs(model, [example], false, drawn);
}

/** What computes dot products unquantized, and state that is no number. */
async function strayProblems(model: Module, observed: Observation | null): Promise<string[]> {
  const floats = model
    .namedModules()
    .filter(([, module]) => module instanceof WeightedModule && !(module instanceof QuantLayer))
    .map(([name]) => `${name} is not quantized: its weights are floats`);
  const products = observed?.products.map((row) => `a ${row} runs outside of every quantized layer`) ?? [];
  const state = [...(await model.stateDict())].flatMap(([name, { data }]) => {
    const bad = data.find((value) => !Number.isFinite(value));
    return bad === undefined ? [] : [`${name} holds ${bad}`];
  });
  return [...floats, ...products, ...state];
}

/**
 * Audits one layer.
 * @param evidence what is known of its inputs; left out, whether it quantizes them itself
 * @throws QuantError if its weights are not on their grid
 */
export async function auditLayer(
  name: string,
  layer: QuantLayer,
  evidence: InputEvidence = ownEvidence(layer),
): Promise<LayerAudit> {
  const draw = drawWeights(layer);
  try {
    return await auditWeights(name, layer, draw, evidence, []);
  } finally {
    dispose(draw.value, draw.scale);
  }
}

function auditDrawn(name: string, layer: QuantLayer, drawn: AuditedWeights, observed: Observation | null) {
  const others = observed?.otherWeights.has(layer) ? ['its forward pass multiplies with other weights'] : [];
  const draw = drawn.get(layer) as WeightDraw;
  return auditWeights(name, layer, draw, observed?.evidence.get(layer) ?? ownEvidence(layer), others);
}

/** @param known problems that the forward pass showed */
async function auditWeights(
  name: string,
  layer: QuantLayer,
  draw: WeightDraw,
  evidence: InputEvidence,
  known: readonly string[],
): Promise<LayerAudit> {
  const { q } = await integersOf(name, layer, draw);
  const { weightQuant: quantizer, input } = layer;
  const [channels] = layer.weight.shape;
  const length = q.length / channels;
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
  const problems = [...known, ...(await layerProblems(layer, draw, evidence))];
  return {
    layer: name,
    weightBits: quantizer.bits,
    inputBits: input.bits,
    inputSigned: input.signed,
    inputChecked: evidence.checked,
    inputSeen: evidence.seen,
    length,
    channels,
    bound: claim?.kind ?? null,
    accumulatorBits: claim?.accumulatorBits ?? null,
    budget: claim?.budget ?? null,
    safeBits: test.safeBits,
    max: largest(test.channels.map(({ max }) => max)),
    min: smallest(test.channels.map(({ min }) => min)),
    budgetUsed: used && largest(used),
    meanBudgetUsed: used && used.reduce((sum, share) => sum + share, 0) / channels,
    sparsity: q.reduce((zeros, weight) => zeros + (weight === 0 ? 1 : 0), 0) / q.length,
    weightsSha256: await integersSha256(q),
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
    problems,
    proved: claim && verdict(test.safe && trial !== null && agrees(trial), evidence, problems),
  };
}

function verdict(holds: boolean, { checked }: InputEvidence, problems: readonly string[]): boolean | null {
  if (!holds || checked === 'refuted by data') return false;
  return problems.length === 0 ? true : null;
}

/** What keeps the integers of a layer from being all that it computes with. */
async function layerProblems(
  layer: QuantLayer,
  draw: WeightDraw,
  { checked, reason }: InputEvidence,
): Promise<string[]> {
  const { low, high } = layer.input.range;
  const scale = scope(() => noGrad(() => copyOf(layer.input.scale())));
  const [step] = await scale.data();
  dispose(scale);
  const problems: string[] = [];
  if (!layer.quantizeWeights) problems.push('it computes with its float weights (quantizeWeights is off)');
  if (!multipliesPlainly(layer)) problems.push('its multiply is its author’s own, and what it sums is not known');
  if (!(await givesAgain(layer, draw))) problems.push('its quantizer gives other weights each time it is asked');
  if (!(layer.weightQuant instanceof AccumulatorAwareQuantizer) && 'accumulatorBits' in layer.weightQuant) {
    problems.push('its quantizer has accumulatorBits but claims nothing: only an AccumulatorAwareQuantizer does');
  }
  if (layer.product !== null) problems.push('its product is replaced by another');
  if (layer.input.calibrating) problems.push('its input quantizer is being calibrated and passes values as they are');
  if (!(step > 0 && Number.isFinite(Math.fround(step * Math.max(-low, high))))) {
    problems.push(`the scale of its inputs is ${step}`);
  }
  if (checked !== 'by construction') problems.push(`inputs: ${checked}${reason === null ? '' : `; ${reason}`}`);
  return problems;
}

function integersSha256(q: Int32Array): Promise<string> {
  const bytes = new DataView(new ArrayBuffer(q.length * 4));
  for (const [i, value] of q.entries()) bytes.setInt32(i * 4, value, true);
  return sha256(new Uint8Array(bytes.buffer));
}
