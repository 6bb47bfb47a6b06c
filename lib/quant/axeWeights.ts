import { straightThrough } from '../autograd/define.js';
import { clip, div, mul, reshape, roundHalfEven } from '../autograd/ops.js';
import { fitAccumulator } from '../kernels/value.js';
import { asInteger, asOptions, asTensor } from '../tensor/argument.js';
import { Tensor } from '../tensor/tensor.js';
import { AccumulatorAwareQuantizer, type AccumulatorOptions } from './accumulatorAware.js';
import { checkedL1Budget } from './bounds.js';
import { checkBits, type IntegerFormat, MAX_BITS } from './integerRange.js';
import type { QuantTensor } from './quantTensor.js';
import { asRows, quantTensor, type WeightQuantizerFactory } from './weightQuantizer.js';

/** What the accumulators of a layer demand of weights that are rounded after training. */
export interface AxeOptions extends AccumulatorOptions {
  /**
   * T, how many terms a register of P bits sums before a wider one of `P + ⌈log2 ⌈K/T⌉⌉` bits takes them
   * (multi-stage accumulation); left out, all K.
   */
  readonly tile?: number;
}

/**
 * Weights that AXE (arXiv 2409.17092) has rounded: `q = clip(round(w/s), −Q, Q)`, which is what they are on already;
 * then the same guarantee as in training, whatever the parameters: `fitAccumulator(q)`. What chooses the integers is
 * `roundWeights`. The quantizer's `accumulatorBits` are those of the register that sums all K terms.
 */
export class AxeQuantizer extends AccumulatorAwareQuantizer {
  /** P of the register that sums one tile. */
  readonly tileBits: number;
  /** T. */
  readonly tile: number;

  constructor(options: AxeOptions, w: Tensor, input: IntegerFormat) {
    const { size, shape } = asTensor('AxeQuantizer', 'w', w);
    const length = size / shape[0];
    const { accumulatorBits: tileBits, tile = length } = asOptions('AxeQuantizer', options);
    const tiles = Math.ceil(length / Math.min(tile, length));
    const accumulatorBits = tileBits + Math.ceil(Math.log2(tiles));
    checkBits('axe', `the register behind ${tiles} tiles`, accumulatorBits, 1, MAX_BITS);
    super('a2q+', { ...options, accumulatorBits }, w, input);
    this.tileBits = tileBits;
    this.tile = Math.min(tile, length);
  }

  override quantize(w: Tensor): QuantTensor {
    const { bound } = this;
    const s = this.scale();
    const q = clip(roundHalfEven(div(asRows(w), s)), -bound.limit, bound.limit);
    const onGrid = straightThrough({
      name: 'axeWeights',
      forward: (integers: Tensor, scale: Tensor) => mul(new Tensor(fitAccumulator(integers, bound)), scale),
      surrogate: (integers: Tensor, scale: Tensor) => mul(integers, scale),
    });
    return quantTensor(reshape(onGrid(q, s), w.shape), () => s, this.bits);
  }
}

/**
 * AXE: weights rounded after training for registers of P bits, each of which sums T terms.
 * @throws QuantError if P can hold no weight at all, or float32 not carry M or N bits
 */
export function axe(options: AxeOptions): WeightQuantizerFactory {
  const { accumulatorBits, tile } = asOptions('axe', options);
  if (tile !== undefined) asInteger('axe', 'tile', tile, 1);
  return (w, input) => {
    checkedL1Budget('axe', 'a2q+', accumulatorBits, input);
    return new AxeQuantizer(options, w, input);
  };
}
