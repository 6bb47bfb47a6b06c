import { join } from 'node:path';
import { batchCount } from '../../data/batches.js';
import { type Batchable, release } from '../../data/batchSource.js';
import type { Module } from '../../nn/module.js';
import type { Optimizer } from '../../nn/optim/optimizer.js';
import { restoreModel, type TrainingState } from '../checkpoint.js';
import { START } from '../fit.js';
import { sourceOf } from '../models.js';
import { prepareModel } from '../prepare.js';
import { makeOptimizer } from '../recipes.js';
import { taskOf } from '../task.js';
import { fileExists } from './files.js';
import { type Halves, openHalves } from './openBatches.js';
import { openModel } from './openModel.js';
import { RUN_FILES, readCheckpoint, readLog, readWeights, writeRunConfig } from './runFolder.js';
import { type RunOptions, type RunResult, Session } from './session.js';

export type { RunEvents, RunOptions, RunResult } from './session.js';

/**
 * Trains in a folder: writes its configuration, then after each epoch the log, the best model and a checkpoint to
 * resume from. An interrupted run resumed yields the same bits as one that was not.
 *
 * @throws DataError for data, checkpoints or a folder that cannot be used; A2QError if training diverges
 */
export async function trainRun(options: RunOptions): Promise<RunResult> {
  const { folder, config, signal } = options;
  const resumed = options.resume ? await lastCheckpoint(folder) : null;
  try {
    return await runFrom(options, resumed);
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    // Stopped before the first step: the configuration is all there is to resume from.
    await writeRunConfig(folder, config);
    const { position, best } = resumed?.training ?? { position: START, best: null };
    const log = await readLog(folder, position.epoch);
    return { log, best, position, interrupted: true, batchesMadeIn: null, peakBytes: null };
  }
}

/** @throws the signal's reason if it comes before the first step */
async function runFrom(options: RunOptions, resumed: Resumed | null): Promise<RunResult> {
  const { source, prefetch = true, signal, events = {} } = options;
  const halves = await openHalves(source, {
    prefetch,
    ...(signal ? { signal } : {}),
    onProgress: (split, done, total) => events.onStage?.(`reading ${source.config.name}/${split}`, done, total),
  });
  try {
    return await runOn(halves, options, resumed);
  } finally {
    release(halves.train);
    release(halves.test);
  }
}

async function runOn({ train, test }: Halves, options: RunOptions, resumed: Resumed | null): Promise<RunResult> {
  const { folder, config, events = {} } = options;
  const model = await openModel(config, folder, resumed ? { source: sourceOf(resumed.state, resumed.path) } : {});
  let optimizer: Optimizer | null = null;
  try {
    if (resumed) restoreModel(model, resumed.state, resumed.path);
    else await prepare(model, options, train);
    optimizer = makeOptimizer(model, config.optimizer);
    if (resumed) optimizer.loadState(resumed.training.optimizer);
    await writeRunConfig(folder, config);
    const position = resumed?.training.position ?? START;
    const session = new Session(options, model, optimizer, test, taskOf(train));
    await session.open(resumed?.training ?? null);
    const { batchSize, limitBatches } = config;
    events.onStart?.(position, batchCount(train, { batchSize, limit: limitBatches ?? Number.POSITIVE_INFINITY }));
    return await session.train(train, position);
  } finally {
    optimizer?.dispose();
    model.dispose();
  }
}

async function prepare(model: Module, { config, signal, events = {} }: RunOptions, train: Batchable): Promise<void> {
  const { initFrom } = config.start;
  const weights = initFrom === undefined ? null : await readWeights(initFrom);
  await prepareModel(model, config, weights, train, {
    onStage: (stage) => events.onStage?.(stage),
    ...(signal ? { signal } : {}),
  });
}

interface Resumed {
  readonly path: string;
  readonly state: Awaited<ReturnType<typeof readCheckpoint>>['state'];
  readonly training: TrainingState;
}

/** What to resume from; null if the run never got as far as a checkpoint. */
async function lastCheckpoint(folder: string): Promise<Resumed | null> {
  const path = join(folder, RUN_FILES.last);
  if (!(await fileExists(path))) return null;
  const { state, training } = await readCheckpoint(path);
  return training ? { path, state, training } : null;
}
