import { relative, resolve } from 'node:path';
import type { Batchable } from '../../data/batchSource.js';
import { parseConfig, type RunConfig } from '../config.js';
import type { DataSource } from './datasets.js';
import { originOf } from './origin.js';

/** What the configuration of a run says beside its settings: where its data are, and what they are. */

/** Where the data are, seen from the folder of a run. */
export function placeOfData(folder: string, { dataDir }: DataSource): Pick<RunConfig, 'dataDir' | 'dataPath'> {
  if (dataDir === null) return {};
  const dataPath = resolve(dataDir);
  return { dataDir: relative(resolve(folder), dataPath), dataPath };
}

/** What a configuration says of how its data are read. */
export function sourceSettings({ classNames, valShare, seed }: RunConfig): Pick<DataSource, 'classes' | 'validation'> {
  return {
    ...(classNames ? { classes: classNames } : {}),
    ...(valShare === undefined ? {} : { validation: { share: valShare, seed } }),
  };
}

/** With what the last bits depend on, and the names of the classes, so that labels keep their meaning anywhere. */
export async function configWithFindings(config: RunConfig, source: DataSource, train: Batchable): Promise<RunConfig> {
  const origin = await originOf(source);
  const classNames = train.kind === 'labels' ? { classNames: train.classes } : {};
  // Parsed, its fields are in the order of the schema: equal configurations give equal bytes.
  return parseConfig({ ...config, origin, ...classNames }, 'config');
}
