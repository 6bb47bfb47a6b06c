import { asNumbers } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';

/**
 * Peak signal-to-noise ratio of one image in dB: 10·log10(peak² / mse); Infinity where the two are equal.
 *
 * @param image any shape
 * @param target the same shape
 * @param peak largest value, 1 for [0, 1] images
 * @throws DataError if the lengths differ or are 0
 *
 * @example
 * psnr([0.5, 0.5], [0.6, 0.4]); // 20
 */
export function psnr(image: ArrayLike<number>, target: ArrayLike<number>, peak = 1): number {
  asNumbers('psnr', 'image', image);
  asNumbers('psnr', 'target', target);
  if (image.length !== target.length || image.length === 0) {
    throw new DataError('psnr', `image and target must have the same length; got ${image.length} and ${target.length}`);
  }
  return decibels(image, target, 0, image.length, peak);
}

function decibels(a: ArrayLike<number>, b: ArrayLike<number>, from: number, to: number, peak: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += (a[i] - b[i]) ** 2;
  return 10 * Math.log10((peak * peak * (to - from)) / sum);
}

/**
 * PSNR of each image of a batch; the metric of a test set is their mean, in dB.
 *
 * @param images [n, …], values in [0, 1]
 * @param targets the same shape
 * @returns dB, [n]
 * @throws DataError if the lengths differ or `n` does not divide them
 */
export function psnrPerImage(images: ArrayLike<number>, targets: ArrayLike<number>, n: number): Float64Array {
  asNumbers('psnrPerImage', 'targets', targets);
  const size = asNumbers('psnrPerImage', 'images', images).length / n;
  if (images.length !== targets.length || !Number.isInteger(size) || size === 0) {
    throw new DataError('psnrPerImage', `${images.length} and ${targets.length} values are not ${n} images each`);
  }
  return Float64Array.from({ length: n }, (_, i) => decibels(images, targets, i * size, (i + 1) * size, 1));
}

/**
 * Number of rows whose largest score is at the label (the first of equals; NaN is wrong); over n, top-1 accuracy.
 *
 * @param scores logits or probabilities, [n, classes]
 * @param labels [n]
 * @throws DataError if the scores are not n rows, or a label is no class
 */
export function countCorrect(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const classes = asNumbers('top1', 'scores', scores).length / asNumbers('top1', 'labels', labels).length;
  if (!Number.isInteger(classes) || classes === 0) {
    throw new DataError('top1', `${scores.length} scores are not whole rows for ${labels.length} labels`);
  }
  let hits = 0;
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n];
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new DataError('top1', `label ${label} of row ${n} is not one of ${classes} classes`);
    }
    const own = scores[n * classes + label];
    let hit = true;
    for (let c = 0; c < classes && hit; c++) {
      const other = scores[n * classes + c];
      hit = c < label ? own > other : own >= other;
    }
    if (hit) hits++;
  }
  return hits;
}

/**
 * Top-1 accuracy in 0 … 1, see {@link countCorrect}.
 *
 * @example
 * top1([0.1, 0.9, 0.8, 0.2], [1, 1]); // 0.5
 */
export function top1(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  return countCorrect(scores, labels) / labels.length;
}
