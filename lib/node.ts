/** What needs Node: data sets from files, and whole training runs kept in folders. All else is in the package root. */

// Data folders.
export { decodeImage } from './data/decode.js';
export type { Guess } from './data/guesses.js';
export { encodePng } from './data/node/encodePng.js';
export * from './data/node/index.js';

// The models that can be trained by name.
export { MODEL_NAMES, MODELS, type ModelName } from './nn/models/index.js';

// Runs: a configuration in, a folder with log, checkpoints and configuration out; resumable to the same bits.
export * from './train/checkpoint.js';
export {
  configJsonSchema,
  type DataShape,
  type DatasetConfig,
  type OptimizerConfig,
  type Origin,
  parseConfig,
  parseConfigText,
  parseSettings,
  type RunConfig,
  type RunSettings,
  type ScheduleConfig,
  type StartConfig,
  settingsSchema,
} from './train/config.js';
export type { LogLine } from './train/log.js';
export { lowerTrained } from './train/lowerTrained.js';
export { buildModel, type ModelConfig, shapeOf } from './train/models.js';
export {
  classNamesOf,
  type DataSource,
  fingerprintOf,
  type Half,
  inspectData,
  type LocateOptions,
  locateData,
  openData,
  type Split,
} from './train/node/datasets.js';
export * from './train/node/openBatches.js';
export { type BuildModel, openModel } from './train/node/openModel.js';
export { openTrained, type Trained } from './train/node/openTrained.js';
export { type QuantizeOptions, type QuantizeResult, quantizeRun } from './train/node/quantizeRun.js';
export * from './train/node/runFolder.js';
export { type RunEvents, type RunOptions, type RunResult, trainRun } from './train/node/trainRun.js';
export { classify, upscale } from './train/predict.js';
export { makeOptimizer, makeSchedule, type Recipe, recipeFor } from './train/recipes.js';
export { type NamedSetting, resolveSettings, SETTINGS } from './train/settings.js';
export { type ComputedBy, installIntegers, type StoredIntegers, type StoredLayer } from './train/storedIntegers.js';
export * from './train/weights.js';
