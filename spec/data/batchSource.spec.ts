import t from 'tap';
import type { BatchOptions } from '../../lib/data/batches.js';
import { batches } from '../../lib/data/batches.js';
import { type BatchSource, batchesOf, madeIn, release } from '../../lib/data/batchSource.js';
import { factsOf } from '../../lib/data/dataset.js';
import { glyphs } from '../../lib/data/glyphs.js';

t.test('a dataset makes its batches itself, a source has its own way', async (t) => {
  const dataset = glyphs({ length: 12 });
  const options = { batchSize: 5, shuffle: true, epoch: 2 };
  t.equal(madeIn(dataset), 'same thread');
  t.strictSame([...(batchesOf(dataset, options) as Iterable<unknown>)], [...batches(dataset, options)]);
  release(dataset);

  const calls: unknown[] = [];
  const source: BatchSource = {
    ...factsOf(dataset),
    async *batches(given: BatchOptions) {
      calls.push(given);
      yield* batches(dataset, given);
    },
    close: () => void calls.push('close'),
  };
  t.equal(madeIn(source), 'worker');
  let size = 0;
  for await (const batch of batchesOf(source, options)) size += batch.size;
  t.equal(size, 12);
  release(source);
  t.same(calls, [options, 'close']);
});
