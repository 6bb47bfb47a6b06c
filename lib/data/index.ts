/** Datasets, batches, image transforms and metrics; no file access, so that it runs in a browser too. */

export * from './batches.js';
export * from './batchSource.js';
export * from './bsd300.js';
export * from './cifar10.js';
export * from './dataset.js';
export * from './decode.js';
export * from './glyphs.js';
export * from './imageFolder.js';
export * from './jpeg.js';
export * from './metrics.js';
export * from './normalise.js';
export * from './pixels.js';
export * from './resize.js';
export * from './worker/serveBatches.js';
export * from './worker/startBatchWorker.js';
