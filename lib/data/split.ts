import { DataError } from '../tensor/errors.js';
import { type Dataset, sampleRandom } from './dataset.js';

/** Tells the generator of a split from those of orders and samples. */
const SPLIT_STREAM = -2;

/** Two parts of a dataset, as indices in rising order. */
export interface Parts {
  readonly train: Uint32Array;
  readonly val: Uint32Array;
}

/**
 * Splits validation images off: the same share of every class, drawn from the seed.
 *
 * @param share above 0 and below 1; at least one image of every class that has two is taken, and one is left
 * @throws DataError if the share is out of range, or a part would be empty
 */
export function splitForValidation(dataset: Dataset, { share, seed }: { share: number; seed: number }): Parts {
  if (!(share > 0 && share < 1)) throw new DataError('split', `the share must be between 0 and 1; got ${share}`);
  const val: number[] = [];
  for (const [label, members] of membersByClass(dataset)) {
    const order = sampleRandom(seed, SPLIT_STREAM, label).permutation(members.length);
    const count = Math.min(Math.max(Math.round(share * members.length), 1), members.length - 1);
    for (let i = 0; i < count; i++) val.push(members[order[i]]);
  }
  if (val.length === 0) throw new DataError('split', `${dataset.name}: there is no class with two images to split`);
  const chosen = new Set(val);
  const all = Array.from({ length: dataset.length }, (_, i) => i);
  return {
    train: Uint32Array.from(all.filter((i) => !chosen.has(i))),
    val: Uint32Array.from(all.filter((i) => chosen.has(i))),
  };
}

/**
 * The first images of every class, as evenly as their numbers allow: indices in rising order.
 * @param count at most the number of images
 */
export function evenly(dataset: Dataset, count: number): Uint32Array {
  const queues = [...membersByClass(dataset).values()];
  const chosen: number[] = [];
  for (let turn = 0; chosen.length < count; turn++) {
    for (const members of queues) if (turn < members.length && chosen.length < count) chosen.push(members[turn]);
  }
  return Uint32Array.from(chosen).sort();
}

/** Indices by class; pairs of images are all of one. */
function membersByClass(dataset: Dataset): Map<number, number[]> {
  const members = new Map<number, number[]>();
  for (const [index, label] of labelsOf(dataset).entries()) {
    const known = members.get(label);
    if (known) known.push(index);
    else members.set(label, [index]);
  }
  return members;
}

function labelsOf(dataset: Dataset): number[] {
  if (dataset.kind === 'images') return new Array<number>(dataset.length).fill(0);
  if (dataset.labels) return Array.from(dataset.labels);
  const [channels, height, width] = dataset.inputShape;
  const image = new Float32Array(channels * height * width);
  return Array.from({ length: dataset.length }, (_, index) => dataset.write(index, image, null));
}
