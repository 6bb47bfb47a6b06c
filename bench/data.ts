/**
 * What training steps cost and how long they wait for their batches, made between the steps or ahead of time in a
 * worker, by turns in one process; one JSON object a line. Float models, so that as little as possible hides the data.
 *
 *     node dist/bench/data.js [--dataset bsd300] [--rounds 6] [--steps 8] [--data-dir DIR] [--threads 2]
 */
import { Command, Option } from 'commander';
import { addBackendOptions, type BackendFlags, useBackend } from '../lib/cli/backend.js';
import { integer } from '../lib/cli/usage.js';
import { type Batchable, type BatchSource, batchesOf, madeIn, release } from '../lib/data/batchSource.js';
import { factsOf } from '../lib/data/dataset.js';
import { DATASET_NAMES, type DatasetName } from '../lib/data/node/datasets.js';
import type { ModelName } from '../lib/nn/models/index.js';
import { dispose } from '../lib/tensor/storage.js';
import { fit } from '../lib/train/fit.js';
import { buildModel } from '../lib/train/models.js';
import { inspectData, locateData } from '../lib/train/node/datasets.js';
import { openBatches } from '../lib/train/node/openBatches.js';
import { makeOptimizer, makeSchedule } from '../lib/train/recipes.js';
import { resolveSettings } from '../lib/train/settings.js';
import { taskOf } from '../lib/train/task.js';

interface Flags extends BackendFlags {
  readonly dataset: DatasetName;
  readonly rounds: number;
  readonly steps: number;
  readonly dataDir?: string;
}

const flags: Flags = addBackendOptions(new Command('data'))
  .addOption(new Option('--dataset <name>', 'what to train on').choices(DATASET_NAMES).default('bsd300'))
  .option('--rounds <n>', 'turns of each', integer(1), 6)
  .option('--steps <n>', 'steps of a turn; the first of each is not counted', integer(2), 8)
  .option('--data-dir <folder>', 'where the data sets are (default: $A2Q_DATA_DIR)')
  .parse()
  .opts();

const backend = await useBackend(flags);
const { dataset: name } = flags;
const model: ModelName = name === 'bsd300' ? 'espcn' : 'cnn';
const chosen = { 'dataset.name': name, model, method: 'float' };
const settings = resolveSettings(new Map(Object.entries(chosen)), null);
const source = await locateData(settings.dataset, flags.dataDir);
const network = buildModel({ ...settings, shape: await inspectData(source) });
const optimizer = makeOptimizer(network, settings.optimizer);
const ways = [await openBatches(source, 'train', { prefetch: false }), await openBatches(source, 'train')];
const measured = ways.map((data) => ({ data, steps: [] as number[], waits: [] as number[] }));
for (let round = 0; round < flags.rounds; round++) {
  for (const way of round % 2 === 0 ? measured : [...measured].reverse()) await turn(way, round);
}
for (const { data, steps, waits } of measured) {
  const figures = { stepMs: median(steps), waitMs: median(waits), longestWaitMs: Math.max(...waits) };
  const what = { model, dataset: name, batchSize: settings.batchSize, madeIn: madeIn(data) };
  process.stdout.write(`${JSON.stringify({ ...what, ...figures, steps: steps.length, backend })}\n`);
  release(data);
}
optimizer.dispose();
dispose(network.parameters());

/** A few steps on batches of one origin. */
async function turn({ data, steps, waits }: (typeof measured)[number], seed: number): Promise<void> {
  const [ms, waited]: number[][] = [[], []];
  await fit({
    model: network,
    optimizer,
    schedule: makeSchedule(settings.schedule, 1),
    task: taskOf(data),
    dataset: timed(data, waited),
    batchSize: settings.batchSize,
    epochs: 1,
    seed,
    limitBatches: flags.steps,
    onStep: (report) => void ms.push(report.ms),
  });
  steps.push(...ms.slice(1));
  waits.push(...waited.slice(1, ms.length));
}

/** The same batches; `waits` gets the milliseconds each was waited for. */
function timed(data: Batchable, waits: number[]): BatchSource {
  return {
    ...factsOf(data),
    batches(options) {
      const made = batchesOf(data, options);
      return {
        async next() {
          const before = performance.now();
          const result = await made.next();
          waits.push(performance.now() - before);
          return result;
        },
        async return() {
          await made.return?.();
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    close: () => release(data),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
