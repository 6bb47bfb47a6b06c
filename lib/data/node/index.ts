/** Datasets from files. */
export { type Bsd300Options, readBsd300 } from './bsd300.js';
export { readCifar10 } from './cifar10.js';
export { DATA_DIR_VARIABLE, dataFolder, resolveDataDir } from './dataDir.js';
export { DATASET_NAMES, DATASETS, type DatasetConfig, type DatasetName } from './datasets.js';
export type { DatasetEntry, DatasetOutline, ReadOptions } from './entry.js';
export { readImageFolder } from './imageFolder.js';
