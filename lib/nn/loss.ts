import { logSoftmax } from '../autograd/activations.js';
import { div, mean, mul, neg, square, sub, sum } from '../autograd/ops.js';
import { type TensorOptions, tensor } from '../tensor/create.js';
import { DataError, ShapeError } from '../tensor/errors.js';
import { sameShape } from '../tensor/shape.js';
import { hostArray } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';

/** Class numbers, 0 … classes−1, one a sample. */
export type Labels = Int32Array | readonly number[];

/**
 * Row i holds 1 at column `labels[i]` and 0 elsewhere.
 *
 * @returns `[labels.length, classes]`
 * @throws DataError for a label that is not an integer in 0 … classes−1
 */
export function oneHot(labels: Labels, classes: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'float32';
  const data = hostArray(dtype, labels.length * classes);
  for (const [i, label] of labels.entries()) {
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new DataError('oneHot', `label ${label} at position ${i} is not a class of 0 … ${classes - 1}`);
    }
    data[i * classes + label] = 1;
  }
  return tensor(data, [labels.length, classes], { ...options, dtype });
}

/**
 * Mean over samples of `−log softmax(logits)[label]`, in nats.
 *
 * @param logits `[N, C]`
 * @param labels N class numbers, or their probabilities `[N, C]`, one-hot or softened
 * @returns a scalar
 * @throws ShapeError if the shapes do not fit; DataError for a label out of range
 */
export function crossEntropy(logits: Tensor, labels: Labels | Tensor): Tensor {
  if (logits.rank !== 2 || logits.size === 0) {
    throw new ShapeError('crossEntropy', 'logits must be [N, C], not empty', [logits.shape]);
  }
  const [samples, classes] = logits.shape;
  if (!(labels instanceof Tensor) && labels.length !== samples) {
    throw new ShapeError('crossEntropy', `${labels.length} labels for ${samples} samples`, [logits.shape]);
  }
  const target =
    labels instanceof Tensor ? labels : oneHot(labels, classes, { dtype: logits.dtype, device: logits.device });
  if (!sameShape(target.shape, logits.shape)) {
    throw new ShapeError('crossEntropy', 'probabilities must have the shape of the logits', [
      target.shape,
      logits.shape,
    ]);
  }
  return div(neg(sum(mul(logSoftmax(logits, 1), target))), samples);
}

/**
 * Mean over all elements of `(x − target)²`.
 * @returns a scalar
 * @throws ShapeError if the shapes differ (nothing broadcasts) or are empty
 */
export function mse(x: Tensor, target: Tensor): Tensor {
  if (!sameShape(x.shape, target.shape) || x.size === 0) {
    throw new ShapeError('mse', 'x and target must have one shape, not empty', [x.shape, target.shape]);
  }
  return mean(square(sub(x, target)));
}
