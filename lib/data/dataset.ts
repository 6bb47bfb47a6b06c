/**
 * What every dataset is: numbered samples that can be written into a batch.
 *
 * A sample is a pure function of its index and, when training augments it, of a generator that belongs to that sample
 * alone ({@link sampleRandom}). So any batch of any epoch can be made again without making those before it.
 */
import { asCapable, asInteger, asNumbers, asOptions, kindOf } from '../tensor/argument.js';
import { DataError, formatShape } from '../tensor/errors.js';
import { Random, type RandomState } from '../tensor/random.js';
import type { Normalisation } from './normalise.js';

interface CommonFacts {
  /** For logs and reports, for example `bsd300/test x3`. */
  readonly name: string;
  readonly length: number;
  /** [channels, height, width] of one input. */
  readonly inputShape: readonly [number, number, number];
  /** What {@link LabelledDataset.write} has applied: input = (value − mean) / std with values in [0, 1]. */
  readonly normalisation: Normalisation;
  /** What was found odd about the files, and what became of it, for people. */
  readonly notes?: readonly string[];
}

/** Images with a class each. */
export interface LabelledDataset extends CommonFacts {
  readonly kind: 'labels';
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  /** The label of every sample, where it is known without making the sample. */
  readonly labels?: ArrayLike<number>;
  /**
   * Writes one input and returns its label.
   *
   * @param index 0 … length−1
   * @param input float32 of {@link inputShape}, filled completely
   * @param random draws the augmentation; null gives the plain sample
   */
  write(index: number, input: Float32Array, random: Random | null): number;
}

/** Images to be turned into images: restoration, super-resolution. */
export interface ImagePairDataset extends CommonFacts {
  readonly kind: 'images';
  /** [channels, height, width] of one target, values in [0, 1]. */
  readonly targetShape: readonly [number, number, number];
  /** As {@link LabelledDataset.write}, with the target image written to `target`. */
  write(index: number, input: Float32Array, target: Float32Array, random: Random | null): void;
}

export type Dataset = LabelledDataset | ImagePairDataset;

/** What there is to know of a dataset without making a sample: plain data, which can travel between threads. */
export type DatasetFacts = Omit<LabelledDataset, 'write' | 'labels'> | Omit<ImagePairDataset, 'write'>;

/** Samples stacked: `inputs` is float32 of shape `inputShape`, [n, channels, height, width]. */
interface BatchFacts {
  /** Position within the epoch, from 0. */
  readonly position: number;
  readonly size: number;
  /** The samples' indices in the dataset, [n]. */
  readonly indices: Uint32Array;
  readonly inputs: Float32Array;
  readonly inputShape: readonly [number, number, number, number];
}

export interface LabelBatch extends BatchFacts {
  readonly kind: 'labels';
  /** Labels, [n]. */
  readonly targets: Int32Array;
}

export interface ImageBatch extends BatchFacts {
  readonly kind: 'images';
  readonly targets: Float32Array;
  /** [n, channels, height, width] */
  readonly targetShape: readonly [number, number, number, number];
}

export type Batch = LabelBatch | ImageBatch;

/** The batch a dataset gives. */
export type BatchOf<D extends Dataset> = D extends LabelledDataset ? LabelBatch : ImageBatch;

/** The facts of a dataset, and nothing else that the object may hold. */
export function factsOf(dataset: DatasetFacts): DatasetFacts {
  const { name, length, inputShape, normalisation, notes } = dataset;
  const facts = { name, length, inputShape, normalisation, ...(notes ? { notes } : {}) };
  return dataset.kind === 'labels'
    ? { kind: 'labels', ...facts, classes: dataset.classes }
    : { kind: 'images', ...facts, targetShape: dataset.targetShape };
}

/** @throws DataError unless `index` is one of the dataset's samples */
export function checkIndex(dataset: { readonly name: string; readonly length: number }, index: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= dataset.length) {
    throw new DataError(dataset.name, `no sample ${index}; the set has ${dataset.length}`);
  }
}

