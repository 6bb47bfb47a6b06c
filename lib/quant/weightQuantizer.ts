import { abs, clip, div, log2, max, maximum, mul, reshape, roundHalfEven } from '../autograd/ops.js';
import { atLeastSmallest, powerScale, SMALLEST } from '../autograd/quantize.js';
import { noGrad } from '../autograd/tape.js';
import { Module } from '../nn/module.js';
import { Parameter } from '../nn/parameter.js';
import { asBoolean } from '../tensor/argument.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkFloatBits, type IntegerFormat, weightRange } from './integerRange.js';
import { powerOfTwoScale } from './powerOfTwo.js';
import type { QuantTensor } from './quantTensor.js';

/**
 * How the weights of one layer become integers. A quantizer is a module: its parameters are trained with the layer's.
 * Write your own by extending this class and passing a factory to a layer.
 */
export abstract class WeightQuantizer extends Module {
  /** M, 2 … 24: what float32 carries. */
  readonly bits: number;
  /** Whether its scales are powers of two. */
  readonly powerOfTwoScales: boolean;

  constructor(bits: number, powerOfTwoScales = false) {
    super();
    checkFloatBits('WeightQuantizer', 'weight bits M', { bits, signed: true });
    this.bits = bits;
    this.powerOfTwoScales = asBoolean('WeightQuantizer', 'powerOfTwoScales', powerOfTwoScales);
  }

  /** @param w `[O, …]`, output channels first @returns the grid values, of the same shape, differentiable */
  abstract quantize(w: Tensor): QuantTensor;

  /**
   * What `quantize` once returned as integers, by the same arithmetic.
   * @param q integers `[O, …]` @param scale `[O]` @returns `q·s`, of the shape of `q`
   */
  restore(q: Tensor, scale: Tensor): Tensor {
    return mul(q, reshape(scale, [q.shape[0], ...q.shape.slice(1).map(() => 1)]));
  }

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
export function asRows(w: Tensor): Tensor {
  return reshape(w, [w.shape[0], w.size / Math.max(1, w.shape[0])]);
}

export function column(vector: Tensor): Tensor {
  return reshape(vector, [vector.shape[0], 1]);
}

/** max|w| of each output channel, `[O, 1]`. */
export function largestMagnitude(rows: Tensor): Tensor {
  return max(abs(rows), { axes: 1, keepDims: true });
}

/** `log2(max(x, 1e-10))` as a vector `[O]`, computed off the tape. */
export function log2OfColumn(x: Tensor): Tensor {
  return reshape(log2(maximum(x, SMALLEST)), [x.shape[0]]);
}

/** Weights on their grid, with the scale `[O, 1]` of their rows. */
export function quantTensor(value: Tensor, scale: () => Tensor, bits: number): QuantTensor {
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
export function overwrite(parameter: Parameter, compute: () => Tensor): void {
  const value = scope(() => noGrad(compute));
  parameter.assign(value);
  dispose(value);
}

export function parameterFrom(compute: () => Tensor): Parameter {
  const value = scope(() => noGrad(compute));
  const parameter = new Parameter(value);
  dispose(value);
  return parameter;
}

/**
 * Affine weights, `s = max|w| / Q` per output channel, `q = clip(round(w/s), −Q, Q)`, ties to even; s passes gradients
 * to max|w|.
 */
export class StatsWeightQuantizer extends WeightQuantizer {
  override quantize(w: Tensor): QuantTensor {
    const rows = asRows(w);
    const { high: Q } = weightRange(this.bits);
    const largest = atLeastSmallest(div(largestMagnitude(rows), Q));
    const s = this.powerOfTwoScales ? powerOfTwoScale(largest) : largest;
    const q = clip(roundHalfEven(div(rows, s)), -Q, Q);
    return quantTensor(reshape(mul(q, s), w.shape), () => s, this.bits);
  }
}

/** Affine weights, learned scale per channel: `s = 2^d / Q`, `q = clip(round(w/s), −Q, Q)`; `2^d` is the maximum. */
export class LearnedWeightQuantizer extends WeightQuantizer {
  /** log2 of the largest representable magnitude, `[O]`. */
  readonly d: Parameter;

  constructor(bits: number, w: Tensor, powerOfTwoScales = false) {
    super(bits, powerOfTwoScales);
    this.d = parameterFrom(() => log2OfColumn(largestMagnitude(asRows(w))));
  }

  override initialize(w: Tensor): void {
    overwrite(this.d, () => log2OfColumn(largestMagnitude(asRows(w))));
  }

  override quantize(w: Tensor): QuantTensor {
    const { high: Q } = weightRange(this.bits);
    const learned = powerScale(column(this.d), Q);
    const s = this.powerOfTwoScales ? powerOfTwoScale(learned) : learned;
    const q = clip(roundHalfEven(div(asRows(w), s)), -Q, Q);
    return quantTensor(reshape(mul(q, s), w.shape), () => s, this.bits);
  }
}

/** What affine weights need to know. */
export interface AffineOptions {
  /** M. */
  readonly bits: number;
  /** Round scales up to powers of two: see `powerOfTwoScale`. Default false. */
  readonly powerOfTwoScales?: boolean;
}

/** Affine weights, scale from the weights. */
export function affine(options: AffineOptions): WeightQuantizerFactory {
  return () => new StatsWeightQuantizer(options.bits, options.powerOfTwoScales);
}

/** Affine weights, learned scale. */
export function affineLearned(options: AffineOptions): WeightQuantizerFactory {
  return (w) => new LearnedWeightQuantizer(options.bits, w, options.powerOfTwoScales);
}
