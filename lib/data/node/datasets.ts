import { z } from 'zod';
import { setting } from '../setting.js';
import { bsd300Entry } from './bsd300.js';
import { cifar10Entry } from './cifar10.js';
import type { DatasetEntry, SettingsOf } from './entry.js';
import { glyphsEntry } from './glyphs.js';
import { folderEntry } from './imageFolder.js';

/** The data sets that can be trained on by name. */
export const DATASETS = {
  glyphs: glyphsEntry,
  cifar10: cifar10Entry,
  bsd300: bsd300Entry,
  folder: folderEntry,
} as const satisfies Record<string, DatasetEntry>;

export type DatasetName = keyof typeof DATASETS;
/** Every {@link DatasetName}, in the order of the table. */
export const DATASET_NAMES = Object.keys(DATASETS) as DatasetName[];

/** Which data, with which settings. */
export type DatasetConfig = {
  [Name in DatasetName]: {
    name: Name;
    /** Keep the first so many training images; all of them if left out. */
    limit?: number;
  } & SettingsOf<(typeof DATASETS)[Name]['settings']>;
}[DatasetName];

const limit = setting(z.int().min(1), {
  flag: '--train-images <n>',
  about: 'keep n training images: evenly of all classes of a folder, the first n of other data sets',
  absent: 'all',
});

const options = DATASET_NAMES.map((name) =>
  z.strictObject({ name: z.literal(name), ...DATASETS[name].settings, limit: limit.exactOptional() }),
);

/** Checks a {@link DatasetConfig}; which the compiler cannot see, since the members of the union are made in a loop. */
export const datasetSchema = setting(
  z.discriminatedUnion('name', options as [(typeof options)[number], ...typeof options]),
  { flag: '--dataset <name>', about: 'what to train on' },
) as unknown as z.ZodType<DatasetConfig>;

/** The entry of a data set by name, its settings known to agree with it. */
export function datasetNamed(name: DatasetName): DatasetEntry {
  return DATASETS[name];
}
