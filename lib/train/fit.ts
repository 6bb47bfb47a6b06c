import { add, concat, mul, reshape } from '../autograd/ops.js';
import { backward, noGrad } from '../autograd/tape.js';
import { batchCount } from '../data/batches.js';
import { type Batchable, batchesOf } from '../data/batchSource.js';
import type { Batch } from '../data/dataset.js';
import { freezeBatchNorms } from '../nn/layers/batchNorm.js';
import { seedDropouts } from '../nn/layers/dropout.js';
import { asModule, type Module } from '../nn/module.js';
import { atLeastZero, Optimizer } from '../nn/optim/optimizer.js';
import { applySchedule, type Schedule } from '../nn/schedule.js';
import { accumulatorPenalty, PENALTY_WEIGHT } from '../quant/penalty.js';
import { asFunction, asInstance, asInteger, asNumber, asOptions } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { ArgumentError, DivergenceError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { breathe } from './breathe.js';
import { checkTask } from './evaluate.js';
import { Claim } from './inUse.js';
import { leavesOutLastBatch } from './lastBatch.js';
import type { Task } from './task.js';

/**
 * How far a run has come: everything outside of model and optimizer that the next step depends on, and what the report
 * of the epoch under way has gathered. No clock is in it, so equal runs have equal positions.
 */
export interface Position {
  /** From 0. */
  readonly epoch: number;
  /** Batches of this epoch that are done; all of them if only the end of the epoch (`onEpoch`) is outstanding. */
  readonly batch: number;
  /** Steps taken since the beginning. */
  readonly step: number;
  /** Σ over this epoch's samples of loss and of penalty, and their number. */
  readonly lossSum: number;
  readonly penaltySum: number;
  readonly samples: number;
}

/** Where every run begins. */
export const START: Position = { epoch: 0, batch: 0, step: 0, lossSum: 0, penaltySum: 0, samples: 0 };

/** One step of training. */
export interface StepReport {
  readonly epoch: number;
  /** Position of the batch in the epoch, from 0. */
  readonly batch: number;
  /** Steps so far, this one included. */
  readonly step: number;
  /** Loss of the task, mean over the batch, before the step. */
  readonly loss: number;
  /** Σ max(g − T·s, 0), before its weight λ. */
  readonly penalty: number;
  /** Wall time of the step, data included, in milliseconds. */
  readonly ms: number;
}

/** One epoch of training. */
export interface EpochReport {
  readonly epoch: number;
  /** Steps since the beginning. */
  readonly step: number;
  /** Means over the samples of the epoch. */
  readonly loss: number;
  readonly penalty: number;
  /** Of the first parameter group. */
  readonly learningRate: number;
  /** Mean wall time of the steps taken by this call, in milliseconds; 0 if it took none. */
  readonly msPerStep: number;
  /** Wall time of those steps. */
  readonly seconds: number;
}

/** What to train, with what, for how long. */
export interface FitOptions {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** A function of the epoch. */
  readonly schedule: Schedule;
  readonly task: Task;
  /** A source makes the next batches while a step is under way; a dataset makes each between two steps. */
  readonly dataset: Batchable;
  readonly batchSize: number;
  /** Epochs from the beginning, those before `start` included. */
  readonly epochs: number;
  /** Seeds the order and the augmentation of the samples. */
  readonly seed: number;
  /** λ of the regulariser; default that of the papers. */
  readonly penaltyWeight?: number;
  /** Epochs after which batch norms keep their running statistics and normalise by them; default never. */
  readonly freezeNorms?: number | null;
  /** Batches an epoch is cut to; default all. */
  readonly limitBatches?: number | null;
  /** Where to go on; default the beginning. */
  readonly start?: Position;
  /** Awaited after each step, with the model free to be evaluated; `position` is where to go on from there. */
  readonly onStep?: (report: StepReport, position: Position) => unknown;
  /** Likewise at the end of each epoch. Throwing the signal's reason stops there, the epoch's end outstanding. */
  readonly onEpoch?: (report: EpochReport, position: Position) => void | Promise<void>;
  /** Stops after the step under way. */
  readonly signal?: AbortSignal;
}

/** How a call of `fit` ended. */
export interface FitResult {
  /** Where to go on. */
  readonly position: Position;
  /** Whether the signal ended it. */
  readonly interrupted: boolean;
  /** The epochs that came to their end. */
  readonly epochs: readonly EpochReport[];
}

/**
 * Trains a model: for every batch one forward pass, `L = L_task + λ·R`, one backward pass, one optimizer step. The step
 * depends on model, optimizer, seed and position alone, so a run that is stopped and gone on with yields the same bits.
 *
 * A last batch of one image, which a batch norm may not be able to take, is then left out of every epoch.
 *
 * @throws DataError if dataset and task do not fit, or no batch can be trained on; ArgumentError or A2QError for other
 *   options out of range, or a model in use already; DivergenceError if the loss is no longer finite
 */
export async function fit(options: FitOptions): Promise<FitResult> {
  checkOptions(asOptions('fit', options));
  const { model, optimizer, dataset, batchSize, epochs, seed, signal, onStep, onEpoch } = options;
  const limit = options.limitBatches ?? Number.POSITIVE_INFINITY;
  batchCount(dataset, { batchSize, limit });
  const dropLast = leavesOutLastBatch(model, dataset, { batchSize, limit });
  const open = ({ epoch, batch: start }: Position) =>
    epoch < epochs ? batchesOf(dataset, { batchSize, limit, dropLast, shuffle: true, seed, epoch, start }) : null;
  const reports: EpochReport[] = [];
  let position = options.start ?? START;
  const end = (interrupted: boolean): FitResult => {
    model.zeroGrad();
    return { position, interrupted, epochs: reports };
  };
  const claim = new Claim('fit', model, 'trained');
  let upcoming: ReturnType<typeof open> = null;
  try {
    upcoming = open(position);
    while (upcoming) {
      const { epoch } = position;
      applySchedule(optimizer, options.schedule, epoch);
      let milliseconds = 0;
      let steps = 0;
      let before = performance.now();
      model.train();
      if (epoch >= (options.freezeNorms ?? Number.POSITIVE_INFINITY)) freezeBatchNorms(model);
      for await (const batch of upcoming) {
        if (signal?.aborted) return end(true);
        seedDropouts(model, new Random(seed).fork(position.step));
        const { loss, penalty } = await trainStep(options, batch);
        position = advance(position, batch.size, loss, penalty);
        if (!Number.isFinite(loss) || !Number.isFinite(penalty)) throw diverged(position, loss, penalty);
        const now = performance.now();
        const ms = now - before;
        before = now;
        milliseconds += ms;
        steps += 1;
        const report = { epoch, batch: batch.position, step: position.step, loss, penalty, ms };
        if (onStep) await claim.lend(() => onStep(report, position));
        await breathe();
      }
      if (signal?.aborted) return end(true);
      const report: EpochReport = {
        epoch,
        step: position.step,
        loss: position.lossSum / position.samples,
        penalty: position.penaltySum / position.samples,
        learningRate: optimizer.groups[0].learningRate,
        msPerStep: steps === 0 ? 0 : milliseconds / steps,
        seconds: milliseconds / 1000,
      };
      const next = { ...START, epoch: epoch + 1, step: position.step };
      // Before the end of the epoch, so that a source makes the next one's first batches while the model is tested.
      upcoming = open(next);
      try {
        if (onEpoch) await claim.lend(() => onEpoch(report, next));
      } catch (error) {
        if (signal?.aborted && error === signal.reason) return end(true);
        throw error;
      }
      reports.push(report);
      position = next;
    }
    return end(false);
  } finally {
    claim.release();
    await upcoming?.return?.();
  }
}

/** @throws ArgumentError, A2QError or DataError for options that no step could be taken with */
function checkOptions({ model, optimizer, schedule, task, dataset, start, ...options }: FitOptions): void {
  const own = new Set(asModule('fit', model).parameters());
  const { groups } = asInstance('fit', 'the optimizer', optimizer, Optimizer);
  if (!groups.some(({ parameters }) => parameters.some((parameter) => own.has(parameter)))) {
    throw new ArgumentError('fit', 'the optimizer holds none of the parameters of the model');
  }
  asFunction('fit', 'the schedule', schedule);
  checkTask('fit', dataset, task);
  asInteger('fit', 'epochs', options.epochs, 0);
  asInteger('fit', 'seed', options.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  asInteger('fit', 'freezeNorms', options.freezeNorms ?? 0, 0);
  atLeastZero('fit', 'penaltyWeight', options.penaltyWeight ?? PENALTY_WEIGHT);
  if (options.onStep) asFunction('fit', 'onStep', options.onStep);
  if (options.onEpoch) asFunction('fit', 'onEpoch', options.onEpoch);
  if (start !== undefined) checkPosition(start);
}

function checkPosition(start: Position): void {
  const { epoch, batch, step, samples, lossSum, penaltySum } = asOptions('fit', start, 'start');
  for (const [name, count] of Object.entries({ epoch, batch, step, samples })) {
    asInteger('fit', `${name} of start`, count, 0, Number.MAX_SAFE_INTEGER);
  }
  asNumber('fit', 'lossSum of start', lossSum);
  asNumber('fit', 'penaltySum of start', penaltySum);
}

function advance(from: Position, samples: number, loss: number, penalty: number): Position {
  return {
    epoch: from.epoch,
    batch: from.batch + 1,
    step: from.step + 1,
    lossSum: from.lossSum + loss * samples,
    penaltySum: from.penaltySum + penalty * samples,
    samples: from.samples + samples,
  };
}

/** One batch: forward, backward, update. Frees all it made but the state; reads back once. */
async function trainStep(
  { model, optimizer, task, penaltyWeight = PENALTY_WEIGHT }: FitOptions,
  batch: Batch,
): Promise<{ loss: number; penalty: number }> {
  const read: Tensor = scope(() => {
    const output = model.forward(tensor(batch.inputs, batch.inputShape));
    const loss = task.loss(output, batch.targets);
    const penalty = accumulatorPenalty(model);
    model.zeroGrad();
    backward(penalty ? add(loss, mul(penalty, penaltyWeight)) : loss);
    optimizer.step();
    return noGrad(() => {
      const parts = penalty ? [loss, penalty] : [loss];
      return concat(parts.map((part) => reshape(part, [1])));
    });
  });
  const [loss, penalty = 0] = await read.data();
  dispose(read);
  return { loss, penalty };
}

function diverged({ epoch, batch }: Position, loss: number, penalty: number): DivergenceError {
  return new DivergenceError(
    'fit',
    `training diverged in epoch ${epoch + 1}, batch ${batch}: loss ${loss}, penalty ${penalty}; ` +
      'lower the learning rate',
  );
}
