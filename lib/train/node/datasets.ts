import { join, resolve } from 'node:path';
import { CIFAR10_CLASSES } from '../../data/cifar10.js';
import { type Dataset, subset } from '../../data/dataset.js';
import { GLYPH_CLASSES, GLYPH_SIZE, glyphs } from '../../data/glyphs.js';
import { readBsd300 } from '../../data/node/bsd300.js';
import { readCifar10 } from '../../data/node/cifar10.js';
import { dataFolder, resolveDataDir } from '../../data/node/dataDir.js';
import { folderExists, listFolders } from '../../data/node/files.js';
import { readImageFolder } from '../../data/node/imageFolder.js';
import { DataError } from '../../tensor/errors.js';
import type { DataShape, DatasetConfig } from '../config.js';

export type Split = 'train' | 'test';

/** Side of the inputs of a folder of images unless the user says otherwise. */
export const FOLDER_SIZE = 32;
const GLYPH_TEST_IMAGES = 2000;
const GLYPH_TRAIN_IMAGES = 10000;
const BSD300_FACTOR = 3;

/** Where the files of a dataset are, found before any work starts. */
export interface DataSource {
  readonly config: DatasetConfig;
  /** The folder that holds them; null for built-in data. */
  readonly dataDir: string | null;
}

/**
 * Finds the files of a dataset: in the given folder, else in that of A2Q_DATA_DIR. A folder of images is given itself:
 * it holds `train/<class>/…` and `test/<class>/…` (or `val`).
 *
 * @throws DataError naming what is missing and how to provide it
 */
export async function locateData(config: DatasetConfig, dataDir: string | undefined): Promise<DataSource> {
  if (config.name === 'glyphs') return { config, dataDir: null };
  const root = await resolveDataDir(dataDir);
  if (config.name === 'cifar10') await dataFolder(root, 'cifar-10-batches-bin');
  if (config.name === 'bsd300') await dataFolder(root, 'bsd300');
  if (config.name === 'folder') await Promise.all([splitFolder(root, 'train'), splitFolder(root, 'test')]);
  return { config, dataDir: root };
}

/** What a model must know of the data, without reading images. @throws DataError as `locateData` */
export async function inspectData({ config, dataDir }: DataSource): Promise<DataShape> {
  switch (config.name) {
    case 'glyphs':
      return { inputShape: [1, GLYPH_SIZE, GLYPH_SIZE], signed: false, classes: GLYPH_CLASSES.length, factor: null };
    case 'cifar10':
      return { inputShape: [3, 32, 32], signed: true, classes: CIFAR10_CLASSES.length, factor: null };
    case 'bsd300': {
      const factor = config.factor ?? BSD300_FACTOR;
      const side = factor === 2 ? 256 : Math.floor(256 / factor);
      return { inputShape: [3, side, side], signed: false, classes: null, factor };
    }
    case 'folder': {
      const side = config.size ?? FOLDER_SIZE;
      const classes = await listFolders('folder', await splitFolder(dataDir as string, 'train'));
      return { inputShape: [3, side, side], signed: true, classes: classes.length, factor: null };
    }
  }
}

/** Opens one half of a dataset. @throws DataError naming a file that is missing, truncated or corrupt */
export async function openData(
  { config, dataDir }: DataSource,
  split: Split,
  onProgress?: (done: number, total: number) => void,
): Promise<Dataset> {
  const limit = split === 'train' && config.limit !== null ? { limit: config.limit } : {};
  const folder = dataDir as string;
  switch (config.name) {
    case 'glyphs':
      return openGlyphs(split, config.limit ?? GLYPH_TRAIN_IMAGES);
    case 'cifar10':
      return readCifar10(folder, split, limit);
    case 'bsd300':
      return readBsd300(folder, split, {
        factor: config.factor ?? BSD300_FACTOR,
        ...limit,
        ...(onProgress ? { onProgress } : {}),
      });
    case 'folder': {
      const all = await readImageFolder(await splitFolder(folder, split), { size: config.size ?? FOLDER_SIZE });
      return limit.limit !== undefined && limit.limit < all.length ? subset(all, limit.limit) : all;
    }
  }
}

/** Grey in [0, 1]: the first layer then has unsigned inputs. */
function openGlyphs(split: Split, trainImages: number): Dataset {
  return glyphs({ split, length: split === 'train' ? trainImages : GLYPH_TEST_IMAGES, normalise: false });
}

async function splitFolder(root: string, split: Split): Promise<string> {
  const names = split === 'train' ? ['train'] : ['test', 'val'];
  for (const name of names) {
    const path = join(resolve(root), name);
    if (await folderExists(path)) return path;
  }
  throw new DataError('folder', `${root} has no folder ${names.join(' or ')} with one sub-folder a class`);
}
