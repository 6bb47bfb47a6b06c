import { type BatchOptions, batches } from './batches.js';
import { asDataset, asWritable, type Batch, type Dataset, type DatasetFacts } from './dataset.js';

/** A dataset that lives elsewhere, in a worker, and whose batches are made there ahead of time. */
export type BatchSource = DatasetFacts & {
  /**
   * The batches of an epoch, equal bit for bit to those of {@link batches}, with arrays of their own. Making them
   * begins with the call and stays a few batches ahead of the caller.
   *
   * @throws (while iterating) what making a batch throws; A2QError once the source is closed or its worker is dead
   */
  batches(options: BatchOptions): AsyncIterableIterator<Batch>;
  /** Ends the worker and frees what it holds. */
  close(): void;
};

/** Anything that batches can be had of. */
export type Batchable = Dataset | BatchSource;

/** Where batches are made: ahead of time in a worker, or when they are asked for in the thread that asks. */
export type MadeIn = 'worker' | 'same thread';

/** The batches of an epoch; the same bits wherever they are made. */
export function batchesOf(
  data: Batchable,
  options: BatchOptions,
): AsyncIterableIterator<Batch> | IterableIterator<Batch> {
  return isSource(data) ? data.batches(options) : batches(asWritable('batches', data), options);
}

export function madeIn(data: Batchable): MadeIn {
  return isSource(data) ? 'worker' : 'same thread';
}

/** Closes a source; of a dataset there is nothing to close. */
export function release(data: Batchable): void {
  if (isSource(data)) data.close();
}

function isSource(data: Batchable): data is BatchSource {
  return 'batches' in asDataset('batches', data);
}
