import { Worker } from 'node:worker_threads';
import { type Batchable, release } from '../../data/batchSource.js';
import { type OpenOptions, startBatchWorker } from '../../data/worker/startBatchWorker.js';
import { asChoice, asFunction, asInstance, asOptions } from '../../tensor/argument.js';
import { checkedSource, type DataSource, HALVES, type Half, openData } from './datasets.js';
import type { HalfOfData } from './dataWorker.js';

export interface OpenBatchesOptions extends OpenOptions {
  /** Read the data in a worker, which makes batches ahead of time (default); otherwise in this thread, if asked for. */
  readonly prefetch?: boolean;
}

/**
 * Opens one half of a dataset for its batches; `release` it in the end.
 *
 * @throws DataError naming a file that is missing, truncated or corrupt; the signal's reason
 */
export async function openBatches(source: DataSource, half: Half, given: OpenBatchesOptions = {}): Promise<Batchable> {
  const { prefetch = true, ...options } = asOptions('openBatches', given);
  checkedSource('openBatches', source);
  asChoice('openBatches', 'half', half, HALVES);
  const { signal, onProgress } = options;
  if (signal !== undefined) asInstance('openBatches', 'signal', signal, AbortSignal);
  if (onProgress !== undefined) asFunction('openBatches', 'onProgress', onProgress);
  if (prefetch) {
    // No flags of this process: they may ask for what workers cannot have.
    const worker = new Worker(new URL('./dataWorker.js', import.meta.url), { execArgv: [] });
    return startBatchWorker(worker, { source, half } satisfies HalfOfData, options);
  }
  signal?.throwIfAborted();
  const dataset = await openData(source, half, options.onProgress);
  signal?.throwIfAborted();
  return dataset;
}

/** What training needs of a dataset. */
export interface Halves {
  readonly train: Batchable;
  /** The test images; those split off for validation in their place, where the source says so. */
  readonly test: Batchable;
}

export interface OpenHalvesOptions extends Pick<OpenBatchesOptions, 'prefetch' | 'signal'> {
  /** Told which half is waited for, and how far it has come. */
  readonly onProgress?: (half: Half, done?: number, total?: number) => void;
}

/** Opens both halves of a dataset at the same time. @throws as `openBatches`; neither half is then left open */
export async function openHalves(source: DataSource, given: OpenHalvesOptions = {}): Promise<Halves> {
  const { onProgress = () => undefined, signal, ...options } = asOptions('openHalves', given);
  checkedSource('openHalves', source);
  asFunction('openHalves', 'onProgress', onProgress);
  if (signal !== undefined) asInstance('openHalves', 'signal', signal, AbortSignal);
  const failure = new AbortController();
  const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const judge: Half = source.validation ? 'val' : 'test';
  let awaited: Half = 'train';
  const open = (half: Half) =>
    openBatches(source, half, {
      ...options,
      signal: either,
      onProgress: (done, total) => {
        if (half === awaited) onProgress(half, done, total);
      },
    });
  const halves = [open('train'), open(judge)] as const;
  // Heard of only after the other, so that the same error is thrown each time.
  halves[1].catch(() => undefined);
  try {
    onProgress('train');
    const train = await halves[0];
    awaited = judge;
    onProgress(judge);
    return { train, test: await halves[1] };
  } catch (error) {
    failure.abort(error);
    for (const half of halves) half.then(release, () => undefined);
    throw error;
  }
}
