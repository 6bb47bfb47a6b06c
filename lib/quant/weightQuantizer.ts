import {
  abs,
  clip,
  div,
  log2,
  max,
  maximum,
  mean,
  minimum,
  mul,
  reshape,
  roundHalfEven,
  sub,
  sum,
} from '../autograd/ops.js';
import { a2qPenalty, a2qWeights, powerScale } from '../autograd/quantOps.js';
import { noGrad } from '../autograd/tape.js';
import { Module } from '../nn/module.js';
import { Parameter } from '../nn/parameter.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { type BoundKind, checkedL1Budget, l1Budget } from './bounds.js';
import { checkBits, type IntegerFormat, weightRange } from './integerRange.js';
import type { QuantTensor } from './quantTensor.js';
import { atLeastSmallest, SMALLEST } from './smallest.js';

/**
 * How the weights of one layer become integers. A quantizer is a module: its parameters are trained with the layer's.
 * Write your own by extending this class and passing a factory to a layer.
 */
export abstract class WeightQuantizer extends Module {
  /** M. */
  readonly bits: number;

  constructor(bits: number) {
    super();
    checkBits('WeightQuantizer', 'weight bits M', bits, 2);
    this.bits = bits;
  }

  /** @param w `[O, …]`, output channels first @returns the grid values, of the same shape, differentiable */
  abstract quantize(w: Tensor): QuantTensor;

  /** Sets the quantizer's own parameters from weights, as at the start of training. */
  initialize(_w: Tensor): void {}

  /** What the regulariser of the method adds to the loss, a scalar; null if the method has none. */
  penalty(): Tensor | null {
    return null;
  }

  override forward(w: Tensor): Tensor {
    return this.quantize(w).value;
  }
}

/** Makes the quantizer of one layer, given its float weights and the format of its input. */
export type WeightQuantizerFactory = (w: Tensor, input: IntegerFormat) => WeightQuantizer;

/** `w [O, …]` as a matrix `[O, K]`: one row is one dot product, one accumulator. */
function asRows(w: Tensor): Tensor {
  return reshape(w, [w.shape[0], w.size / Math.max(1, w.shape[0])]);
}

function column(vector: Tensor): Tensor {
  return reshape(vector, [vector.shape[0], 1]);
}

/** max|w| of each output channel, `[O, 1]`. */
function largestMagnitude(rows: Tensor): Tensor {
  return max(abs(rows), { axes: 1, keepDims: true });
}

/** ‖·‖₁ of each output channel, `[O, 1]`. */
function l1Norm(rows: Tensor): Tensor {
  return sum(abs(rows), { axes: 1, keepDims: true });
}

/** `log2(max(x, 1e-10))` as a vector `[O]`, computed off the tape. */
function log2OfColumn(x: Tensor): Tensor {
  return reshape(log2(maximum(x, SMALLEST)), [x.shape[0]]);
}

/** Weights on their grid, with the scale `[O, 1]` of their rows. */
function quantTensor(value: Tensor, scale: () => Tensor, bits: number): QuantTensor {
  const [channels, ...rest] = value.shape;
  return {
    value,
    get scale() {
      return reshape(scale(), [channels, ...rest.map(() => 1)]);
    },
    bits,
    signed: true,
    narrow: true,
  };
}

/** Writes a freshly computed tensor into a parameter and frees it. */
function set(parameter: Parameter, compute: () => Tensor): void {
  const value = scope(() => noGrad(compute));
  parameter.assign(value);
  dispose(value);
}

function parameterFrom(compute: () => Tensor): Parameter {
  const value = scope(() => noGrad(compute));
  const parameter = new Parameter(value);
  dispose(value);
  return parameter;
}

/**
 * Affine weights with the scale taken from the weights: `s = max|w| / Q` per output channel, `q = round(w/s)` with ties
 * to even. No parameter; the gradient also flows through `s` to the largest weight.
 */
export class StatsWeightQuantizer extends WeightQuantizer {
  override quantize(w: Tensor): QuantTensor {
    const rows = asRows(w);
    const s = atLeastSmallest(div(largestMagnitude(rows), weightRange(this.bits).high));
    return quantTensor(reshape(mul(roundHalfEven(div(rows, s)), s), w.shape), () => s, this.bits);
  }
}

/**
 * Affine weights with a learned scale per output channel: `s = 2^d / Q`, `q = clip(round(w/s), −Q, Q)`; `2^d` is the
 * largest magnitude representable.
 */
export class LearnedWeightQuantizer extends WeightQuantizer {
  /** log2 of the largest representable magnitude, `[O]`. */
  readonly d: Parameter;

  constructor(bits: number, w: Tensor) {
    super(bits);
    this.d = parameterFrom(() => log2OfColumn(largestMagnitude(asRows(w))));
  }

  override initialize(w: Tensor): void {
    set(this.d, () => log2OfColumn(largestMagnitude(asRows(w))));
  }

  override quantize(w: Tensor): QuantTensor {
    const { high: Q } = weightRange(this.bits);
    const s = powerScale(column(this.d), Q);
    const q = clip(roundHalfEven(div(asRows(w), s)), -Q, Q);
    return quantTensor(reshape(mul(q, s), w.shape), () => s, this.bits);
  }
}

