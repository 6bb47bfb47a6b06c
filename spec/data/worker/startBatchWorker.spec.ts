import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { batches } from '../../../lib/data/batches.js';
import type { BatchSource } from '../../../lib/data/batchSource.js';
import { type Batch, factsOf } from '../../../lib/data/dataset.js';
import { PREFETCH, startBatchWorker } from '../../../lib/data/worker/startBatchWorker.js';
import { A2QError, DataError } from '../../../lib/tensor/errors.js';
import { openSample, type SampleData } from './sampleData.js';

const SCRIPT = new URL('./sample.worker.js', import.meta.url);

function startWorker(script: URL | string = SCRIPT, options: { eval?: boolean } = {}): Worker {
  return new Worker(script, { execArgv: [], ...options });
}

/** A source that is closed when the test ends. */
async function openSource(t: Test, data: SampleData): Promise<BatchSource> {
  const source = await startBatchWorker(startWorker(), data);
  t.teardown(() => source.close());
  return source;
}

async function collect(made: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of made) all.push(batch);
  return all;
}

/** Waits, as the process would not, until a worker has ended. */
async function hasEnded(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  worker.ref();
  await new Promise((resolve) => worker.once('exit', resolve));
}

/** Each sample is a batch of its own. */
const SINGLE = { batchSize: 1 };

t.test('the facts and the batches of the dataset, bit for bit', async (t) => {
  for (const data of [{ kind: 'glyphs' }, { kind: 'photographs' }] as const) {
    const dataset = openSample(data);
    const source = await openSource(t, data);
    t.same(factsOf(source), factsOf(dataset));
    const plain = { batchSize: 3 };
    t.strictSame(await collect(source.batches(plain)), [...batches(dataset, plain)], 'plain samples');
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          batchSize: fc.integer({ min: 1, max: 9 }),
          shuffle: fc.boolean(),
          augment: fc.boolean(),
          dropLast: fc.boolean(),
          seed: fc.integer(),
          epoch: fc.nat(1000),
          limit: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
          part: fc.constantFrom(5, [6, 0, 3]),
          cut: fc.nat(9),
        }),
        async ({ cut, ...options }) => {
          const whole = [...batches(dataset, options)];
          const start = Math.min(cut, whole.length);
          const resumed = await collect(source.batches({ ...options, start }));
          t.strictSame(resumed, whole.slice(start));
          return t.passing();
        },
      ),
      { numRuns: 40 },
    );
  }
});

t.test('epochs side by side, and epochs given up', async (t) => {
  const source = await openSource(t, { kind: 'counting', length: 4 });
  const [a, b] = [source.batches(SINGLE), source.batches({ ...SINGLE, part: [3, 2, 1, 0] })];
  const seen: number[][] = [];
  for (let i = 0; i < 2; i++) {
    for (const made of [a, b]) seen.push([...(await made.next()).value.indices, ...(await made.next()).value.inputs]);
  }
  t.same(seen, [
    [0, 1],
    [0, 2],
    [2, 3],
    [2, 0],
  ]);
  await a.return?.();
  t.same(await a.next(), { done: true, value: undefined });
  for await (const batch of b) t.fail(`a fifth batch ${batch.position}`);
  t.same(await b.next(), { done: true, value: undefined });
  for await (const { position } of source.batches(SINGLE)) if (position === 1) break;
  t.equal((await collect(source.batches(SINGLE))).length, 4, 'the source goes on');
});

t.test('questions asked at once are answered in order', async (t) => {
  const source = await openSource(t, { kind: 'counting', length: 6 });
  const made = source.batches(SINGLE);
  const results = await Promise.all(Array.from({ length: 8 }, () => made.next()));
  t.same(
    results.map(({ done, value }) => (done ? 'done' : value.position)),
    [0, 1, 2, 3, 4, 5, 'done', 'done'],
  );
});

t.test('a few batches are made ahead, and no more', async (t) => {
  const made = new SharedArrayBuffer(4 * 20);
  const source = await openSource(t, { kind: 'counting', length: 20, made });
  const epoch = source.batches(SINGLE);
  // What is asked later is made later: when this one is there, all that was asked of the epoch has been made.
  const settle = () => source.batches({ ...SINGLE, part: [19] }).next();
  const count = () => new Int32Array(made).subarray(0, 19).reduce((sum, n) => sum + n);
  await settle();
  t.equal(count(), PREFETCH, 'before the first is taken');
  await epoch.next();
  await settle();
  t.equal(count(), PREFETCH + 1);
  await epoch.return?.();
  await settle();
  t.equal(count(), PREFETCH + 1, 'none once the epoch is given up');
});

