import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DataError } from '../../tensor/errors.js';
import type { LabelledDataset } from '../dataset.js';
import { decodeImage } from '../decode.js';
import { type ImageFolderOptions, imageFolder, type LabelledImages } from '../imageFolder.js';
import type { Pixels } from '../pixels.js';
import { fileError, listFolder, listFolders } from './files.js';

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
