import { type BatchOptions, batches } from '../../lib/data/batches.js';
import type { BatchSource } from '../../lib/data/batchSource.js';
import { type Batch, type Dataset, factsOf } from '../../lib/data/dataset.js';

/** A source that keeps a diary: which epochs were opened, and which came to their end or were closed before. */
export function diarySource(dataset: Dataset, diary: string[]): BatchSource {
  return {
    ...factsOf(dataset),
    batches(options: BatchOptions): AsyncIterableIterator<Batch> {
      const { epoch = 0, start = 0 } = options;
      diary.push(`open ${epoch}.${start}`);
      const made = batches(dataset, options);
      let open = true;
      const end = (how: string): IteratorResult<Batch> => {
        if (open) diary.push(`${how} ${epoch}`);
        open = false;
        return { done: true, value: undefined };
      };
      return {
        async next() {
          const { done, value } = made.next();
          return done ? end('end') : { done: false, value };
        },
        async return() {
          return end('close');
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    close: () => void diary.push('close'),
  };
}
