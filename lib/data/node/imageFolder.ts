import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../tensor/errors.js';
import { type LabelledDataset, subset } from '../dataset.js';
import { decodeImage } from '../decode.js';
import { IMAGENET_STATISTICS, type ImageFolderOptions, imageFolder, type LabelledImages } from '../imageFolder.js';
import type { Pixels } from '../pixels.js';
import { setting } from '../setting.js';
import type { DatasetEntry, Split } from './entry.js';
import { fileError, folderExists, listFolder, listFolders } from './files.js';

const IMAGE_FILE = /\.(jpe?g|png)$/i;

/**
 * A class-per-folder tree, `root/<class>/<image>.jpg|png`: classes are the sub-folders sorted by name.
 *
 * Images are decoded when asked for; the first ones stay in memory, decoded, until `cacheBytes` are used.
 *
 * @throws DataError if the folder is missing, has no sub-folders or one of them has no images
 */
export async function readImageFolder(
  root: string,
  options: ImageFolderOptions & { readonly cacheBytes?: number },
): Promise<LabelledDataset> {
  const { cacheBytes = 2 ** 30 } = options;
  const classes = await listFolders('imageFolder', root);
  if (classes.length === 0) throw new DataError('imageFolder', `${root} has no class folders`);
  const paths: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    const folder = join(root, name);
    const files = (await listFolder('imageFolder', folder)).filter((file) => IMAGE_FILE.test(file));
    if (files.length === 0) throw new DataError('imageFolder', `${folder} has no .jpg or .png file`);
    for (const file of files) {
      paths.push(join(folder, file));
      labels.push(label);
    }
  }
  const images: LabelledImages = { classes, labels, load: cached(paths, cacheBytes) };
  return imageFolder(images, { name: basename(root), ...options });
}

/** Decodes `paths[index]`, keeping what fits in the budget. */
function cached(paths: readonly string[], budget: number): (index: number) => Pixels {
  const kept = new Map<number, Pixels>();
  let used = 0;
  return (index) => {
    const known = kept.get(index);
    if (known) return known;
    const image = decodeFile(paths[index]);
    if (used + image.data.length <= budget) {
      used += image.data.length;
      kept.set(index, image);
    }
    return image;
  };
}

function decodeFile(path: string): Pixels {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw fileError('imageFolder', path, cause);
  }
  return decodeImage(bytes, path);
}

const settings = {
  size: setting(z.int().min(8).max(1024), {
    flag: '--image-size <pixels>',
    about: 'side of the inputs from a folder of images',
    default: 32,
  }),
};

/** A folder of one's own, given itself as the data folder: `train/<class>/…` and `test/<class>/…` (or `val`). */
export const folderEntry = {
  kind: 'labels',
  channels: 3,
  normalisation: IMAGENET_STATISTICS,
  about: 'images of your own, DIR/train/CLASS/*.jpg|png and DIR/test (or val), with --data-dir DIR',
  settings,
  locate: (folder) => Promise.all([splitFolder(folder, 'train'), splitFolder(folder, 'test')]),
  async outline(folder, { size }) {
    const classes = await listFolders('folder', await splitFolder(folder, 'train'));
    return { kind: 'labels', inputShape: [3, size, size], normalisation: IMAGENET_STATISTICS, classes };
  },
  async open(folder, split, { size, limit }) {
    const all = await readImageFolder(await splitFolder(folder, split), { size });
    return limit !== undefined && limit < all.length ? subset(all, limit) : all;
  },
} satisfies DatasetEntry<typeof settings>;

async function splitFolder(root: string, split: Split): Promise<string> {
  const names = split === 'train' ? ['train'] : ['test', 'val'];
  for (const name of names) {
    const path = join(resolve(root), name);
    if (await folderExists(path)) return path;
  }
  throw new DataError('folder', `${root} has no folder ${names.join(' or ')} with one sub-folder a class`);
}
