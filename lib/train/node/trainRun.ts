import { join } from 'node:path';
import { batchCount } from '../../data/batches.js';
import { type Batchable, release } from '../../data/batchSource.js';
import type { Module } from '../../nn/module.js';
import type { Optimizer } from '../../nn/optim/optimizer.js';
import { METHODS, type MethodEntry } from '../../quant/methods.js';
import { asFunction, asInstance, asOptions, asString } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { type ModelCheckpoint, restoreModel, type TrainingState } from '../checkpoint.js';
import { checkedConfig, type RunConfig } from '../config.js';
import { START } from '../fit.js';
import { leavesOutLastBatch } from '../lastBatch.js';
import { matchClasses } from '../matchClasses.js';
import { prepareModel } from '../prepare.js';
import { makeOptimizer } from '../recipes.js';
import { goOnWith } from '../resume.js';
import { lengthNotes } from '../settingNotes.js';
import { taskOf } from '../task.js';
import { checkedSource, type DataSource, type Half } from './datasets.js';
import { fileExists, removeStaleTemporaries } from './files.js';
import { configWithFindings, placeOfData, sourceSettings } from './findings.js';
import { type Halves, openHalves } from './openBatches.js';
import { openModel } from './openModel.js';
import { originNotes } from './origin.js';
import { holdsRun, RUN_FILES, readCheckpoint, readLog, readWeights, writeRunConfig } from './runFolder.js';
import { lockRun, type RunLock } from './runLock.js';
import { RunStore } from './runStore.js';
import { type RunOptions, type RunResult, Session } from './session.js';

export type { RunEvents, RunOptions, RunResult } from './session.js';

/**
 * Trains in a folder: writes its configuration, then after each epoch the log, the best model and a checkpoint to
 * resume from. An interrupted run resumed yields the same bits as one that was not. One process at a time may do so.
 *
 * @throws ArgumentError or DataError for options that are none, before anything is written
 * @throws DataError for data, checkpoints or a folder that cannot be used, or that are not those that a resumed run was
 *   begun with; DivergenceError if training diverges: what was saved before stays
 */
export async function trainRun(options: RunOptions): Promise<RunResult> {
  const { folder, resume, events = {} } = checkedOptions(options);
  const lock = await lockRun(folder, (text) => events.onNote?.(text));
  try {
    if (!resume && (await holdsRun(folder))) throw new DataError('run', `${folder} holds a run already`);
    const stale = await removeStaleTemporaries(folder);
    if (stale.length > 0)
      events.onNote?.(`removed what a killed process had not finished writing: ${stale.join(', ')}`);
    const resumed = resume ? await lastCheckpoint(folder) : null;
    return await trainFrom(settled(options, resumed), resumed, lock);
  } finally {
    lock.release();
  }
}

/** @throws DataError for a method that does not train */
export function checkTrains({ method }: Pick<RunConfig, 'method'>): void {
  const { afterTraining = false }: MethodEntry = METHODS[method];
  if (afterTraining) throw new DataError('train', `${method} rounds a trained model: use a2q quantize`);
}

function checkedOptions(options: RunOptions): RunOptions {
  const { folder, config, source, backend, signal, store = {}, events = {} } = asOptions('trainRun', options);
  asString('trainRun', 'folder', folder);
  checkTrains(checkedConfig('trainRun', config));
  checkedSource('trainRun', source);
  asString('trainRun', 'backend', backend);
  asOptions('trainRun', store, 'store');
  for (const [name, listener] of Object.entries(asOptions('trainRun', events, 'events'))) {
    if (listener !== undefined) asFunction('trainRun', name, listener);
  }
  if (signal !== undefined) asInstance('trainRun', 'signal', signal, AbortSignal);
  return options;
}

/** The options with what the run knows of its configuration. */
function settled(options: RunOptions, resumed: Resumed | null): RunOptions {
  const { folder, source, events = {} } = options;
  const { config, notes } = resumed
    ? goOnWith(resumed.config, options.config, resumed.training.position.step)
    : { config: options.config, notes: [] };
  for (const note of notes) events.onNote?.(note);
  const placed = { ...config, ...placeOfData(folder, source) };
  return { ...options, config: placed, source: { ...source, ...sourceSettings(config) } };
}

