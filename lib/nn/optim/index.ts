export { Adam, type AdamOptions, AdamW } from './adam.js';
export { decayGroups } from './groups.js';
export {
  type GroupOptions,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type ParameterGroup,
  type Update,
  type UpdateSettings,
} from './optimizer.js';
export { SGD, type SgdOptions } from './sgd.js';
