import { batchCount } from '../../data/batches.js';
import { release } from '../../data/batchSource.js';
import type { RoundedLayer } from '../../deploy/axe/roundWeights.js';
import { METHODS, type MethodEntry } from '../../quant/methods.js';
import { asOptions, asString } from '../../tensor/argument.js';
import { DataError, DivergenceError } from '../../tensor/errors.js';
import { encodeModel } from '../checkpoint.js';
import { checkedConfig, type RunConfig } from '../config.js';
import { type Evaluation, evaluate } from '../evaluate.js';
import { matchClasses } from '../matchClasses.js';
import { prepareModel } from '../prepare.js';
import { type Task, taskOf } from '../task.js';
import { checkedSource } from './datasets.js';
import { configWithFindings, placeOfData } from './findings.js';
import { openHalves } from './openBatches.js';
import { openModel } from './openModel.js';
import { formatConfig, holdsRun, RUN_FILES, readWeights } from './runFolder.js';
import { lockRun } from './runLock.js';
import { RunStore } from './runStore.js';
import type { RunOptions } from './session.js';

/** A model to be rounded. */
export type QuantizeOptions = Pick<
  RunOptions,
  'folder' | 'config' | 'source' | 'prefetch' | 'signal' | 'store' | 'events'
>;

/** What came out of it. */
export interface QuantizeResult {
  readonly layers: readonly RoundedLayer[];
  /** On the test images. */
  readonly evaluation: Evaluation;
  readonly metric: Task['metric'];
}

/**
 * Quantizes a trained float model without training it, and writes a run whose best checkpoint is the result: weights of
 * the checkpoint that `start.initFrom` names, activations calibrated, weights rounded, biases corrected, tested.
 *
 * @throws DataError for a method that trains, without calibration images or a checkpoint, or as `trainRun`
 */
export async function quantizeRun(options: QuantizeOptions): Promise<QuantizeResult> {
  const { folder, config, source, prefetch = true, signal, store, events = {} } = asOptions('quantizeRun', options);
  asString('quantizeRun', 'folder', folder);
  checkedSource('quantizeRun', source);
  const initFrom = checkRounds(checkedConfig('quantizeRun', config));
  const lock = await lockRun(folder, (text) => events.onNote?.(text));
  try {
    if (await holdsRun(folder)) throw new DataError('run', `${folder} holds a run already`);
    const halves = await openHalves(source, { prefetch, ...(signal ? { signal } : {}) });
    try {
      const placed = { ...config, ...placeOfData(folder, source) };
      const found = await configWithFindings(placed, source, halves.train);
      const model = await openModel(found, folder);
      try {
        events.onData?.(halves.train.length, halves.test.length);
        const weights = matchClasses(model, await readWeights(initFrom), found.classNames);
        let layers: readonly RoundedLayer[] = [];
        await prepareModel(model, found, weights, halves.train, {
          onStage: (stage) => events.onStage?.(stage),
          onRounded: (rounded) => {
            layers = rounded;
          },
          ...(signal ? { signal } : {}),
        });
        const task = taskOf(halves.test);
        const { batchSize, limitBatches = null } = found;
        const total = batchCount(halves.test, { batchSize, limit: limitBatches ?? Number.POSITIVE_INFINITY });
        events.onStage?.('testing', 0, total);
        const evaluation = await evaluate(model, halves.test, task, {
          ...{ batchSize, limitBatches },
          ...(signal ? { signal } : {}),
          onBatch: (done) => events.onStage?.('testing', done, total),
        });
        if (!Number.isFinite(evaluation.loss)) {
          throw new DivergenceError('quantize', `the rounded model has a test loss of ${evaluation.loss}`);
        }
        const writer = new RunStore({ folder, lock, ...store, onNote: (text) => events.onNote?.(text) });
        const { dataDir: _, dataPath: __, ...lasting } = found;
        const best = { epoch: 0, metric: evaluation.metric };
        await writer.write(
          new Map<string, string | Uint8Array>([
            [RUN_FILES.config, formatConfig(found)],
            [RUN_FILES.best, await encodeModel(model, lasting, best)],
          ]),
        );
        return { layers, evaluation, metric: task.metric };
      } finally {
        model.dispose();
      }
    } finally {
      release(halves.train);
      release(halves.test);
    }
  } finally {
    lock.release();
  }
}

/** @returns where the weights are @throws DataError unless the configuration is of a model to be rounded */
export function checkRounds({ method, start, rounding }: RunConfig): string {
  const { afterTraining = false }: MethodEntry = METHODS[method];
  if (!afterTraining || rounding === undefined) throw new DataError('quantize', `${method} trains: use a2q train`);
  if (start.initFrom === undefined)
    throw new DataError('quantize', 'needs the weights of a trained model: --init-from');
  if (start.calibrationSamples === 0) throw new DataError('quantize', 'needs images: --calibration-images');
  return start.initFrom;
}
