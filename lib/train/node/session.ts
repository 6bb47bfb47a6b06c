import { join } from 'node:path';
import { type Batchable, type MadeIn, madeIn } from '../../data/batchSource.js';
import type { Module } from '../../nn/module.js';
import type { Optimizer } from '../../nn/optim/optimizer.js';
import { currentDevice } from '../../tensor/current.js';
import { memory, resetPeak } from '../../tensor/storage.js';
import { type Best, encodeModel, encodeTraining, type TrainingState } from '../checkpoint.js';
import type { RunConfig } from '../config.js';
import { evaluate } from '../evaluate.js';
import { type EpochReport, fit, type Position, type StepReport } from '../fit.js';
import type { LogLine } from '../log.js';
import { fitSettings } from '../recipes.js';
import type { Task } from '../task.js';
import type { DataSource } from './datasets.js';
import { writeAtomic } from './files.js';
import { RUN_FILES, readLog, writeLog } from './runFolder.js';

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
  /** Make batches ahead of time in workers (default), or in this thread when they are asked for. */
  readonly prefetch?: boolean;
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
  /** Where batches were made; null if it ended before there were any. */
  readonly batchesMadeIn: MadeIn | null;
  /** Most bytes of tensors there were at any moment of a training step, parameters included; null without steps. */
  readonly peakBytes: number | null;
}

/** One call of training, with what it writes. */
export class Session {
  #log: LogLine[] = [];
  #best: Best | null = null;
  #peakBytes: number | null = null;

  constructor(
    readonly options: RunOptions,
    readonly model: Module,
    readonly optimizer: Optimizer,
    readonly test: Batchable,
    readonly task: Task,
  ) {}

  /** Takes up the log where the checkpoint left it; later lines are of work that was lost. */
  async open(training: TrainingState | null): Promise<void> {
    this.#best = training?.best ?? null;
    this.#log = training ? await readLog(this.options.folder, training.position.epoch) : [];
    await writeLog(this.options.folder, this.#log);
  }

  async train(dataset: Batchable, start: Position): Promise<RunResult> {
    const { config, signal, events = {} } = this.options;
    const { model, optimizer, task } = this;
    const device = currentDevice();
    resetPeak(device);
    const { position, interrupted } = await fit({
      ...fitSettings(config),
      model,
      optimizer,
      task,
      dataset,
      start,
      ...(signal ? { signal } : {}),
      onStep: (report) => {
        this.#peakBytes = Math.max(this.#peakBytes ?? 0, memory(device).peakBytes);
        events.onStep?.(report);
      },
      onEpoch: async (report, next) => {
        await this.#endEpoch(report, next, madeIn(dataset));
        // Testing is not training: its peak may be higher.
        resetPeak(device);
      },
    });
    if (interrupted) await this.#save(position);
    const [log, best, peakBytes] = [this.#log, this.#best, this.#peakBytes];
    return { log, best, position, interrupted, batchesMadeIn: madeIn(dataset), peakBytes };
  }

  /** Tests, then writes log, best model and checkpoint, in this order: the checkpoint says which lines count. */
  async #endEpoch(report: EpochReport, next: Position, batchesMadeIn: MadeIn): Promise<void> {
    const { folder, config, backend, signal, events = {} } = this.options;
    const result = await evaluate(this.model, this.test, this.task, {
      batchSize: config.batchSize,
      limitBatches: config.limitBatches ?? null,
      ...(signal ? { signal } : {}),
      onBatch: (done, total) => events.onEvaluate?.(done, total),
    });
    const line: LogLine = {
      ...report,
      testLoss: result.loss,
      testMetric: result.metric,
      metricName: this.task.metric,
      backend,
      batchesMadeIn,
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
