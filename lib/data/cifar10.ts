import { asInstance, asList, asOptions } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import type { LabelledDataset } from './dataset.js';
import { byteTables, identityNormalisation, type Normalisation } from './normalise.js';

const SIDE = 32;
const AREA = SIDE * SIDE;
const VOLUME = 3 * AREA;
/** A label byte, then the red, green and blue planes. */
const RECORD = 1 + VOLUME;
const RECORDS_PER_FILE = 10000;
/** Zero border around an image before its random crop. */
const PAD = 4;

/** Class names in label order. */
export const CIFAR10_CLASSES: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

/** Statistics of the 50,000 original train images. */
export const CIFAR10_STATISTICS: Normalisation = {
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
};

/** Statistics of the 20,000 train images of the JPEG-compressed subset (`data_batch_1` and `2`), the default here. */
export const CIFAR10_JPEG_STATISTICS: Normalisation = {
  mean: [0.492016, 0.483032, 0.447047],
  std: [0.245803, 0.243376, 0.260969],
};

/** Raw images: `planes` is bytes of shape [n, 3, 32, 32], `labels` is [n]. */
export interface Cifar10Records {
  readonly planes: Uint8Array;
  readonly labels: Uint8Array;
}

export interface Cifar10ParseOptions {
  /** Keep the first n images over all files. Default: all. */
  readonly limit?: number;
  /** Images a file must hold; 10,000 in the official archive. */
  readonly recordsPerFile?: number;
}

/**
 * Reads the "binary version" layout: per record one label byte and 3,072 pixel bytes, no header.
 *
 * @param files whole batch files, in order
 * @returns the records of all files, up to the limit
 * @throws DataError naming the file, with the byte count expected and found or with the label that is no class; or if
 *   the limit is not a positive integer
 */
export function parseCifar10(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  options: Cifar10ParseOptions = {},
): Cifar10Records {
  const { limit = Number.POSITIVE_INFINITY, recordsPerFile = RECORDS_PER_FILE } = asOptions('cifar10', options);
  if (!(limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && limit > 0))) {
    throw new DataError('cifar10', `limit must be a positive integer; got ${limit}`);
  }
  for (const { name, bytes } of asList('cifar10', 'files', files)) {
    checkCifar10Size(name, asInstance('cifar10', 'the bytes of a file', bytes, Uint8Array).length, recordsPerFile);
  }
  const count = Math.min(files.length * recordsPerFile, limit);
  const planes = new Uint8Array(count * VOLUME);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const { name, bytes } = files[Math.floor(i / recordsPerFile)];
    const record = i % recordsPerFile;
    const label = bytes[record * RECORD];
    if (label >= CIFAR10_CLASSES.length) {
      throw new DataError('cifar10', `${name}: record ${record} has label ${label}; labels are 0 … 9`);
    }
    labels[i] = label;
    planes.set(bytes.subarray(record * RECORD + 1, (record + 1) * RECORD), i * VOLUME);
  }
  return { planes, labels };
}

/** @param size of the file in bytes @throws DataError naming it if it does not hold that many records */
export function checkCifar10Size(name: string, size: number, recordsPerFile = RECORDS_PER_FILE): void {
  const expected = recordsPerFile * RECORD;
  if (size === expected) return;
  const layout = `${recordsPerFile} records of ${RECORD} bytes`;
  throw new DataError('cifar10', `${name}: expected ${expected} bytes (${layout}); found ${size}`);
}

export interface Cifar10Options {
  readonly name?: string;
  /** Null leaves inputs in [0, 1]. Default {@link CIFAR10_JPEG_STATISTICS}. */
  readonly normalisation?: Normalisation | null;
}

/**
 * CIFAR-10 images of shape [3, 32, 32]. Augmentation is the usual one: a random 32x32 crop of the image with a border
 * of 4 black pixels (black before normalising), mirrored every other time.
 *
 * @throws DataError if the arrays of the records disagree
 */
export function cifar10(records: Cifar10Records, options: Cifar10Options = {}): LabelledDataset {
  const { planes, labels } = asOptions('cifar10', records, 'the records');
  for (const part of [planes, labels]) asInstance('cifar10', 'each part of the records', part, Uint8Array);
  if (planes.length !== labels.length * VOLUME || labels.length === 0) {
    throw new DataError(
      'cifar10',
      `${labels.length} labels need ${labels.length * VOLUME} bytes; got ${planes.length}`,
    );
  }
  const { name = 'cifar10', normalisation: wanted = CIFAR10_JPEG_STATISTICS } = options;
  const normalisation = wanted ?? identityNormalisation(3);
  const tables = byteTables(normalisation);
  return {
    kind: 'labels',
    name,
    length: labels.length,
    inputShape: [3, SIDE, SIDE],
    normalisation,
    classes: CIFAR10_CLASSES,
    labels,
    write(index, input, random) {
      const image = planes.subarray(index * VOLUME, (index + 1) * VOLUME);
      if (random === null) writePlain(image, tables, input);
      else writeCropped(image, tables, input, random);
      return labels[index];
    },
  };
}

function writePlain(image: Uint8Array, tables: readonly Float32Array[], input: Float32Array): void {
  for (let c = 0; c < 3; c++) {
    const table = tables[c];
    for (let i = c * AREA; i < (c + 1) * AREA; i++) input[i] = table[image[i]];
  }
}

function writeCropped(image: Uint8Array, tables: readonly Float32Array[], input: Float32Array, random: Random): void {
  const left = random.integer(2 * PAD + 1) - PAD;
  const top = random.integer(2 * PAD + 1) - PAD;
  const mirrored = random.integer(2) === 1;
  let to = 0;
  for (let c = 0; c < 3; c++) {
    const table = tables[c];
    for (let y = top; y < top + SIDE; y++) {
      const row = c * AREA + y * SIDE;
      for (let i = 0; i < SIDE; i++) {
        const x = left + (mirrored ? SIDE - 1 - i : i);
        const inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
        input[to++] = table[inside ? image[row + x] : 0];
      }
    }
  }
}
