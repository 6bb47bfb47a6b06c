import { asDataset, type Dataset, type DatasetFacts } from '../data/dataset.js';
import { countCorrect, psnrPerImage } from '../data/metrics.js';
import { crossEntropy, mse } from '../nn/loss.js';
import { tensor } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
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

/** Logits `[N, classes]` against labels `[N]`: cross-entropy in nats, top-1 accuracy. */
export function classification(): Task {
  return {
    kind: 'labels',
    metric: 'accuracy',
    loss(output, targets) {
      if (!(targets instanceof Int32Array)) throw new DataError('classification', 'targets must be int32 labels');
      return crossEntropy(output, targets);
    },
    score: (output, targets) => countCorrect(output, targets),
  };
}

/** Images against images of one shape `[N, C, H, W]`, values in [0, 1]: mean squared error, PSNR per image in dB. */
export function superResolution(): Task {
  return {
    kind: 'images',
    metric: 'psnr',
    loss: (output, targets) => mse(output, tensor(targets, output.shape, { device: output.device })),
    score: (output, targets, samples) => psnrPerImage(output, targets, samples).reduce((sum, dB) => sum + dB, 0),
  };
}

/** The task a dataset poses: classes to be told, or images to be made. */
export function taskOf(dataset: DatasetFacts): Task {
  return asDataset('taskOf', dataset).kind === 'labels' ? classification() : superResolution();
}
