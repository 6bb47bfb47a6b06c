import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import t from 'tap';
import '../../../lib/kernels/registry.js';
import { DataError, DivergenceError } from '../../../lib/tensor/errors.js';
import type { RunConfig } from '../../../lib/train/config.js';
import type { DataSource } from '../../../lib/train/node/datasets.js';
import { readCheckpoint, readLog, readRunConfig } from '../../../lib/train/node/runFolder.js';
import { type RunOptions, type RunResult, trainRun } from '../../../lib/train/node/trainRun.js';
import { tinyRun } from '../runs.js';

/** Trains, and collects the notes. */
async function run(
  folder: string,
  config: RunConfig,
  more: Partial<RunOptions> = {},
): Promise<RunResult & { notes: string[] }> {
  const source: DataSource = { config: config.dataset, dataDir: null };
  const notes: string[] = [];
  const events = { onNote: (text: string) => void notes.push(text) };
  const options = { folder, config, source, resume: false, backend: 'test', prefetch: false, events };
  return { ...(await trainRun({ ...options, ...more })), notes };
}

const sgd = (learningRate: number) =>
  tinyRun({
    method: 'float',
    schedule: { kind: 'constant' },
    optimizer: { type: 'sgd', learningRate, momentum: 0.9, weightDecay: 0 },
  });

t.test('what a run was begun with cannot be changed; what may change is named and remembered', async (t) => {
  const folder = t.testdir({});
  const config = { ...sgd(0.01), epochs: 1 };
  await run(folder, config);
  const others: readonly (readonly [Partial<RunConfig>, RegExp])[] = [
    [{ seed: 7 }, /--seed is 7, was 5; put it back/],
    [{ batchSize: 4, limitBatches: 9 }, /--batch-size is 4, was 8; --limit-batches is 9, was 5/],
    [{ dataset: { name: 'glyphs', limit: 41 } }, /--train-images is 41, was 40/],
    [{ valShare: 0.5 }, /--val-share is 0\.5, was absent/],
  ];
  for (const [more, message] of others) {
    await t.rejects(run(folder, { ...config, ...more }, { resume: true }), DataError);
    await t.rejects(run(folder, { ...config, ...more }, { resume: true }), { message });
  }
  const slower = { ...config, optimizer: { ...config.optimizer, learningRate: 0.001 }, epochs: 2, backend: 'other' };
  const { notes } = await run(folder, slower, { resume: true });
  t.same(notes, ['--lr is 0.001, was 0.01', '--epochs is 2, was 1', 'backend is "other", was "wasm"']);
  const history = [{ step: 5, setting: 'optimizer.learningRate', from: 0.01, to: 0.001 }];
  t.match(await readRunConfig(folder), { history, epochs: 2 });
  t.same(
    (await readLog(folder)).map(({ learningRate }) => learningRate),
    [0.01, 0.001],
  );
  await run(folder, { ...slower, epochs: 3 }, { resume: true });
  t.match((await readCheckpoint(join(folder, 'last.safetensors'))).config, { history }, 'it stays remembered');
});

t.test('a run tells what it was made by', async (t) => {
  const folder = t.testdir({});
  await run(folder, { ...sgd(0.01), epochs: 1 });
  const path = join(folder, 'last.safetensors');
  const { origin, classNames, checkpointEvery, dataDir } = (await readCheckpoint(path)).config;
  t.match(origin, { engine: /^Node \d+/, version: /^\d+\.\d+\.\d+/, simd: String, winograd: String });
  t.same([classNames?.length, checkpointEvery, dataDir], [10, undefined, undefined]);
  await t.rejects(run(folder, sgd(0.01)), { message: /holds a run already/ });
});

t.test('divergence keeps the last good state, from which a lower rate goes on', async (t) => {
  const folder = t.testdir({ fresh: {}, good: {} });
  const fresh = join(folder, 'fresh');
  await t.rejects(run(fresh, sgd(1e38)), DivergenceError);
  await t.rejects(run(fresh, sgd(1e38), { resume: true }), {
    message: /training diverged in epoch 1.*; nothing was saved yet; .*a2q train --resume --lr 1e\+37 --out/,
  });
  await run(fresh, { ...sgd(0.01), epochs: 1 }, { resume: true });

  const good = join(folder, 'good');
  await run(good, { ...sgd(0.01), epochs: 1 });
  const files = ['last.safetensors', 'best.safetensors', 'log.jsonl'].map((name) => join(good, name));
  const before = await Promise.all(files.map((path) => readFile(path)));
  const wild = { ...sgd(1e38), epochs: 2 };
  for (const checkpointEvery of [undefined, 1]) {
    const diverging = run(good, checkpointEvery ? { ...wild, checkpointEvery } : wild, { resume: true });
    await t.rejects(diverging, { name: 'DivergenceError', message: /last\.safetensors holds the state after step 5/ });
  }
  const after = await Promise.all(files.map((path) => readFile(path)));
  t.ok(
    before.every((bytes, i) => bytes.equals(after[i])),
    'files of the last good state',
  );
  const { position } = await run(good, { ...sgd(0.001), epochs: 2 }, { resume: true });
  t.equal(position.epoch, 2);
});