async function trainFrom(options: RunOptions, resumed: Resumed | null, lock: RunLock): Promise<RunResult> {
  const { folder, config, signal } = options;
  try {
    return await runFrom(options, resumed, lock);
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
async function runFrom(options: RunOptions, resumed: Resumed | null, lock: RunLock): Promise<RunResult> {
  const { source, prefetch = true, signal, events = {} } = options;
  const halves = await openHalves(source, {
    prefetch,
    ...(signal ? { signal } : {}),
    onProgress: (half, done, total) => events.onStage?.(`reading ${partText(source, half)}`, done, total),
  });
  try {
    for (const note of notesOf(halves)) events.onNote?.(note);
    return await runOn(halves, await withFindings(options, halves, resumed), resumed, lock);
  } finally {
    release(halves.train);
    release(halves.test);
  }
}

/** What is read, for people. */
function partText({ config }: DataSource, half: Half): string {
  return half === 'val' ? `validation images of ${config.name}/train` : `${config.name}/${half}`;
}

/** What is odd about the data; two parts of one half say it twice. */
function notesOf({ train, test }: Halves): Set<string> {
  return new Set([...(train.notes ?? []), ...(test.notes ?? [])]);
}

/** The options with what the data are; the names of the classes, so that labels keep their meaning anywhere. */
async function withFindings(options: RunOptions, { train }: Halves, resumed: Resumed | null): Promise<RunOptions> {
  const config = await configWithFindings(options.config, options.source, train);
  const notes = resumed && config.origin ? originNotes(resumed.config.origin, config.origin) : [];
  for (const note of notes) options.events?.onNote?.(note);
  return { ...options, config };
}

async function runOn(
  { train, test }: Halves,
  options: RunOptions,
  resumed: Resumed | null,
  lock: RunLock,
): Promise<RunResult> {
  const { folder, config, signal, events = {} } = options;
  const model = await openModel(config, folder);
  let optimizer: Optimizer | null = null;
  try {
    events.onData?.(train.length, test.length);
    const { batchSize, limitBatches: limit = Number.POSITIVE_INFINITY } = config;
    const dropLast = leavesOutLastBatch(model, train, { batchSize, limit });
    const batchesPerEpoch = batchCount(train, { batchSize, limit, dropLast });
    if (dropLast) events.onNote?.('the last batch of every epoch is left out: one image is too few for a batch norm');
    const notes = resumed ? [] : lengthNotes(config, batchCount(train, { batchSize, dropLast }));
    for (const note of notes) events.onNote?.(note);
    if (resumed) restoreModel(model, resumed.state, resumed.path);
    else await prepare(model, options, train);
    optimizer = makeOptimizer(model, config.optimizer);
    if (resumed) optimizer.loadState(resumed.training.optimizer);
    const store = new RunStore({
      ...{ folder, lock, ...options.store, onNote: (text) => events.onNote?.(text) },
      ...(signal ? { signal } : {}),
    });
    const session = new Session(options, model, optimizer, test, taskOf(train), store);
    await session.open(resumed?.training ?? null);
    const position = resumed?.training.position ?? START;
    if (position.epoch >= config.epochs) events.onNote?.(finishedText(position.epoch));
    events.onStart?.(position, batchesPerEpoch);
    return await session.train(train, position);
  } finally {
    optimizer?.dispose();
    model.dispose();
  }
}

function finishedText(epochs: number): string {
  return `the run has ended after epoch ${epochs}, so there is nothing to do; --epochs N makes it longer`;
}

async function prepare(model: Module, { config, signal, events = {} }: RunOptions, train: Batchable): Promise<void> {
  const { initFrom } = config.start;
  const { classNames } = config;
  const weights = initFrom === undefined ? null : matchClasses(model, await readWeights(initFrom), classNames);
  await prepareModel(model, config, weights, train, {
    onStage: (stage) => events.onStage?.(stage),
    ...(signal ? { signal } : {}),
  });
}

interface Resumed extends Pick<ModelCheckpoint, 'config' | 'state'> {
  readonly path: string;
  readonly training: TrainingState;
}

/** What to resume from; null if the run never got as far as a checkpoint. */
async function lastCheckpoint(folder: string): Promise<Resumed | null> {
  const path = join(folder, RUN_FILES.last);
  if (!(await fileExists(path))) return null;
  const { config, state, training } = await readCheckpoint(path).catch(async (error: unknown) => {
    throw (await fileExists(join(folder, RUN_FILES.best))) ? withBest(error, folder) : error;
  });
  return training ? { path, config, state, training } : null;
}

/** The refusal of a damaged checkpoint, and what there is in its place. */
function withBest(error: unknown, folder: string): unknown {
  if (!(error instanceof DataError)) return error;
  const advice = `the best epoch is in ${RUN_FILES.best}: evaluate it, or begin a run with --init-from ${folder}`;
  return new DataError(error.op, `${error.message.slice(error.op.length + 2)}; ${advice}`, { cause: error });
}
