import { join } from 'node:path';
import { type Batchable, type MadeIn, madeIn } from '../../data/batchSource.js';
import { readBytes } from '../../data/node/files.js';
import type { Module } from '../../nn/module.js';
import type { Optimizer } from '../../nn/optim/optimizer.js';
import { currentDevice } from '../../tensor/current.js';
import { DivergenceError } from '../../tensor/errors.js';
import { memory, resetPeak } from '../../tensor/storage.js';
import { type Best, encodeModel, encodeTraining, type TrainingState } from '../checkpoint.js';
import type { RunConfig } from '../config.js';
import { type Evaluation, evaluate } from '../evaluate.js';
import { type EpochReport, fit, type Position, type StepReport } from '../fit.js';
import { formatLog, type LogLine } from '../log.js';
import { fitSettings } from '../recipes.js';
import { zeroNote } from '../settingNotes.js';
import { encodeIntegers, zeroLayers } from '../storedIntegers.js';
import type { Task } from '../task.js';
import type { DataSource } from './datasets.js';
import { fileExists } from './files.js';
import { formatConfig, RUN_FILES, readLog } from './runFolder.js';
import type { Content, RunStore, StoreOptions } from './runStore.js';

/** Whom to tell how a run is getting on. */
export interface RunEvents {
  /** A stage before training begins, for example `reading bsd300/train`. */
  onStage?(stage: string, done?: number, total?: number): void;
  /** The data are open: images to train on, and to measure by. */
  onData?(train: number, test: number): void;
  /** Training begins, at `position`. */
  onStart?(position: Position, batchesPerEpoch: number): void;
  onStep?(report: StepReport): void;
  onEvaluate?(done: number, total: number): void;
  onEpoch?(line: LogLine, isBest: boolean): void;
  /** Something to know that is no error. */
  onNote?(text: string): void;
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
  /** How files are kept if they cannot be written. */
  readonly store?: Pick<StoreOptions, 'rescue' | 'pauses' | 'write'>;
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

/** A checkpoint that may be written. */
interface Candidate {
  readonly position: Position;
  readonly bytes: Uint8Array;
}

/** One call of training, with what it writes. */
export class Session {
  #log: LogLine[] = [];
  #best: Best | null = null;
  /** Where the checkpoint on disk goes on; null if there is none. */
  #saved: Position | null = null;
  /** Written as soon as the next step has shown that the state can be trained on. */
  #candidate: Candidate | null = null;
  #peakBytes: number | null = null;

  constructor(
    readonly options: RunOptions,
    readonly model: Module,
    readonly optimizer: Optimizer,
    readonly test: Batchable,
    readonly task: Task,
    readonly store: RunStore,
  ) {}

