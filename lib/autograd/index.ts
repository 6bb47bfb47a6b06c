import './fluent.js';

export * from './activations.js';
export { type CheckOptions, checkGrads, type GradReport } from './check.js';
export * from './convolution.js';
export { defineFunction, type FunctionDefinition, type StraightThroughDefinition, straightThrough } from './define.js';
export * from './normalization.js';
export * from './ops.js';
export * from './pooling.js';
export { fakeQuantize, powerScale } from './quantize.js';
export { pixelShuffle, resizeConv2d, upsampleNearest } from './resample.js';
export { fastRow, type Outputs, type Row, row, type Saved, type Vjp } from './row.js';
export { type OpName, table } from './table.js';
export { apply, applyAll, backward, isRecording, noGrad, withGrad } from './tape.js';
