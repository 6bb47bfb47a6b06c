/** Naive float64 oracles of every kernel: nested loops over indices that share no code with the library. */
export * from './oracle/accumulator.js';
export * from './oracle/array.js';
export * from './oracle/channels.js';
export * from './oracle/elementwise.js';
export * from './oracle/optimizers.js';
export * from './oracle/quantization.js';
export * from './oracle/weights.js';
export * from './oracle/windows.js';
