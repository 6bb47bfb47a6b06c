import { glyphs } from '../../../lib/data/glyphs.js';
import type { GpuBackend } from '../../../lib/kernels/gpu/index.js';
import { setBackend, startBackend } from '../../../lib/kernels/registry.js';
import { SmallCnn } from '../../../lib/nn/models/smallCnn.js';
import { Adam } from '../../../lib/nn/optim/adam.js';
import { constantLR } from '../../../lib/nn/schedule.js';
import { layerPolicy } from '../../../lib/quant/policy.js';
import { Random } from '../../../lib/tensor/random.js';
import { memory } from '../../../lib/tensor/storage.js';
import { fit } from '../../../lib/train/fit.js';
import { classification } from '../../../lib/train/task.js';

/** What a device holds after some steps of training. */
export interface MemorySample {
  readonly step: number;
  readonly loss: number;
  /** Arrays on the device, and tensors. */
  readonly arrays: number;
  readonly storages: number;
  readonly kernels: number;
}

const BATCH = 8;

/**
 * Trains a small A2Q+ network on glyphs, two layers and batches of 8, in one go; `onSample` is awaited every
 * `interval` steps. In Node and in pages alike.
 */
export async function trainSteps(
  name: string,
  steps: number,
  interval: number,
  onSample: (sample: MemorySample) => unknown,
): Promise<void> {
  const backend = setBackend(await startBackend(name));
  const { describe, finished } = backend as typeof backend & GpuBackend;
  const make = layerPolicy({
    ...{ method: 'a2q+', weightBits: 4, actBits: 4, accumulatorBits: 12, random: new Random(0) },
    // So that what the optimizer holds is complete after the first steps.
    collectStatsSteps: 2,
  });
  const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10, widths: [4, 8] });
  const optimizer = new Adam(model.parameters(), { learningRate: 1e-3 });
  const dataset = glyphs({ length: interval * BATCH, normalise: false });
  let loss = Number.NaN;
  await fit({
    ...{ model, optimizer, dataset, task: classification(), schedule: constantLR() },
    ...{ batchSize: BATCH, epochs: Math.ceil(steps / interval), seed: 0 },
    onStep: (report) => {
      loss = report.loss;
    },
    async onEpoch({ step }) {
      await finished();
      // Garbage is no leak. There where a process or page was started with --expose-gc.
      (globalThis as { gc?: () => void }).gc?.();
      const { arrays, kernels } = describe();
      await onSample({ step, loss, arrays, storages: memory(backend).storages, kernels });
    },
  });
  model.dispose();
  optimizer.dispose();
}

/** What is wrong with samples that should show a flat memory: a line each. `rss` is the device's process, in bytes. */
export function growth(samples: readonly (MemorySample & { readonly rss: number })[]): string[] {
  const [first, ...rest] = samples;
  const problems: string[] = [];
  for (const { step, arrays, storages, kernels, loss } of rest) {
    if (arrays !== first.arrays) problems.push(`step ${step}: ${arrays} arrays, ${first.arrays} at step ${first.step}`);
    if (storages !== first.storages) problems.push(`step ${step}: ${storages} tensors, ${first.storages} at first`);
    if (kernels !== first.kernels) problems.push(`step ${step}: ${kernels} kernels, ${first.kernels} at first`);
    if (!Number.isFinite(loss)) problems.push(`step ${step}: the loss is ${loss}`);
  }
  // Pools, caches and JavaScript's own heap reach their size in the first samples, in steps of some 60 MiB; then a
  // process goes up and down: its floor must stay.
  const warm = Math.ceil(0.4 * samples.length);
  const half = warm + ((samples.length - warm) >> 1);
  const [early, late] = [samples.slice(warm, half), samples.slice(half)].map((part) =>
    Math.min(...part.map(({ rss }) => rss)),
  );
  if (late - early > MOST_GROWTH) problems.push(`the process grew by ${((late - early) / 2 ** 20).toFixed(0)} MiB`);
  return problems;
}

/**
 * The floor of a process may rise by so many bytes: a leak of one array of 64 KiB in each of 2,000 steps would be 125
 * MiB.
 */
const MOST_GROWTH = 48 * 2 ** 20;