/** @throws ArgumentError unless `data` can say how many samples it has */
export function asDataset<D extends Pick<DatasetFacts, 'length'>>(op: string, data: D): D {
  asInteger(op, 'the length of the dataset', asOptions(op, data, 'the dataset').length, 0);
  return data;
}

/** @throws ArgumentError without `write`; DataError for a shape that is not three positive extents */
export function asWritable<D extends Dataset>(op: string, data: D): D {
  const { name, inputShape } = asCapable(op, 'the dataset', asDataset(op, data), 'write');
  checkImageShape(op, `inputShape of ${name}`, inputShape);
  if (data.kind === 'images') checkImageShape(op, `targetShape of ${name}`, data.targetShape);
  return data;
}

function checkImageShape(op: string, what: string, shape: readonly number[]): void {
  const isExtent = (extent: unknown) => Number.isInteger(extent) && Number(extent) > 0;
  if (Array.isArray(shape) && shape.length === 3 && shape.every(isExtent)) return;
  const got = Array.isArray(shape) ? formatShape(shape) : kindOf(shape);
  throw new DataError(op, `${what} must be [channels, height, width], positive integers; got ${got}`);
}

/**
 * A part of a dataset, in the given order; augmentation follows the position in the part.
 *
 * @param part indices to keep, or a number n for the first n
 * @throws DataError if an index is not in the set, or n exceeds it
 */
export function subset<D extends Dataset>(dataset: D, part: number | ArrayLike<number>): D {
  asDataset('subset', dataset);
  if (typeof part === 'number' && !(Number.isInteger(part) && part > 0 && part <= dataset.length)) {
    throw new DataError('subset', `cannot take the first ${part} of the ${dataset.length} samples of ${dataset.name}`);
  }
  const indices =
    typeof part === 'number'
      ? Uint32Array.from({ length: part }, (_, i) => i)
      : Array.from(asNumbers('subset', 'part', part));
  for (const index of indices) checkIndex(dataset, index);
  const { name, inputShape, normalisation, notes } = dataset;
  const facts = { name, length: indices.length, inputShape, normalisation, ...(notes ? { notes } : {}) };
  const view: Dataset =
    dataset.kind === 'labels'
      ? {
          kind: 'labels',
          ...facts,
          classes: dataset.classes,
          ...labelsOfPart(dataset, indices),
          write: (i, input, random) => dataset.write(indices[i], input, random),
        }
      : {
          kind: 'images',
          ...facts,
          targetShape: dataset.targetShape,
          write: (i, input, target, random) => dataset.write(indices[i], input, target, random),
        };
  return view as D;
}

function labelsOfPart({ labels }: LabelledDataset, indices: ArrayLike<number>): Pick<LabelledDataset, 'labels'> {
  return labels ? { labels: Array.from(indices, (index) => labels[index]) } : {};
}

/**
 * The generator of a sample in an epoch, or of any integer coordinates: 128 bits of state, hashed from `path`.
 *
 * @param path for example (seed, epoch, index); each a safe integer
 */
export function sampleRandom(...path: number[]): Random {
  const words = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  for (const coordinate of path) {
    if (!Number.isSafeInteger(coordinate)) {
      throw new DataError('sampleRandom', `seed, epoch and index must be integers; got ${coordinate}`);
    }
    const low = coordinate | 0;
    const high = Math.floor(coordinate / 0x100000000) | 0;
    for (let w = 0; w < 4; w++) {
      words[w] = mix(words[w] ^ mix(low + w) ^ Math.imul(high, 0x85ebca6b)) + words[(w + 1) & 3];
    }
  }
  // The all-zero state is the one xoshiro cannot leave.
  const state: RandomState = [mix(words[0]), mix(words[1]), mix(words[2]), mix(words[3]) | 1];
  return new Random(state);
}

/** MurmurHash3's 32-bit finaliser, over a Weyl step so that 0 does not map to 0. */
function mix(word: number): number {
  let h = (word + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
