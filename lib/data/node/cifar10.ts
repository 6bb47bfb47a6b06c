import { join } from 'node:path';
import { asChoice, asOptions } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import type { Cifar10Options, Cifar10ParseOptions } from '../cifar10.js';
import { CIFAR10_CLASSES, CIFAR10_JPEG_STATISTICS, checkCifar10Size, cifar10, parseCifar10 } from '../cifar10.js';
import type { LabelledDataset } from '../dataset.js';
import { dataFolder } from './dataDir.js';
import { type DatasetEntry, SPLITS, type Split } from './entry.js';
import { fileSize, listFolder, readBytes } from './files.js';
import type { DataFile } from './fingerprint.js';

/** The folder of the official archive. */
const FOLDER = 'cifar-10-batches-bin';

/**
 * CIFAR-10 from `cifar-10-batches-bin/`: for training the `data_batch_*.bin` that are there, else `test_batch.bin`.
 *
 * @throws DataError if the folder or every batch file is missing, or one is truncated or has a wrong label
 */
export async function readCifar10(
  dataDir: string,
  split: Split,
  options: Cifar10Options & Cifar10ParseOptions = {},
): Promise<LabelledDataset> {
  asOptions('cifar10', options);
  asChoice('cifar10', 'split', split, SPLITS);
  const files = [];
  for (const { path } of await batchFiles(dataDir, split)) {
    checkCifar10Size(path, await fileSize('cifar10', path), options.recordsPerFile);
    files.push({ name: path, bytes: await readBytes('cifar10', path) });
  }
  return cifar10(parseCifar10(files, options), { name: `cifar10/${split}`, ...options });
}

/** @throws DataError if there are none */
async function batchFiles(dataDir: string, split: Split): Promise<DataFile[]> {
  const folder = await dataFolder(dataDir, FOLDER);
  const pattern = split === 'train' ? /^data_batch_\d+\.bin$/ : /^test_batch\.bin$/;
  const names = (await listFolder('cifar10', folder)).filter((name) => pattern.test(name));
  if (names.length === 0) {
    throw new DataError('cifar10', `${folder} has no ${split === 'train' ? 'data_batch_*.bin' : 'test_batch.bin'}`);
  }
  return names.map((name) => ({ name, path: join(folder, name) }));
}

export const cifar10Entry = {
  kind: 'labels',
  channels: 3,
  normalisation: CIFAR10_JPEG_STATISTICS,
  about: 'ten classes of colour photographs of 32x32 pixels, official binary files',
  settings: {},
  locate: (folder) => dataFolder(folder, FOLDER),
  files: batchFiles,
  outline: () => ({
    kind: 'labels',
    inputShape: [3, 32, 32],
    normalisation: CIFAR10_JPEG_STATISTICS,
    classes: CIFAR10_CLASSES,
  }),
  open: (folder, split, { limit }) => readCifar10(folder, split, limit === undefined ? {} : { limit }),
} satisfies DatasetEntry;
