import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { UsageError } from './usage.js';

/** Where pictures that are made of images go. */
export interface PictureFiles {
  /** The folder that must be there. */
  readonly folder: string;
  /** A PNG file for each image. */
  readonly files: readonly string[];
}

/** Endings of files that we do not write. */
const OTHER_FORMAT = /^\.(jpe?g|gif|webp|bmp|tiff?|avif|heic)$/i;

/**
 * Where each picture goes; nothing is written yet.
 *
 * @param target a .png file for one image, or a folder
 * @param force whether files that are there may be replaced; images that are read never are
 * @throws UsageError if two pictures would be one file, an image would be replaced, or, unless forced, any file
 */
export async function pictureFiles(images: readonly string[], target: string, force: boolean): Promise<PictureFiles> {
  const place = await placeOf(images, target);
  const { files } = place;
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) throw new UsageError(`--out: two images of the same name would both become ${twice}`);
  const inputs = new Set(await Promise.all(images.map(realName)));
  const there: string[] = [];
  for (const file of files) {
    if (inputs.has(await realName(file)))
      throw new UsageError(`--out: ${file} is an image to be read; name a new file`);
    const kind = await kindOf(file);
    if (kind === 'folder') throw new UsageError(`--out: ${file} is a folder, not a file`);
    if (kind === 'file') there.push(file);
  }
  if (there.length > 0 && !force) {
    const more = there.length > 1 ? ` and ${there.length - 1} more exist` : ' exists';
    throw new UsageError(`--out: ${there[0]}${more}; --force replaces what is there`);
  }
  return place;
}

async function placeOf(images: readonly string[], target: string): Promise<PictureFiles> {
  const ending = extname(target).toLowerCase();
  if ((await kindOf(target)) !== 'folder') {
    if (OTHER_FORMAT.test(ending)) {
      throw new UsageError(`--out: pictures are written as PNG only; name a .png file or a folder, not ${target}`);
    }
    if (ending === '.png') {
      if (images.length > 1) throw new UsageError(`--out: ${images.length} pictures need a folder, not one file`);
      return { folder: dirname(target), files: [target] };
    }
  }
  return { folder: target, files: images.map((image) => join(target, `${basename(image, extname(image))}.png`)) };
}

/** A path with links followed, of a file that need not be there. */
async function realName(path: string): Promise<string> {
  const full = resolve(path);
  try {
    return await realpath(full);
  } catch {
    const folder = dirname(full);
    return folder === full ? full : join(await realName(folder), basename(full));
  }
}

/** What a path is; null if there is nothing. */
export async function kindOf(path: string): Promise<'file' | 'folder' | null> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}

/** @throws UsageError naming all that are no files */
export async function checkImages(images: readonly string[]): Promise<void> {
  const kinds = await Promise.all(images.map(kindOf));
  const wrong = images.flatMap((image, i) => {
    if (kinds[i] === 'file') return [];
    return [kinds[i] === null ? `there is no file ${image}` : `${image} is a folder; name the images in it`];
  });
  if (wrong.length > 0) throw new UsageError(wrong.join('; '));
}
