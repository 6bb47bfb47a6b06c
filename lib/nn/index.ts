export { clipGradNorm, clipGradValue, type GradientHolders } from './clip.js';
export * from './init.js';
export * from './layers/index.js';
export { type CrossEntropyOptions, crossEntropy, type Labels, mse, oneHot, type Reduction } from './loss.js';
export { type HostTensor, Module, type StateDict } from './module.js';
export * from './optim/index.js';
export { Buffer, Counter, Parameter, StateTensor } from './parameter.js';
export * from './schedule.js';