  /** Takes up the log where the checkpoint left it; later lines are of work that was lost. */
  async open(training: TrainingState | null): Promise<void> {
    const { folder, config } = this.options;
    this.#best = training?.best ?? null;
    this.#saved = training?.position ?? null;
    this.#log = training ? await readLog(folder, training.position.epoch) : [];
    const best = join(folder, RUN_FILES.best);
    if (this.#best && (await fileExists(best))) this.store.keep(RUN_FILES.best, await readBytes('run', best));
    const files = new Map<string, Content>([[RUN_FILES.config, formatConfig(config)]]);
    const begun = this.#log.length > 0 || (await fileExists(join(folder, RUN_FILES.log)));
    if (begun) files.set(RUN_FILES.log, formatLog(this.#log));
    await this.store.write(files);
  }

  async train(dataset: Batchable, start: Position): Promise<RunResult> {
    const { config, signal, events = {} } = this.options;
    const { model, optimizer, task } = this;
    const device = currentDevice();
    resetPeak(device);
    try {
      const { position, interrupted } = await fit({
        ...fitSettings(config),
        model,
        optimizer,
        task,
        dataset,
        start,
        ...(signal ? { signal } : {}),
        onStep: async (report, next) => {
          this.#peakBytes = Math.max(this.#peakBytes ?? 0, memory(device).peakBytes);
          // The loss of this step is finite, so the state before it was good.
          if (this.#candidate) await this.#save(this.#candidate);
          this.#candidate = null;
          events.onStep?.(report);
          if (report.step % (config.checkpointEvery ?? Number.POSITIVE_INFINITY) === 0) {
            this.#candidate = await this.#checkpoint(next);
          }
        },
        onEpoch: async (report, next) => {
          await this.#endEpoch(report, next, madeIn(dataset));
          // Testing is not training: its peak may be higher.
          resetPeak(device);
        },
      });
      if (interrupted) await this.#save(await this.#checkpoint(position));
      const [log, best, peakBytes] = [this.#log, this.#best, this.#peakBytes];
      return { log, best, position, interrupted, batchesMadeIn: madeIn(dataset), peakBytes };
    } catch (error) {
      if (error instanceof DivergenceError) throw this.#withAdvice(error);
      // Nothing was learnt: the folder is free for another try.
      if (this.#peakBytes === null && !this.options.resume) await this.store.forget();
      throw error;
    }
  }

  /** Tests, then writes log, best model and checkpoint, in this order: the checkpoint says which lines count. */
  async #endEpoch(report: EpochReport, next: Position, batchesMadeIn: MadeIn): Promise<void> {
    const { source, backend, events = {} } = this.options;
    const config = lasting(this.options.config);
    const result = await this.#test(report.epoch);
    const integers = await encodeIntegers(this.model);
    const zeros = zeroLayers(integers);
    const line: LogLine = {
      ...report,
      testLoss: result.loss,
      testMetric: result.metric,
      metricName: this.task.metric,
      testedOn: source.validation ? 'val' : 'test',
      backend,
      batchesMadeIn,
      ...(zeros.length > 0 ? { zeroLayers: zeros } : {}),
    };
    const isBest = this.#best === null || result.metric > this.#best.metric;
    const best = isBest ? { epoch: report.epoch, metric: result.metric } : this.#best;
    const log = [...this.#log, line];
    const files = new Map<string, Content>([[RUN_FILES.log, formatLog(log)]]);
    if (isBest) files.set(RUN_FILES.best, await encodeModel(this.model, config, best, integers));
    const state = { position: next, best };
    files.set(RUN_FILES.last, await encodeTraining(this.model, this.optimizer, config, state, integers));
    await this.store.write(files);
    const before = this.#log.at(-1)?.zeroLayers ?? [];
    this.#candidate = null;
    this.#saved = next;
    this.#log = log;
    this.#best = best;
    events.onEpoch?.(line, isBest);
    if (zeros.join() !== before.join() && zeros.length > 0) events.onNote?.(zeroNote(zeros, config));
  }

  /** @throws DivergenceError if the figures are none */
  async #test(epoch: number): Promise<Evaluation> {
    const { config, signal, events = {} } = this.options;
    const result = await evaluate(this.model, this.test, this.task, {
      batchSize: config.batchSize,
      limitBatches: config.limitBatches ?? null,
      ...(signal ? { signal } : {}),
      onBatch: (done, total) => events.onEvaluate?.(done, total),
    });
    if (Number.isFinite(result.loss) && !Number.isNaN(result.metric)) return result;
    throw new DivergenceError(
      'train',
      `training diverged in epoch ${epoch + 1}: test loss ${result.loss}, ${this.task.metric} ${result.metric}`,
    );
  }

  /** The state as it is. @throws DivergenceError if a number of it is not finite */
  async #checkpoint(position: Position): Promise<Candidate> {
    const state = { position, best: this.#best };
    const bytes = await encodeTraining(this.model, this.optimizer, lasting(this.options.config), state);
    return { position, bytes };
  }

  async #save({ position, bytes }: Candidate): Promise<void> {
    await this.store.write(new Map([[RUN_FILES.last, bytes]]));
    this.#saved = position;
  }

  /** Says what is left of the run, and how to go on. */
  #withAdvice(error: DivergenceError): DivergenceError {
    const { folder, config } = this.options;
    const left = this.#saved
      ? `${RUN_FILES.last} holds the state after step ${this.#saved.step}`
      : 'nothing was saved yet';
    const lower = Number((config.optimizer.learningRate / 10).toPrecision(3));
    const advice = `go on from there with a lower learning rate: a2q train --resume --lr ${lower} --out ${folder}`;
    return new DivergenceError(error.op, `${error.message.slice(error.op.length + 2)}; ${left}; ${advice}`, {
      cause: error,
    });
  }
}

/** What the state of a run depends on: not where its data lie, nor how often it is saved. */
function lasting({ checkpointEvery: _, dataDir: __, dataPath: ___, ...config }: RunConfig): RunConfig {
  return config;
}
