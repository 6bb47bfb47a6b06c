/** Datasets from files. */
export { type Bsd300Options, readBsd300 } from './bsd300.js';
export { readCifar10 } from './cifar10.js';
export { DATA_DIR_VARIABLE, dataFolder, resolveDataDir } from './dataDir.js';
export { readImageFolder } from './imageFolder.js';
