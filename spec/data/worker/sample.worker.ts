import { type MessagePort, parentPort } from 'node:worker_threads';
import { serveBatches } from '../../../lib/data/worker/serveBatches.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { openSample, type SampleData } from './sampleData.js';

/** Opens data of these specs, or does what a word says. */
serveBatches(parentPort as MessagePort, async (wanted: SampleData | 'refuse' | 'exit' | 'hang', onProgress) => {
  if (wanted === 'refuse') throw new DataError('sample', 'no such data');
  if (wanted === 'exit') process.exit(3);
  if (wanted === 'hang') await new Promise(() => setInterval(() => undefined, 1000));
  onProgress(1, 2);
  onProgress(2, 2);
  return openSample(wanted as SampleData);
});
