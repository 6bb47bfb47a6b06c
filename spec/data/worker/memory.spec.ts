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
  const held = new Map<number, number>();
  for await (const { position, inputs } of source.batches({ batchSize: 1 })) {
    if (inputs.byteLength !== 2 ** 20) throw new Error('a batch is not a mebibyte');
    if (position !== 99 && position !== 1099) continue;
    collectGarbage();
    held.set(position, process.memoryUsage.rss());
  }
  source.close();
  const growth = ((held.get(1099) as number) - (held.get(99) as number)) / 2 ** 20;
  t.ok(growth < 64, `a thousand batches more: RSS grew by ${growth.toFixed(0)} MiB`);
});