t.test('two writers of one folder', async (t) => {
  const folder = t.testdir({});
  const first = run(folder, { ...sgd(0.01), epochs: 2 });
  await t.rejects(run(folder, sgd(0.5)), { message: /is being written by another process/ });
  t.equal((await first).position.epoch, 2);
  t.match(await readRunConfig(folder), { optimizer: { learningRate: 0.01 } });
});

t.test('checkpoints within an epoch leave no trace in the result', async (t) => {
  const folder = t.testdir({ plain: {}, often: {} });
  const [plain, often] = [join(folder, 'plain'), join(folder, 'often')];
  const config = tinyRun({ epochs: 1 });
  await run(plain, config);
  await run(often, { ...config, checkpointEvery: 2 });
  const [a, b] = await Promise.all([plain, often].map((path) => readFile(join(path, 'last.safetensors'))));
  t.ok(a.equals(b));
});

t.test('validation images choose the best epoch', async (t) => {
  const folder = t.testdir({});
  const { log, best } = await run(folder, { ...sgd(0.01), valShare: 0.25 });
  t.same(
    log.map(({ testedOn }) => testedOn),
    ['val', 'val'],
  );
  t.ok(
    log.every(({ testMetric }) => Number.isInteger(testMetric * 10)),
    'ten images, one of each class',
  );
  t.equal(best?.metric, Math.max(...log.map(({ testMetric }) => testMetric)));
});

function grey(value: number): Uint8Array {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const numbers = Buffer.alloc(8);
    numbers.writeUInt32BE(data.length, 0);
    numbers.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([numbers.subarray(0, 4), body, numbers.subarray(4)]);
  };
  const header = Uint8Array.of(0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0);
  const rows = deflateSync(Buffer.alloc(72, value));
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const parts = [chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', new Uint8Array(0))];
  return Buffer.concat([signature, ...parts]);
}

t.test('other data than the run was begun with are refused', async (t) => {
  const root = t.testdir({ run: {} });
  const [folder, data] = [join(root, 'run'), join(root, 'data')];
  for (const half of ['train', 'test']) {
    for (const [i, name] of ['ant', 'bee'].entries()) {
      await mkdir(join(data, half, name), { recursive: true });
      for (let n = 0; n < 4; n++) await writeFile(join(data, half, name, `${n}.png`), grey(0));
      await writeFile(join(data, half, name, '._0.png'), `${i}`);
    }
  }
  const dataset = { name: 'folder', size: 16 } as const;
  const shape = { kind: 'labels', inputShape: [3, 16, 16], signed: true, classes: 2 } as const;
  const { limitBatches: _, ...rest } = sgd(0.01);
  const config: RunConfig = { ...rest, dataset, shape, epochs: 1, batchSize: 7 };
  const source = { config: dataset, dataDir: data };
  const { notes } = await run(folder, config, { source });
  t.equal(notes.length, 2);
  t.match(notes, [/train: left out as no images: ant.\._0\.png, bee.\._0\.png/, /test: left out as no images/]);
  t.match(await readRunConfig(folder), { dataDir: join('..', 'data'), classNames: ['ant', 'bee'] });
  const on = { ...config, epochs: 2 };
  await appendFile(join(data, 'test', 'bee', '0.png'), 'x');
  await t.rejects(run(folder, on, { source, resume: true }), { message: /the test images are not those/ });
  await writeFile(join(data, 'train', 'bee', '3.png'), grey(1));
  await t.rejects(run(folder, on, { source, resume: true }), { message: /the training and test images are not those/ });
  await writeFile(join(data, 'test', 'bee', '0.png'), grey(0));
  await writeFile(join(data, 'train', 'bee', '3.png'), grey(0));
  t.equal((await run(folder, on, { source, resume: true })).position.epoch, 2);
});
