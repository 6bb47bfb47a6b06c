import { type Dataset, subset } from '../../data/dataset.js';
import { DATA_DIR_VARIABLE, resolveDataDir } from '../../data/node/dataDir.js';
import { type DatasetConfig, datasetNamed } from '../../data/node/datasets.js';
import { SPLITS, type Split } from '../../data/node/entry.js';
import { fingerprint } from '../../data/node/fingerprint.js';
import { splitForValidation } from '../../data/split.js';
import type { DataShape } from '../../nn/models/entry.js';
import { asChoice, asFunction, asList, asOptions, asString, asStrings } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { checkedConfig } from '../config.js';
import { shapeOf } from '../models.js';

export type { Split } from '../../data/node/entry.js';

/** Where the files of a dataset are, found before any work starts. */
export interface DataSource {
  readonly config: DatasetConfig;
  /** The folder that holds them; null for built-in data. */
  readonly dataDir: string | null;
  /** Names of the classes in the order of the labels, where a run knows them. */
  readonly classes?: readonly string[];
  /** Splits validation images off the training half. */
  readonly validation?: { readonly share: number; readonly seed: number };
}

/** What can be opened of a dataset: one of its halves, or the validation images that its training half is split by. */
export type Half = Split | 'val';
/** Every {@link Half}. */
export const HALVES: readonly Half[] = [...SPLITS, 'val'];

/** Where to look for files, and for which. */
export interface LocateOptions {
  /** Folders that a run remembers, tried in turn if neither flag nor environment name one. */
  readonly remembered?: readonly string[];
  /** The halves that are wanted; default both. */
  readonly splits?: readonly Split[];
}

/**
 * Finds the files of a dataset: in the given folder, else in that of A2Q_DATA_DIR, else in a remembered one.
 *
 * @throws DataError naming what is missing and how to provide it
 */
export async function locateData(
  config: DatasetConfig,
  dataDir: string | undefined,
  options: LocateOptions = {},
): Promise<DataSource> {
  checkedConfig('locateData', { dataset: config }, ['dataset']);
  const { remembered = [], splits = SPLITS } = asOptions('locateData', options);
  asStrings('locateData', 'remembered', remembered);
  for (const split of asList('locateData', 'splits', splits)) asChoice('locateData', 'a split', split, SPLITS);
  const entry = datasetNamed(config.name);
  if (!entry.locate) return { config, dataDir: null };
  if (dataDir || process.env[DATA_DIR_VARIABLE] || remembered.length === 0) {
    const root = await resolveDataDir(dataDir);
    await entry.locate(root, splits);
    return { config, dataDir: root };
  }
  const failures: string[] = [];
  for (const place of remembered) {
    try {
      const root = await resolveDataDir(undefined, {}, place);
      await entry.locate(root, splits);
      return { config, dataDir: root };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      failures.push(error.message.slice(error.op.length + 2));
    }
  }
  throw new DataError('dataDir', `the data that the run was begun with: ${failures.join('; ')}; pass --data-dir DIR`);
}

/** @throws ArgumentError or DataError unless `source` is of the kind that `locateData` returns */
export function checkedSource(op: string, source: DataSource): DataSource {
  const { config, dataDir, classes, validation } = asOptions(op, source, 'the source');
  checkedConfig(op, { dataset: config }, ['dataset']);
  if (dataDir !== null) asString(op, 'dataDir', dataDir);
  if (classes !== undefined) asStrings(op, 'classes', classes);
  if (validation !== undefined) asOptions(op, validation, 'validation');
  return source;
}

/** What a model must know of the data, without reading images. @throws DataError as `locateData` */
export async function inspectData(source: DataSource): Promise<DataShape> {
  const { config, dataDir } = checkedSource('inspectData', source);
  return shapeOf(await datasetNamed(config.name).outline(dataDir ?? '', config));
}

/** Names of the classes in the order of the labels, without reading images; undefined for pairs of images. */
export async function classNamesOf(source: DataSource): Promise<readonly string[] | undefined> {
  const { config, dataDir } = checkedSource('classNamesOf', source);
  const outline = await datasetNamed(config.name).outline(dataDir ?? '', config);
  return outline.kind === 'labels' ? outline.classes : undefined;
}

/** A digest of the files of a half; null for built-in data. @throws DataError naming a file that cannot be read */
export async function fingerprintOf(source: DataSource, split: Split): Promise<string | null> {
  const { config, dataDir } = checkedSource('fingerprintOf', source);
  asChoice('fingerprintOf', 'split', split, SPLITS);
  const { files } = datasetNamed(config.name);
  return files ? fingerprint(await files(dataDir ?? '', split)) : null;
}

/** Opens one half of a dataset. @throws DataError naming a file that is missing, truncated or corrupt */
export async function openData(
  source: DataSource,
  half: Half,
  onProgress?: (done: number, total: number) => void,
): Promise<Dataset> {
  const { config, dataDir, classes, validation } = checkedSource('openData', source);
  asChoice('openData', 'half', half, HALVES);
  if (onProgress !== undefined) asFunction('openData', 'onProgress', onProgress);
  const { limit, name, ...settings } = config;
  const split = half === 'test' ? 'test' : 'train';
  const all = await datasetNamed(name).open(dataDir ?? '', split, {
    ...settings,
    ...(split === 'train' && typeof limit === 'number' ? { limit } : {}),
    ...(classes ? { classes } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  if (half === 'test' || !validation) return all;
  const parts = splitForValidation(all, validation);
  return half === 'val' ? { ...subset(all, parts.val), name: `${all.name}, split off` } : subset(all, parts.train);
}