/** What the accumulator of a layer demands of its weights. */
export interface AccumulatorOptions {
  /** M, weight bits, 2 … 32. */
  readonly bits: number;
  /** P, accumulator bits. */
  readonly accumulatorBits: number;
}

/**
 * A2Q (arXiv 2308.13504, eq. 17–23) and A2Q+ (arXiv 2401.10432, eq. 12): weights normalised to a learned l1 norm that
 * is capped so that no P-bit accumulator overflows, whatever the inputs.
 *
 *     s = 2^d,  g = 2^t                       learned, one per output channel
 *     T  = (2^(P−1) − 1) / 2^(N−1s)           A2Q, on the integer grid
 *     T₊ = (2^P − 2) / (2^N − 1)              A2Q+
 *     v  = w  (A2Q)   or   w − mean(w)  (A2Q+)
 *     q  = clip(trunc(v/‖v‖₁ · min(g/s, T)), −Q, Q)
 *     w_deq = s·q
 */
export class AccumulatorAwareQuantizer extends WeightQuantizer {
  readonly kind: BoundKind;
  /** P. */
  readonly accumulatorBits: number;
  /** N and 1s. */
  readonly input: IntegerFormat;
  /** T (or T₊): cap on ‖q‖₁. */
  readonly budget: number;
  /** log2 of the scale, `[O]`. */
  readonly d: Parameter;
  /** log2 of the norm g, `[O]`. */
  readonly t: Parameter;

  constructor(kind: BoundKind, options: AccumulatorOptions, w: Tensor, input: IntegerFormat) {
    super(options.bits);
    this.kind = kind;
    this.accumulatorBits = options.accumulatorBits;
    this.input = { bits: input.bits, signed: input.signed };
    this.budget = l1Budget(kind, options.accumulatorBits, input);
    this.d = parameterFrom(() => this.#initialD(w));
    this.t = parameterFrom(() => this.#initialT(w));
  }

  /** `d = log2(max|w| / Q)`, `t = log2 ‖w‖₁`; of the weights as they are, centred or not. */
  override initialize(w: Tensor): void {
    set(this.d, () => this.#initialD(w));
    set(this.t, () => this.#initialT(w));
  }

  #initialD(w: Tensor): Tensor {
    return log2OfColumn(div(largestMagnitude(asRows(w)), weightRange(this.bits).high));
  }

  #initialT(w: Tensor): Tensor {
    return log2OfColumn(l1Norm(asRows(w)));
  }

  /** s `[O, 1]`. */
  scale(): Tensor {
    return powerScale(column(this.d), 1);
  }

  /** g `[O, 1]`. */
  norm(): Tensor {
    return powerScale(column(this.t), 1);
  }

  /** The trained weights before normalisation: centred for A2Q+. */
  #v(w: Tensor): Tensor {
    const rows = asRows(w);
    return this.kind === 'a2q' ? rows : sub(rows, mean(rows, { axes: 1, keepDims: true }));
  }

  /** `‖v‖₁ / min(g/s, T)`: what the weights are divided by to reach the integer grid, `[O, 1]`. */
  preScale(w: Tensor): Tensor {
    const r = minimum(div(this.norm(), this.scale()), this.budget);
    return atLeastSmallest(div(l1Norm(this.#v(w)), r));
  }

  override quantize(w: Tensor): QuantTensor {
    const { high: Q } = weightRange(this.bits);
    const bound = { limit: Q, centred: this.kind === 'a2q+', budget: this.budget };
    return quantTensor(a2qWeights(w, this.d, this.t, bound), () => this.scale(), this.bits);
  }

  /** `Σ max(g − T·s, 0)` over the channels: keeps g from getting stuck above its cap. */
  override penalty(): Tensor {
    return a2qPenalty(this.d, this.t, this.budget);
  }
}

/** Affine weights, scale from the weights. @param options.bits M */
export function affine(options: { readonly bits: number }): WeightQuantizerFactory {
  return () => new StatsWeightQuantizer(options.bits);
}

/** Affine weights, learned scale. @param options.bits M */
export function affineLearned(options: { readonly bits: number }): WeightQuantizerFactory {
  return (w) => new LearnedWeightQuantizer(options.bits, w);
}

/** A2Q: one norm, one scale, one cap per output channel. @throws QuantError if P can hold no weight at all */
export function a2q(options: AccumulatorOptions): WeightQuantizerFactory {
  return accumulatorAware('a2q', options);
}

/** A2Q+: zero-centred weights, which may spend twice the budget and a little more. @throws QuantError as `a2q` */
export function a2qPlus(options: AccumulatorOptions): WeightQuantizerFactory {
  return accumulatorAware('a2q+', options);
}

function accumulatorAware(kind: BoundKind, options: AccumulatorOptions): WeightQuantizerFactory {
  return (w, input) => {
    checkedL1Budget(kind, kind, options.accumulatorBits, input);
    return new AccumulatorAwareQuantizer(kind, options, w, input);
  };
}
