import { dirname, join } from 'node:path';
import { z } from 'zod';
import { asChoice, asOptions } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { type SuperResolutionOptions, superResolutionPairs, targetSide } from '../bsd300.js';
import type { ImagePairDataset } from '../dataset.js';
import { identityNormalisation } from '../normalise.js';
import type { Pixels } from '../pixels.js';
import { setting } from '../setting.js';
import { dataFolder } from './dataDir.js';
import { type DatasetEntry, SPLITS, type Split } from './entry.js';
import { listed, listFolder, readBytes } from './files.js';
import type { DataFile } from './fingerprint.js';
import { forAll, readImage } from './images.js';

export interface Bsd300Options extends SuperResolutionOptions {
  /** Decode the first n photographs only. Default: all. */
  readonly limit?: number;
  /** Told after each decoded photograph; decoding takes some seconds in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * BSD300 from `bsd300/images/{train,test}/*.jpg|png` of the data folder, decoded once and kept in memory (about 93 MB
 * for the 200 training photographs). The split is checked against `bsd300/iids_{train,test}.txt` where that list
 * exists.
 *
 * @throws DataError naming the folder or file that is missing, truncated or corrupt
 */
export async function readBsd300(
  dataDir: string,
  split: Split,
  options: Bsd300Options = {},
): Promise<ImagePairDataset> {
  const { limit = Number.POSITIVE_INFINITY, onProgress, factor = 3 } = asOptions('bsd300', options);
  asChoice('bsd300', 'split', split, SPLITS);
  if (!(limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && limit > 0))) {
    throw new DataError('bsd300', `limit must be a positive integer; got ${limit}`);
  }
  const root = await dataFolder(dataDir, 'bsd300');
  const files = await photographs(dataDir, split);
  await checkList(root, split, files);
  const chosen = files.slice(0, limit);
  const images: Pixels[] = [];
  const read = async ({ path }: DataFile) => void images.push(await readImage('bsd300', path));
  await forAll('bsd300', chosen, read, onProgress);
  const pairs = superResolutionPairs(images, { name: `bsd300/${split} x${factor}`, ...options });
  const notes = [...(await leftOutNotes(dirname(files[0].path))), ...smallNotes(split, chosen, images, pairs)];
  return notes.length > 0 ? { ...pairs, notes } : pairs;
}

const PHOTOGRAPH = /^[^.].*\.(jpe?g|png)$/i;

/** Tells of what lies beside the photographs. */
async function leftOutNotes(folder: string): Promise<string[]> {
  const others = (await listFolder('bsd300', folder)).filter((name) => !PHOTOGRAPH.test(name));
  return others.length > 0 ? [`${folder}: left out as no images: ${listed(others)}`] : [];
}

/** Tells of photographs that do not fill a target. */
function smallNotes(
  split: Split,
  files: readonly DataFile[],
  images: readonly Pixels[],
  { targetShape: [, height, width] }: ImagePairDataset,
): string[] {
  const small = files.filter((_, i) => images[i].width < width || images[i].height < height);
  if (small.length === 0) return [];
  const names = listed(small.map(({ name }) => name));
  return [`bsd300/${split}: smaller than the targets, ${width}x${height}, and padded with black: ${names}`];
}

/** @throws DataError if there are none */
async function photographs(dataDir: string, split: Split): Promise<DataFile[]> {
  const folder = await dataFolder(dataDir, 'bsd300', 'images', split);
  const names = (await listFolder('bsd300', folder)).filter((name) => PHOTOGRAPH.test(name));
  if (names.length === 0) throw new DataError('bsd300', `${folder} has no .jpg or .png file`);
  return names.map((name) => ({ name, path: join(folder, name) }));
}

/** @throws DataError if a listed photograph is not there */
async function checkList(root: string, split: Split, files: readonly DataFile[]): Promise<void> {
  const list = `iids_${split}.txt`;
  if (!(await listFolder('bsd300', root)).includes(list)) return;
  const text = new TextDecoder().decode(await readBytes('bsd300', join(root, list)));
  const present = new Set(files.map(({ name }) => name.replace(/\.(jpe?g|png)$/i, '')));
  const missing = text.split(/\s+/).filter((id) => id !== '' && !present.has(id));
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` and ${missing.length - 1} more of ${list}` : '';
    throw new DataError('bsd300', `${join(dirname(files[0].path), `${missing[0]}.jpg`)} is missing${more}`);
  }
}

const settings = {
  factor: setting(z.int().min(2).max(8), {
    flag: '--factor <r>',
    about: 'up-scaling factor of super-resolution',
    default: 3,
  }),
};

export const bsd300Entry = {
  kind: 'images',
  channels: 3,
  normalisation: identityNormalisation(3),
  about: 'photographs of Berkeley for super-resolution, 200 to train on and 100 to test on',
  settings,
  locate: (folder) => dataFolder(folder, 'bsd300'),
  files: photographs,
  outline(_, { factor }) {
    const large = targetSide(factor);
    return {
      kind: 'images',
      inputShape: [3, large / factor, large / factor],
      targetShape: [3, large, large],
      normalisation: identityNormalisation(3),
    };
  },
  open: readBsd300,
} satisfies DatasetEntry<typeof settings>;
