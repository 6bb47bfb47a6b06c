import { asInteger, asNumbers, asOptions, kindOf } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import { sizeOf } from '../tensor/shape.js';
import type { Batch, BatchOf, Dataset, DatasetFacts } from './dataset.js';
import { asDataset, asWritable, checkIndex, sampleRandom, subset } from './dataset.js';
import { evenly } from './split.js';

/** Tells the generator of an epoch's order from those of its samples. */
const ORDER_STREAM = -1;

/** Which augmentation a sample gets: that of (seed, epoch, index). */
export interface Draw {
  readonly seed: number;
  readonly epoch: number;
}

export interface BatchOptions {
  readonly batchSize: number;
  /** A new order each epoch; otherwise by index. Default false. */
  readonly shuffle?: boolean;
  /** Random crops, flips and so on. Default: as `shuffle`. */
  readonly augment?: boolean;
  /** Leave out a last batch smaller than `batchSize`. Default false. */
  readonly dropLast?: boolean;
  /** Seeds order and augmentation. Default 0. */
  readonly seed?: number;
  /** From 0. Default 0. */
  readonly epoch?: number;
  /** Position of the first batch to make, for resuming within an epoch. Default 0. */
  readonly start?: number;
  /** Cuts the epoch to its first so many batches. Default: all. */
  readonly limit?: number;
  /** An epoch that is cut has images evenly of all classes, where labels are known. Default false: the first images. */
  readonly balanced?: boolean;
  /** Takes {@link subset} of the dataset in place of the whole. */
  readonly part?: number | ArrayLike<number>;
}

/**
 * How many batches an epoch has, from its first.
 *
 * @throws DataError if the batch size or the limit is not a positive integer
 */
export function batchCount(
  dataset: Pick<DatasetFacts, 'length'>,
  options: Pick<BatchOptions, 'batchSize' | 'dropLast' | 'limit'>,
): number {
  const { length } = asDataset('batches', dataset);
  const { batchSize, dropLast = false, limit = Number.POSITIVE_INFINITY } = asOptions('batches', options);
  if (!isCount(batchSize)) throw new DataError('batches', `batchSize must be a positive integer; got ${batchSize}`);
  if (!isCount(limit) && limit !== Number.POSITIVE_INFINITY) {
    throw new DataError('batches', `limit must be a positive integer; got ${limit}`);
  }
  return Math.min(dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize), limit);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value > 0;
}

/**
 * The order of one epoch: shuffled by (seed, epoch), or 0 … n−1.
 *
 * @returns a permutation, [length]
 */
export function epochOrder(length: number, draw: Draw, shuffle: boolean): Uint32Array {
  const { seed, epoch } = asOptions('epochOrder', draw, 'the draw');
  asInteger('epochOrder', 'the length', length, 0, 2 ** 30);
  if (!shuffle) return Uint32Array.from({ length }, (_, i) => i);
  return sampleRandom(seed, epoch, ORDER_STREAM).permutation(length);
}

/**
 * The batches of one epoch, each with arrays of its own.
 *
 * Batch k depends on (seed, epoch, k) alone, so a run resumed with `start` sees what the uninterrupted run saw.
 *
 * @throws DataError if the batch size, `start`, `limit` or `epoch` is not an integer in range, or there is no such part
 *
 * @example
 * const epoch = batches(glyphs({ length: 100 }), { batchSize: 32, shuffle: true, epoch: 3 });
 * Array.from(epoch, ({ inputShape }) => inputShape[0]); // [32, 32, 32, 4]
 */
export function* batches<D extends Dataset>(whole: D, options: BatchOptions): Generator<BatchOf<D>, void, undefined> {
  const {
    batchSize,
    shuffle = false,
    augment = shuffle,
    seed = 0,
    epoch = 0,
    start = 0,
    part,
    balanced = false,
  } = asOptions('batches', options);
  const all = part === undefined ? whole : subset(whole, part);
  const count = batchCount(all, options);
  const dataset = balanced ? balancedPart(all, count * batchSize) : all;
  if (!Number.isInteger(start) || start < 0 || start > count) {
    throw new DataError('batches', `start must be 0 … ${count}, the batches of an epoch; got ${start}`);
  }
  if (!Number.isInteger(epoch) || epoch < 0) throw new DataError('batches', `epoch must be 0, 1, …; got ${epoch}`);
  const draw = { seed, epoch };
  const order = epochOrder(dataset.length, draw, shuffle);
  for (let k = start; k < count; k++) {
    yield makeBatch(dataset, order.slice(k * batchSize, (k + 1) * batchSize), augment ? draw : null, k);
  }
}

/** So many images, evenly of all classes; the dataset itself if it has no more, or does not know its labels. */
function balancedPart<D extends Dataset>(dataset: D, count: number): D {
  const knowsLabels = dataset.kind === 'labels' && dataset.labels !== undefined;
  return knowsLabels && count < dataset.length ? subset(dataset, evenly(dataset, count)) : dataset;
}

/**
 * One batch of the given samples.
 *
 * @param draw whose augmentation to use; null gives the plain samples
 * @param position recorded in the batch
 * @throws DataError if an index is not in the set
 */
export function makeBatch<D extends Dataset>(
  dataset: D,
  samples: ArrayLike<number>,
  draw: Draw | null = null,
  position = 0,
): BatchOf<D> {
  asWritable('makeBatch', dataset);
  asNumbers('makeBatch', 'samples', samples);
  for (let row = 0; row < samples.length; row++) checkIndex(dataset, samples[row]);
  const indices = Uint32Array.from(samples);
  const random = (index: number) => (draw === null ? null : sampleRandom(draw.seed, draw.epoch, index));
  const batch = stack(dataset, indices, random, position);
  return batch as BatchOf<D>;
}

function stack(
  dataset: Dataset,
  indices: Uint32Array,
  random: (index: number) => Random | null,
  position: number,
): Batch {
  const size = indices.length;
  const inputVolume = sizeOf(dataset.inputShape);
  const inputs = new Float32Array(size * inputVolume);
  const facts = { position, size, indices, inputs, inputShape: [size, ...dataset.inputShape] as const };
  const input = (row: number) => inputs.subarray(row * inputVolume, (row + 1) * inputVolume);
  if (dataset.kind === 'labels') {
    const targets = new Int32Array(size);
    indices.forEach((index, row) => {
      targets[row] = checkedLabel(dataset, index, dataset.write(index, input(row), random(index)));
    });
    return { kind: 'labels', ...facts, targets };
  }
  const targetVolume = sizeOf(dataset.targetShape);
  const targets = new Float32Array(size * targetVolume);
  indices.forEach((index, row) => {
    const target = targets.subarray(row * targetVolume, (row + 1) * targetVolume);
    checkWritten(dataset, index, dataset.write(index, input(row), target, random(index)));
  });
  return { kind: 'images', ...facts, targets, targetShape: [size, ...dataset.targetShape] };
}

/** @throws DataError for a label that is not an integer: int32 memory would make it 0, or cut it */
function checkedLabel(dataset: Dataset, index: number, label: number): number {
  if (Number.isInteger(label) && label === (label | 0)) return label;
  throw new DataError(dataset.name, `write must return the label of sample ${index}, an integer; got ${kindOf(label)}`);
}

/** @throws DataError for a `write` that is not done when it returns: the batch would be read before it is written */
function checkWritten(dataset: Dataset, index: number, result: unknown): void {
  if (!(result instanceof Promise)) return;
  throw new DataError(dataset.name, `write must be done with sample ${index} when it returns; got ${kindOf(result)}`);
}
