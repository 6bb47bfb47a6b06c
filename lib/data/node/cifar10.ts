import { join } from 'node:path';
import { DataError } from '../../tensor/errors.js';
import { type Cifar10Options, type Cifar10ParseOptions, cifar10, parseCifar10 } from '../cifar10.js';
import type { LabelledDataset } from '../dataset.js';
import { dataFolder } from './dataDir.js';
import { listFolder, readBytes } from './files.js';

/** The folder of the official archive. */
const FOLDER = 'cifar-10-batches-bin';

/**
 * CIFAR-10 from `cifar-10-batches-bin/` of the data folder: for training the `data_batch_*.bin` that are there, for
 * testing `test_batch.bin`.
 *
 * @throws DataError if the folder or every batch file is missing, or one is truncated or has a wrong label
 */
export async function readCifar10(
  dataDir: string,
  split: 'train' | 'test',
  options: Cifar10Options & Cifar10ParseOptions = {},
): Promise<LabelledDataset> {
  const folder = await dataFolder(dataDir, FOLDER);
  const pattern = split === 'train' ? /^data_batch_\d+\.bin$/ : /^test_batch\.bin$/;
  const names = (await listFolder('cifar10', folder)).filter((name) => pattern.test(name));
  if (names.length === 0) {
    throw new DataError('cifar10', `${folder} has no ${split === 'train' ? 'data_batch_*.bin' : 'test_batch.bin'}`);
  }
  const files = [];
  for (const name of names) {
    const path = join(folder, name);
    files.push({ name: path, bytes: await readBytes('cifar10', path) });
  }
  return cifar10(parseCifar10(files, options), { name: `cifar10/${split}`, ...options });
}
