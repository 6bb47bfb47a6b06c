import type { Dataset } from '../data/dataset.js';
import type { Tensor } from '../tensor/tensor.js';

/** What a model is trained for: how its output is judged. */
export interface Task {
  readonly kind: Dataset['kind'];
  /** `accuracy` is a fraction 0 … 1, `psnr` is in dB; both are better when higher. */
  readonly metric: 'accuracy' | 'psnr';
  /** Mean loss of a batch, a scalar. `targets` as the dataset's batches hold them. */
  loss(output: Tensor, targets: Int32Array | Float32Array): Tensor;
  /** Sum of the metric over the samples of a batch, from the output in host memory. */
  score(output: ArrayLike<number>, targets: ArrayLike<number>, samples: number): number;
}
