import type { RunConfig } from '../../lib/train/config.js';

/** A run of seconds: the small classifier on 40 glyphs, five batches an epoch. */
export function tinyRun(more: Partial<RunConfig> = {}): RunConfig {
  return {
    format: 'a2q-run',
    version: 2,
    model: 'cnn',
    dataset: { name: 'glyphs', limit: 40 },
    shape: { kind: 'labels', inputShape: [1, 16, 16], signed: false, classes: 10 },
    method: 'a2q+',
    weightBits: 4,
    actBits: 4,
    accumulatorBits: 12,
    collectStatsSteps: 3,
    optimizer: { type: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
    schedule: { kind: 'exponential', gamma: 0.5 },
    epochs: 2,
    batchSize: 8,
    penaltyWeight: 1e-3,
    seed: 5,
    limitBatches: 5,
    start: {
      ...{ heInit: false, epInit: true },
      ...{ reestimationSamples: 0, calibrationSamples: 0, biasCorrection: false },
    },
    backend: 'wasm',
    ...more,
  };
}