t.test('errors are those of the dataset, where its batch would have come', async (t) => {
  const source = await openSource(t, { kind: 'counting', length: 5, at: 2, what: 'corrupt' });
  const made = source.batches(SINGLE);
  t.same([(await made.next()).value.position, (await made.next()).value.position], [0, 1]);
  const error = await made.next().catch((error: unknown) => error);
  t.type(error, DataError);
  t.match(error, { name: 'DataError', op: 'counting', message: 'counting: a.png: truncated' });
  t.match((error as DataError).stack, /sampleData/, 'with the stack of where it happened');
  t.match((error as DataError).cause, { name: 'RangeError', message: 'end of file' });
  t.same(await made.next(), { done: true, value: undefined }, 'as a generator that has thrown');
  t.equal((await collect(source.batches({ ...SINGLE, part: [0, 4] }))).length, 2, 'other epochs are not affected');
  await t.rejects(source.batches({ batchSize: 0 }).next(), { message: /batchSize must be a positive integer; got 0/ });

  const buggy = await openSource(t, { kind: 'counting', length: 1, at: 0, what: 'bug' });
  await t.rejects(buggy.batches(SINGLE).next(), new TypeError('undefined is not a dataset'));
});

t.test('a worker that dies is an error, not a hang', async (t) => {
  const exited = await openSource(t, { kind: 'counting', length: 5, at: 1, what: 'exit' });
  const made = exited.batches(SINGLE);
  const all = await Promise.allSettled([made.next(), made.next(), made.next()]);
  const ended = { message: 'batches: the worker that makes them ended with exit code 7' };
  t.ok(all.some((result) => result.status === 'rejected' && result.reason instanceof A2QError));
  await t.rejects(exited.batches(SINGLE).next(), ended);
  await t.rejects(exited.batches(SINGLE).next(), A2QError);

  const crashed = await openSource(t, { kind: 'counting', length: 100_000, at: 0, what: 'late crash' });
  await t.rejects(collect(crashed.batches(SINGLE)), { message: /the worker that makes them failed: out of luck/ });

  await t.rejects(startBatchWorker(startWorker(), 'exit'), { message: /ended with exit code 3/ });
  await t.rejects(startBatchWorker(startWorker(new URL('./none.js', import.meta.url)), 0), {
    message: /failed: Cannot find/,
  });
  const stranger = startWorker("require('node:worker_threads').parentPort.once('message', () => {})", { eval: true });
  await t.rejects(startBatchWorker(stranger, 0), { message: /ended with exit code 0/ });
});

t.test('opening', async (t) => {
  const progress: string[] = [];
  const onProgress = (done: number, total: number) => progress.push(`${done}/${total}`);
  const source = await startBatchWorker(startWorker(), { kind: 'glyphs' }, { onProgress });
  source.close();
  t.same(progress, ['1/2', '2/2']);

  const worker = startWorker();
  await t.rejects(startBatchWorker(worker, 'refuse'), new DataError('sample', 'no such data'));
  await hasEnded(worker);
  t.pass('the worker is not left behind');

  const controller = new AbortController();
  const hanging = startBatchWorker(startWorker(), 'hang', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(hanging, new Error('enough'));
  await t.rejects(startBatchWorker(startWorker(), 'hang', { signal: controller.signal }), new Error('enough'));
});

t.test('a closed source', async (t) => {
  const worker = startWorker();
  const source = await startBatchWorker(worker, { kind: 'glyphs' });
  const made = source.batches({ batchSize: 1, shuffle: true });
  source.close();
  source.close();
  const closed = { name: 'A2QError', message: 'batches: the source was closed' };
  await t.rejects(made.next(), closed);
  await t.rejects(source.batches({ batchSize: 1 }).next(), closed);
  await hasEnded(worker);
});

t.test('it keeps a process alive that waits for a batch, and no other', async (t) => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { Worker } from 'node:worker_threads';
    import { startBatchWorker } from ${url('../../../lib/data/worker/startBatchWorker.js')};
    const worker = new Worker(new URL(${url('./sample.worker.js')}), { execArgv: [] });
    const source = await startBatchWorker(worker, { kind: 'glyphs' });
    const made = source.batches({ batchSize: 2, shuffle: true });
    let size = 0;
    for (let i = 0; i < 3; i++) size += (await made.next()).value.size;
    source.batches({ batchSize: 30, shuffle: true });
    process.stdout.write(String(size));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 60_000 });
  t.equal(run.stderr.toString(), '');
  t.equal(run.stdout.toString(), '6');
  t.equal(run.status, 0, 'the process ended by itself');
});
