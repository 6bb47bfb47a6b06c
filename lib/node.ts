/** What needs Node: data sets from files, and whole training runs kept in folders. All else is in the package root. */

// Data folders.
export { decodeImage } from './data/decode.js';
export * from './data/node/index.js';

// Runs: a configuration in, a folder with log, checkpoints and configuration out; resumable to the same bits.
export { type Best, decodeCheckpoint, encodeModel, type ModelCheckpoint, restoreModel } from './train/checkpoint.js';
export {
  type DataShape,
  type DatasetConfig,
  type OptimizerConfig,
  parseConfig,
  parseConfigText,
  type RunConfig,
  type ScheduleConfig,
  type StartConfig,
} from './train/config.js';
export { buildModel, MODELS, type ModelConfig, type ModelEntry, shapeOf } from './train/models.js';
export { DATASET_NAMES, type DatasetName, MODEL_NAMES, type ModelName } from './train/names.js';
export { type DataSource, inspectData, locateData, openData, type Split } from './train/node/datasets.js';
export {
  type Halves,
  type OpenBatchesOptions,
  type OpenHalvesOptions,
  openBatches,
  openHalves,
} from './train/node/openBatches.js';
export {
  holdsRun,
  type LogLine,
  RUN_FILES,
  readCheckpoint,
  readLog,
  readRunConfig,
  readWeights,
  runCheckpointPath,
} from './train/node/runFolder.js';
export { type RunEvents, type RunOptions, type RunResult, trainRun } from './train/node/trainRun.js';
export { makeOptimizer, makeSchedule, type Recipe, recipeFor } from './train/recipes.js';
export { loadFloatWeights, quantizerNames, withoutQuantizers } from './train/weights.js';
