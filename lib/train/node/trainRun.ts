import { join } from 'node:path';
import { batchCount } from '../../data/batches.js';
import type { Dataset } from '../../data/dataset.js';
import type { Module } from '../../nn/module.js';
import type { Optimizer } from '../../nn/optim/optimizer.js';
import { type Best, encodeModel, encodeTraining, restoreModel, type TrainingState } from '../checkpoint.js';
import type { RunConfig } from '../config.js';
import { evaluate } from '../evaluate.js';
import { type EpochReport, fit, type Position, START, type StepReport } from '../fit.js';
import { buildModel } from '../models.js';
import { prepareModel } from '../prepare.js';
import { makeOptimizer, makeSchedule } from '../recipes.js';
import { type Task, taskOf } from '../task.js';
import { type DataSource, openData } from './datasets.js';
import { fileExists, writeAtomic } from './files.js';
import {
  type LogLine,
  RUN_FILES,
  readCheckpoint,
  readLog,
  readWeights,
  writeLog,
  writeRunConfig,
} from './runFolder.js';

/** Whom to tell how a run is getting on. */
export interface RunEvents {
  /** A stage before training begins, for example `reading bsd300/train`. */
  onStage?(stage: string, done?: number, total?: number): void;
  /** Training begins, at `position`. */
  onStart?(position: Position, batchesPerEpoch: number): void;
  onStep?(report: StepReport): void;
  onEvaluate?(done: number, total: number): void;
  onEpoch?(line: LogLine, isBest: boolean): void;
}

/** A run to be begun or gone on with. */
export interface RunOptions {
  /** Where its files are; exists. */
  readonly folder: string;
  readonly config: RunConfig;
  readonly source: DataSource;
  /** Go on from the last checkpoint, if there is one. */
  readonly resume: boolean;
  /** What runs, for the log. */
  readonly backend: string;
  readonly signal?: AbortSignal;
  readonly events?: RunEvents;
}

/** How a run ended. */
export interface RunResult {
  readonly log: readonly LogLine[];
  readonly best: Best | null;
  readonly position: Position;
  /** Whether the signal ended it; the folder then holds a checkpoint to resume from. */
  readonly interrupted: boolean;
}

/**
 * Trains in a folder: writes its configuration, then after each epoch the log, the best model and a checkpoint to resume
 * from. An interrupted run resumed yields the same bits as one that was not.
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
    return { log: await readLog(folder, position.epoch), best, position, interrupted: true };
  }
}

/** @throws the signal's reason if it comes before the first step */
async function runFrom(options: RunOptions, resumed: Resumed | null): Promise<RunResult> {
  const { folder, config, signal, events = {} } = options;
  const [train, test] = [await open(options, 'train'), await open(options, 'test')];
  signal?.throwIfAborted();
  const model = buildModel(config);
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
    events.onStart?.(position, Math.min(batchCount(train, config), config.limitBatches ?? Number.POSITIVE_INFINITY));
    return await session.train(train, position);
  } finally {
    optimizer?.dispose();
    model.dispose();
  }
}

async function open({ source, events = {} }: RunOptions, split: 'train' | 'test'): Promise<Dataset> {
  const stage = `reading ${source.config.name}/${split}`;
  events.onStage?.(stage);
  return openData(source, split, (done, total) => events.onStage?.(stage, done, total));
}

async function prepare(model: Module, { config, signal, events = {} }: RunOptions, train: Dataset): Promise<void> {
  const { initFrom } = config.start;
  const weights = initFrom === null ? null : await readWeights(initFrom);
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

/** One call of training, with what it writes. */
class Session {
  #log: LogLine[] = [];
  #best: Best | null = null;

  constructor(
    readonly options: RunOptions,
    readonly model: Module,
    readonly optimizer: Optimizer,
    readonly test: Dataset,
    readonly task: Task,
  ) {}

  /** Takes up the log where the checkpoint left it; later lines are of work that was lost. */
  async open(training: TrainingState | null): Promise<void> {
    this.#best = training?.best ?? null;
    this.#log = training ? await readLog(this.options.folder, training.position.epoch) : [];
    await writeLog(this.options.folder, this.#log);
  }

  async train(dataset: Dataset, start: Position): Promise<RunResult> {
    const { config, signal, events = {} } = this.options;
    const { model, optimizer, task } = this;
    const { position, interrupted } = await fit({
      model,
      optimizer,
      task,
      dataset,
      start,
      schedule: makeSchedule(config.schedule, config.epochs),
      batchSize: config.batchSize,
      epochs: config.epochs,
      seed: config.seed,
      penaltyWeight: config.penaltyWeight,
      ...this.#limit(),
      ...(signal ? { signal } : {}),
      onStep: (report) => events.onStep?.(report),
      onEpoch: (report, next) => this.#endEpoch(report, next),
    });
    if (interrupted) await this.#save(position);
    return { log: this.#log, best: this.#best, position, interrupted };
  }

  #limit(): { limitBatches?: number } {
    const { limitBatches } = this.options.config;
    return limitBatches === null ? {} : { limitBatches };
  }

  /** Tests, then writes log, best model and checkpoint, in this order: the checkpoint says which lines count. */
  async #endEpoch(report: EpochReport, next: Position): Promise<void> {
    const { folder, config, backend, signal, events = {} } = this.options;
    const result = await evaluate(this.model, this.test, this.task, {
      batchSize: config.batchSize,
      ...this.#limit(),
      ...(signal ? { signal } : {}),
      onBatch: (done, total) => events.onEvaluate?.(done, total),
    });
    const line: LogLine = {
      ...report,
      testLoss: result.loss,
      testMetric: result.metric,
      metricName: this.task.metric,
      backend,
    };
    this.#log.push(line);
    await writeLog(folder, this.#log);
    const isBest = Number.isFinite(result.metric) && (this.#best === null || result.metric > this.#best.metric);
    if (isBest) {
      this.#best = { epoch: report.epoch, metric: result.metric };
      await writeAtomic(join(folder, RUN_FILES.best), await encodeModel(this.model, config, this.#best));
    }
    await this.#save(next);
    events.onEpoch?.(line, isBest);
  }

  async #save(position: Position): Promise<void> {
    const { folder, config } = this.options;
    const bytes = await encodeTraining(this.model, this.optimizer, config, { position, best: this.#best });
    await writeAtomic(join(folder, RUN_FILES.last), bytes);
  }
}
