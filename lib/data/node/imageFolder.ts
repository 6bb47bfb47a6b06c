import { basename, join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { asOptions, asString, asStrings } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { type LabelledDataset, subset } from '../dataset.js';
import { IMAGENET_STATISTICS, type ImageFolderOptions, imageFolder, type LabelledImages } from '../imageFolder.js';
import { setting } from '../setting.js';
import { evenly } from '../split.js';
import type { DatasetEntry, Split } from './entry.js';
import { folderExists, listed, listFolder, listFolders } from './files.js';
import { type CacheOptions, ImageFiles } from './images.js';

const IMAGE_FILE = /\.(jpe?g|png)$/i;

/** What programs leave beside images: folders of notebooks, archives of other systems. */
const IGNORED = /^(\.|__MACOSX$)/;

/**
 * A class-per-folder tree, `root/<class>/<image>.jpg|png`: classes are the sub-folders sorted by name, unless the names
 * of the classes are given; then a class may be missing, which a note of the dataset says. Hidden files and folders,
 * and files that are no images, are left out, which a note says as well.
 *
 * Images are decoded when asked for; the first ones stay in memory, decoded, until `cacheBytes` are used.
 *
 * @param options.classes names of the classes in the order of the labels
 * @throws DataError if the folder is missing, has no sub-folders, one of them has no images or is of no given class
 */
export async function readImageFolder(
  root: string,
  options: ImageFolderOptions & CacheOptions & { readonly classes?: readonly string[] },
): Promise<LabelledDataset> {
  asString('imageFolder', 'the folder', root);
  const { classes } = asOptions('imageFolder', options);
  const tree = await readTree(root, classes && asStrings('imageFolder', 'classes', classes));
  return datasetOf(root, tree, new ImageFiles('imageFolder', tree.paths, options), options);
}

function datasetOf(root: string, tree: Tree, files: ImageFiles, options: ImageFolderOptions): LabelledDataset {
  const images: LabelledImages = { ...tree, load: (index) => files.load(index) };
  return imageFolder(images, { name: basename(root), notes: tree.notes, ...options });
}

/** The images of a tree of folders. */
interface Tree extends Pick<LabelledImages, 'classes' | 'labels'> {
  readonly paths: readonly string[];
  readonly notes: readonly string[];
}

async function readTree(root: string, known: readonly string[] | undefined): Promise<Tree> {
  const found = await classesIn(root);
  const classes = known ?? found.names;
  checkClasses(root, found.names, classes);
  const paths: string[] = [];
  const labels: number[] = [];
  const leftOut = [...found.leftOut];
  const nested: string[] = [];
  for (const [label, name] of classes.entries()) {
    if (!found.names.includes(name)) continue;
    const folder = join(root, name);
    const files = await imagesIn(folder);
    if (files.names.length === 0) throw new DataError('imageFolder', `${folder} has no .jpg or .png file`);
    for (const file of files.names) {
      paths.push(join(folder, file));
      labels.push(label);
    }
    for (const file of files.leftOut) leftOut.push(join(name, file));
    for (const inner of files.folders) nested.push(join(name, inner));
  }
  const missing = classes.filter((name) => !found.names.includes(name));
  const notes = [
    ...(missing.length > 0 ? [`${root} has no images of ${listed(missing)}`] : []),
    ...(leftOut.length > 0 ? [`${root}: left out as no images: ${listed(leftOut)}`] : []),
    ...(nested.length > 0 ? [`${root}: folders in the folder of a class are not read: ${listed(nested)}`] : []),
    ...(classes.length === 1 ? [`${root} has one class only, ${classes[0]}: there is nothing to tell apart`] : []),
  ];
  return { classes, labels, paths, notes };
}

/** Names that count, and names that are left out though they might be meant. */
interface Names {
  readonly names: readonly string[];
  readonly leftOut: readonly string[];
}

async function classesIn(root: string): Promise<Names> {
  const all = await listFolders('imageFolder', root);
  const names = all.filter((name) => !IGNORED.test(name));
  if (names.length === 0) throw new DataError('imageFolder', `${root} has no class folders`);
  return { names, leftOut: all.filter((name) => IGNORED.test(name)) };
}

async function imagesIn(folder: string): Promise<Names & { readonly folders: readonly string[] }> {
  const all = await listFolder('imageFolder', folder);
  const isImage = (file: string) => IMAGE_FILE.test(file) && !IGNORED.test(file);
  const others = all.filter((file) => !isImage(file));
  const isFolder = await Promise.all(others.map((name) => !IGNORED.test(name) && folderExists(join(folder, name))));
  const pick = (wanted: boolean) => others.filter((_, i) => isFolder[i] === wanted);
  return { names: all.filter(isImage), leftOut: pick(false), folders: pick(true) };
}

/** @throws DataError naming folders that are of no known class */
function checkClasses(root: string, found: readonly string[], known: readonly string[]): void {
  const unknown = found.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const meant = known.filter((name) => unknown.some((other) => other.toLowerCase() === name.toLowerCase()));
  const hint = meant.length > 0 ? `; did you mean ${listed(meant)}?` : '';
  throw new DataError(
    'imageFolder',
    `${root}: ${listed(unknown)} is no class of the training images (${listed(known)})${hint}`,
  );
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
  async locate(folder, splits) {
    const roots = await Promise.all(splits.map((split) => splitFolder(folder, split)));
    if (splits[0] !== 'train') return;
    const train = await classesIn(roots[0]);
    for (const root of roots.slice(1)) checkClasses(root, (await classesIn(root)).names, train.names);
  },
  async files(folder, split) {
    const root = await splitFolder(folder, split);
    const { paths } = await readTree(root, undefined);
    return paths.map((path) => ({ name: relative(root, path).split(sep).join('/'), path }));
  },
  async outline(folder, { size }) {
    const { names } = await classesIn(await splitFolder(folder, 'train'));
    return { kind: 'labels', inputShape: [3, size, size], normalisation: IMAGENET_STATISTICS, classes: names };
  },
  async open(folder, split, { size, limit, classes, onProgress }) {
    const known = classes ?? (await classesIn(await splitFolder(folder, 'train'))).names;
    const root = await splitFolder(folder, split);
    const tree = await readTree(root, known);
    const files = new ImageFiles('imageFolder', tree.paths);
    const beside = split === 'test' && (await unusedVal(folder, root));
    const notes = beside ? [...tree.notes, `${beside} is not read: ${root} is there`] : tree.notes;
    const all = datasetOf(root, tree, files, { size, notes });
    const chosen = limit !== undefined && limit < all.length ? evenly(all, limit) : null;
    await files.check(chosen ?? tree.paths.keys(), onProgress);
    return chosen ? subset(all, chosen) : all;
  },
} satisfies DatasetEntry<typeof settings>;

/** A folder `val` beside the `test` that is taken; null if there is none. */
async function unusedVal(folder: string, taken: string): Promise<string | null> {
  const val = join(resolve(folder), 'val');
  return taken !== val && (await folderExists(val)) ? val : null;
}

async function splitFolder(root: string, split: Split): Promise<string> {
  const names = split === 'train' ? ['train'] : ['test', 'val'];
  for (const name of names) {
    const path = join(resolve(root), name);
    if (await folderExists(path)) return path;
  }
  throw new DataError(
    'folder',
    `${root} has no folder ${names.join(' or ')} with one sub-folder a class; see --data-dir`,
  );
}
