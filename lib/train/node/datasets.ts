import type { Dataset } from '../../data/dataset.js';
import { resolveDataDir } from '../../data/node/dataDir.js';
import { type DatasetConfig, datasetNamed } from '../../data/node/datasets.js';
import type { Split } from '../../data/node/entry.js';
import type { DataShape } from '../../nn/models/entry.js';
import { shapeOf } from '../models.js';

export type { Split } from '../../data/node/entry.js';

/** Where the files of a dataset are, found before any work starts. */
export interface DataSource {
  readonly config: DatasetConfig;
  /** The folder that holds them; null for built-in data. */
  readonly dataDir: string | null;
}

/**
 * Finds the files of a dataset: in the given folder, else in that of A2Q_DATA_DIR.
 *
 * @throws DataError naming what is missing and how to provide it
 */
export async function locateData(config: DatasetConfig, dataDir: string | undefined): Promise<DataSource> {
  const entry = datasetNamed(config.name);
  if (!entry.locate) return { config, dataDir: null };
  const root = await resolveDataDir(dataDir);
  await entry.locate(root);
  return { config, dataDir: root };
}

/** What a model must know of the data, without reading images. @throws DataError as `locateData` */
export async function inspectData({ config, dataDir }: DataSource): Promise<DataShape> {
  return shapeOf(await datasetNamed(config.name).outline(dataDir ?? '', config));
}

/** Opens one half of a dataset. @throws DataError naming a file that is missing, truncated or corrupt */
export async function openData(
  { config, dataDir }: DataSource,
  split: Split,
  onProgress?: (done: number, total: number) => void,
): Promise<Dataset> {
  const { limit, name, ...settings } = config;
  return datasetNamed(name).open(dataDir ?? '', split, {
    ...settings,
    ...(split === 'train' && limit !== undefined ? { limit } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
}
