import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { startBatchWorker } from '../../../lib/data/worker/startBatchWorker.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

// Alone in its file: the memory of other tests would be counted too.
t.test('a gigabyte of batches in flat memory', async (t) => {
  const volume = 2 ** 18;
  const worker = new Worker(new URL('./sample.worker.js', import.meta.url), { execArgv: [] });
  const source = await startBatchWorker(worker, { kind: 'counting', length: 1100, volume });
  const held = new Map<number, NodeJS.MemoryUsage>();
  for await (const { position, inputs } of source.batches({ batchSize: 1 })) {
    if (inputs.byteLength !== 2 ** 20) throw new Error('a batch is not a mebibyte');
    if (position !== 99 && position !== 1099) continue;
    collectGarbage();
    held.set(position, process.memoryUsage());
  }
  source.close();
  const [early, late] = [held.get(99), held.get(1099)];
  if (!early || !late) throw new Error('there were not 1100 batches');
  const growth = (of: 'arrayBuffers' | 'rss') => Math.round((late[of] - early[of]) / 2 ** 20);
  t.ok(Math.abs(growth('arrayBuffers')) < 8, `buffers held here grew by ${growth('arrayBuffers')} MiB`);
  // With the garbage of both threads, which is collected when they see fit.
  t.ok(growth('rss') < 256, `the process grew by ${growth('rss')} MiB`);
});
