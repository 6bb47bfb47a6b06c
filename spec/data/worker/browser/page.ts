import { batches } from '../../../../lib/data/batches.js';
import type { Batch } from '../../../../lib/data/dataset.js';
import { glyphs } from '../../../../lib/data/glyphs.js';
import { startBatchWorker } from '../../../../lib/data/worker/startBatchWorker.js';
import { A2QError, DataError } from '../../../../lib/tensor/errors.js';

/** What the page has found out. */
export interface PageFindings {
  readonly name: string;
  /** Batches that came from the worker, and those whose every number is that of this thread. */
  readonly batches: number;
  readonly equal: number;
  /** Errors, as `class: message`, of data that cannot be opened, of a script that is not there, of a closed source. */
  readonly errors: readonly string[];
}

const start = (script: string) => new Worker(script, { type: 'module' });

const flat = ({ inputs, targets, indices, ...facts }: Batch) =>
  JSON.stringify([facts, [...inputs], [...targets], [...indices]]);

async function whyNot(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'no error';
  } catch (error) {
    const kind = error instanceof DataError ? 'DataError' : error instanceof A2QError ? 'A2QError' : 'another error';
    return `${kind}: ${(error as Error).message}`;
  }
}

async function run(): Promise<PageFindings> {
  const options = { batchSize: 8, shuffle: true, seed: 3, epoch: 2, start: 1 };
  const source = await startBatchWorker(start('/glyphs.worker.js'), { length: 60 });
  const want = [...batches(glyphs({ length: 60 }), options)].map(flat);
  const got: string[] = [];
  for await (const batch of source.batches(options)) got.push(flat(batch));
  source.close();
  const errors = [
    await whyNot(startBatchWorker(start('/glyphs.worker.js'), { length: -1 })),
    await whyNot(startBatchWorker(start('/none.js'), {})),
    await whyNot(source.batches(options).next()),
  ];
  const equal = got.filter((text, i) => text === want[i]).length;
  return { name: source.name, batches: got.length, equal: got.length === want.length ? equal : -1, errors };
}

Object.assign(globalThis, { run });
