import { asNumbers } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { QuantError, ShapeError } from '../tensor/errors.js';
import { hostArray, type TypedArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { integerRange } from './integerRange.js';
import type { QuantTensor } from './quantTensor.js';
import { quantTensor, type WeightQuantizer } from './weightQuantizer.js';

/**
 * Integers that a layer computes with in place of those its quantizer would make of its weights now, so that every
 * backend computes with the same ones: which integer a float is truncated to can depend on the last bit of a sum.
 * They are of the weights as they were: once those change, the integers are stale and refused.
 */
export class FrozenWeights {
  readonly #q: TypedArray;
  readonly #scales: TypedArray;
  readonly #sources: readonly Tensor[];
  readonly #versions: readonly number[];
  readonly #weight: Tensor;
  readonly #quantizer: WeightQuantizer;

  /**
   * @param weight `[O, …]`, whose shape the integers have
   * @param q `[O, …]` row-major integers of the quantizer's bits @param scales `[O]`
   * @throws ShapeError if they do not fit the layer; QuantError unless all are such integers and scales are positive
   */
  constructor(weight: Tensor, quantizer: WeightQuantizer, q: ArrayLike<number>, scales: ArrayLike<number>) {
    asNumbers('freeze', 'the integers', q);
    asNumbers('freeze', 'the scales', scales);
    const [channels] = weight.shape;
    if (q.length !== weight.size || scales.length !== channels) {
      throw new ShapeError('freeze', `${q.length} integers and ${scales.length} scales are not of the layer`, [
        weight.shape,
      ]);
    }
    const { low, high } = integerRange(quantizer.bits, { signed: true });
    for (let i = 0; i < q.length; i++) {
      if (Number.isInteger(q[i]) && q[i] >= low && q[i] <= high) continue;
      throw new QuantError('freeze', `weight ${i} is ${q[i]}, no integer of ${quantizer.bits} bits`);
    }
    for (let i = 0; i < channels; i++) {
      if (scales[i] > 0 && scales[i] < Number.POSITIVE_INFINITY) continue;
      throw new QuantError('freeze', `the scale of channel ${i} is ${scales[i]}`);
    }
    this.#weight = weight;
    this.#quantizer = quantizer;
    this.#q = hostArray(weight.dtype, q.length);
    this.#q.set(q);
    this.#scales = hostArray(weight.dtype, channels);
    this.#scales.set(scales);
    this.#sources = [weight, ...quantizer.parameters()];
    this.#versions = this.#sources.map(({ storage }) => storage.version);
  }

  /** On the layer's backend. @throws QuantError if the weights, or what quantizes them, were overwritten since */
  quantTensor(): QuantTensor {
    if (this.#sources.some(({ storage }, i) => storage.version !== this.#versions[i])) {
      throw new QuantError('freeze', 'the weights have changed since their integers were frozen; unfreeze() the layer');
    }
    const { shape, dtype, device } = this.#weight;
    const scale = tensor(this.#scales, [shape[0]], { dtype, device });
    const q = tensor(this.#q, shape, { dtype, device });
    return quantTensor(this.#quantizer.restore(q, scale), () => scale, this.#quantizer.bits);
  }
}
