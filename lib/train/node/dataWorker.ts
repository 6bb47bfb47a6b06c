/** The worker of `openBatches`: reads one half of a dataset and makes its batches. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { serveBatches } from '../../data/worker/serveBatches.js';
import { type DataSource, type Half, openData } from './datasets.js';

/** What is to be opened. */
export interface HalfOfData {
  readonly source: DataSource;
  readonly half: Half;
}

serveBatches(parentPort as MessagePort, ({ source, half }: HalfOfData, onProgress) =>
  openData(source, half, onProgress),
);
