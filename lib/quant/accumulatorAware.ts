import { abs, div, sum } from '../autograd/ops.js';
import { dequantize, powerScale } from '../autograd/quantize.js';
import type { AccumulatorBound } from '../kernels/fast.js';
import type { Parameter } from '../nn/parameter.js';
import { asOptions } from '../tensor/argument.js';
import { QuantError } from '../tensor/errors.js';
import type { Tensor } from '../tensor/tensor.js';
import { a2qPenalty, a2qWeights } from './a2qWeights.js';
import { type BoundKind, checkedL1Budget, l1Budget } from './bounds.js';
import { checkFloatBits, type IntegerFormat, inputRange, weightRange } from './integerRange.js';
import { powerOfTwoLog } from './powerOfTwo.js';
import type { QuantTensor } from './quantTensor.js';
import {
  asRows,
  column,
  largestMagnitude,
  log2OfColumn,
  overwrite,
  parameterFrom,
  quantTensor,
  WeightQuantizer,
  type WeightQuantizerFactory,
} from './weightQuantizer.js';

/** What the accumulator of a layer demands of its weights. */
export interface AccumulatorOptions {
  /** M, weight bits, 2 … 24. */
  readonly bits: number;
  /** P, accumulator bits. */
  readonly accumulatorBits: number;
  /** Round scales up to powers of two: see `powerOfTwoScale`. Default false. */
  readonly powerOfTwoScales?: boolean;
}

/** d and t of weights as they are, `[O]`. */
const firstD = (w: Tensor, bits: number) => log2OfColumn(div(largestMagnitude(asRows(w)), weightRange(bits).high));
const firstT = (w: Tensor) => log2OfColumn(sum(abs(asRows(w)), { axes: 1, keepDims: true }));

/** Weights that promise to fit a P-bit accumulator, with a learned scale: what the audit holds to its P. */
export abstract class AccumulatorAwareQuantizer extends WeightQuantizer {
  readonly kind: BoundKind;
  /** P. */
  readonly accumulatorBits: number;
  /** N and 1s. */
  readonly input: IntegerFormat;
  /** T (or T₊): cap on ‖q‖₁. */
  readonly budget: number;
  /** log2 of the scale, before it is rounded up to an integer for power-of-two scales; `[O]`. */
  readonly d: Parameter;

  constructor(kind: BoundKind, options: AccumulatorOptions, w: Tensor, input: IntegerFormat) {
    const { bits, accumulatorBits, powerOfTwoScales = false } = asOptions('AccumulatorAwareQuantizer', options);
    super(bits, powerOfTwoScales);
    checkFloatBits(kind, 'input bits N', input);
    this.kind = kind;
    this.accumulatorBits = accumulatorBits;
    this.input = { bits: input.bits, signed: input.signed };
    this.budget = l1Budget(kind, accumulatorBits, input);
    this.d = parameterFrom(() => firstD(w, this.bits));
  }

  /** What the weights are held to. */
  protected get bound(): AccumulatorBound {
    const { low, high } = inputRange(this.input);
    return {
      limit: weightRange(this.bits).high,
      budget: this.budget,
      centred: this.kind === 'a2q+',
      accumulator: { bits: this.accumulatorBits, low, high },
    };
  }

  /** `d = log2(max|w| / Q)`; of the weights as they are, centred or not. */
  override initialize(w: Tensor): void {
    overwrite(this.d, () => firstD(w, this.bits));
  }

  /** log2 of the scale that is used, `[O]`. */
  logScale(): Tensor {
    return this.powerOfTwoScales ? powerOfTwoLog(this.d) : this.d;
  }

  /** s `[O, 1]`. */
  scale(): Tensor {
    return powerScale(column(this.logScale()), 1);
  }

  /** As `quantize` does it on backends that then multiply integers. */
  override restore(q: Tensor, scale: Tensor): Tensor {
    return dequantize(q, scale, weightRange(this.bits).high);
  }
}

/** A2Q or A2Q+ as a module: holds d and t, knows P and T; the mathematics is `a2qWeights.ts`. */
export class A2QQuantizer extends AccumulatorAwareQuantizer {
  /** log2 of the norm g, `[O]`. */
  readonly t: Parameter;

  constructor(kind: BoundKind, options: AccumulatorOptions, w: Tensor, input: IntegerFormat) {
    super(kind, options, w, input);
    this.t = parameterFrom(() => firstT(w));
  }

  /** `d = log2(max|w| / Q)`, `t = log2 ‖w‖₁`; of the weights as they are, centred or not. */
  override initialize(w: Tensor): void {
    super.initialize(w);
    overwrite(this.t, () => firstT(w));
  }

  override quantize(w: Tensor): QuantTensor {
    return quantTensor(a2qWeights(w, this.logScale(), this.t, this.bound), () => this.scale(), this.bits);
  }

  /** `Σ max(g − T·s, 0)` over the channels: keeps g from getting stuck above its cap. */
  override penalty(): Tensor {
    return a2qPenalty(this.logScale(), this.t, this.budget);
  }
}

/**
 * A2Q: one norm, one scale, one cap per output channel.
 * @throws QuantError if P can hold no weight at all, or float32 not carry M or N bits
 */
export function a2q(options: AccumulatorOptions): WeightQuantizerFactory {
  return accumulatorAware('a2q', options);
}

/**
 * A2Q+: zero-centred weights, which may spend twice the budget and a little more.
 * @throws QuantError as `a2q`, and for channels of one weight, which centring leaves nothing of
 */
export function a2qPlus(options: AccumulatorOptions): WeightQuantizerFactory {
  return accumulatorAware('a2q+', options);
}

function accumulatorAware(kind: BoundKind, options: AccumulatorOptions): WeightQuantizerFactory {
  asOptions(kind, options);
  return (w, input) => {
    checkedL1Budget(kind, kind, options.accumulatorBits, input);
    if (kind === 'a2q+' && w.size === w.shape[0]) {
      throw new QuantError(kind, 'a channel of one weight is its own mean and would be 0; use a2q for this layer');
    }
    return new A2QQuantizer(kind, options, w, input);
  };
}
