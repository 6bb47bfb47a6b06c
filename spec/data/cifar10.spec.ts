import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { batches, makeBatch } from '../../lib/data/batches.js';
import { CIFAR10_JPEG_STATISTICS, cifar10, parseCifar10 } from '../../lib/data/cifar10.js';
import { readCifar10 } from '../../lib/data/node/index.js';
import { planeStatistics } from '../../lib/data/normalise.js';
import { DataError } from '../../lib/tensor/errors.js';
import { REAL_DATA_DIR, skipWithout } from './realData.js';
import { temporaryFolder } from './temporary.js';

const RECORD = 3073;

/** A file of records with the given labels; pixel p of record r is (r·7 + p·5) mod 256. */
function batchFile(labels: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(labels.length * RECORD);
  labels.forEach((label, r) => {
    bytes[r * RECORD] = label;
    for (let p = 0; p < 3072; p++) bytes[r * RECORD + 1 + p] = (r * 7 + p * 5) % 256;
  });
  return bytes;
}

t.test('records of several files in order, up to the limit', async (t) => {
  const files = [
    { name: 'a.bin', bytes: batchFile([3, 9]) },
    { name: 'b.bin', bytes: batchFile([0, 1]) },
  ];
  const all = parseCifar10(files, { recordsPerFile: 2 });
  t.same([...all.labels], [3, 9, 0, 1]);
  t.equal(all.planes.length, 4 * 3072);
  t.same([...all.planes.subarray(3072, 3075)], [7, 12, 17]);
  const some = parseCifar10(files, { recordsPerFile: 2, limit: 3 });
  t.same([...some.labels], [3, 9, 0]);
  t.throws(() => parseCifar10(files, { limit: 0 }), DataError);
  t.throws(() => parseCifar10(files, { limit: 1.5 }), DataError);
});

t.test('a plain sample is normalised by channel', async (t) => {
  const records = parseCifar10([{ name: 'a', bytes: batchFile([4]) }], { recordsPerFile: 1 });
  const batch = makeBatch(cifar10(records), [0]);
  t.same([batch.inputShape, [...batch.targets]], [[1, 3, 32, 32], [4]]);
  // Pixel 1 of red is byte 5; pixel 0 of blue is byte 2048·5 mod 256 = 0.
  t.ok(Math.abs(batch.inputs[1] - (5 / 255 - 0.492016) / 0.245803) < 1e-6);
  t.ok(Math.abs(batch.inputs[2048] - (0 - 0.447047) / 0.260969) < 1e-6);
  const raw = makeBatch(cifar10(records, { normalisation: null }), [0]).inputs;
  t.equal(raw[1], Math.fround(5 / 255));
});

t.test('an augmented sample is one of the 162 padded crops, and in the end every one of them', async (t) => {
  // Bytes that differ within a row and between rows, and are never 0, so that each crop is recognised.
  const bytes = new Uint8Array(RECORD);
  for (let p = 0; p < 3072; p++) bytes[1 + p] = 1 + ((p * 37 + (p >> 5) * 11) % 255);
  const image = bytes.subarray(1);
  const crops = new Set<string>();
  for (let left = -4; left <= 4; left++) {
    for (let top = -4; top <= 4; top++) {
      for (const mirrored of [false, true]) {
        const values: number[] = [];
        for (let c = 0; c < 3; c++) {
          for (let y = 0; y < 32; y++) {
            for (let x = 0; x < 32; x++) {
              const [sx, sy] = [(mirrored ? 31 - x : x) + left, y + top];
              values.push(sx < 0 || sx > 31 || sy < 0 || sy > 31 ? 0 : image[c * 1024 + sy * 32 + sx]);
            }
          }
        }
        crops.add(values.join());
      }
    }
  }
  t.equal(crops.size, 162);
  const set = cifar10(parseCifar10([{ name: 'a', bytes }], { recordsPerFile: 1 }), { normalisation: null });
  const seen = new Set<string>();
  for (let epoch = 0; epoch < 2500; epoch++) {
    const { inputs } = makeBatch(set, [0], { seed: 0, epoch });
    const print = Uint8Array.from(inputs, (value) => Math.round(value * 255)).join();
    if (!crops.has(print)) t.fail(`epoch ${epoch} is no crop`);
    seen.add(print);
  }
  t.equal(seen.size, 162);
});

t.test('wrong files are refused by name, with sizes', async (t) => {
  const short = { name: 'short.bin', bytes: batchFile([1, 2]).subarray(0, 2 * RECORD - 1) };
  t.throws(() => parseCifar10([short], { recordsPerFile: 2 }), {
    message: /short\.bin: expected 6146 bytes \(2 records of 3073 bytes\); found 6145/,
  });
  t.throws(() => parseCifar10([short]), { message: /expected 30730000 bytes/ });
  t.throws(() => parseCifar10([{ name: 'odd.bin', bytes: batchFile([1, 10]) }], { recordsPerFile: 2 }), {
    message: /odd\.bin: record 1 has label 10/,
  });
  t.throws(() => cifar10({ planes: new Uint8Array(3071), labels: new Uint8Array(1) }), DataError);
  t.throws(() => cifar10({ planes: new Uint8Array(0), labels: new Uint8Array(0) }), DataError);
});

t.test('the reader takes the batch files that are there', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const root = join(folder.path, 'cifar-10-batches-bin');
  await t.rejects(readCifar10(folder.path, 'train'), { message: /no folder cifar-10-batches-bin in .*A2Q_DATA_DIR/ });
  mkdirSync(root);
  await t.rejects(readCifar10(folder.path, 'train'), { message: /has no data_batch_\*\.bin/ });
  await t.rejects(readCifar10(folder.path, 'test'), { message: /has no test_batch\.bin/ });
  for (const [name, labels] of [
    ['data_batch_1.bin', [1, 2]],
    ['data_batch_3.bin', [3, 4]],
    ['data_batch_x.bin', [9]],
    ['test_batch.bin', [5, 6]],
  ] as const) {
    writeFileSync(join(root, name), batchFile(labels));
  }
  const train = await readCifar10(folder.path, 'train', { recordsPerFile: 2, limit: 3 });
  t.same([...makeBatch(train, [0, 1, 2]).targets], [1, 2, 3]);
  t.equal(train.name, 'cifar10/train');
  const test = await readCifar10(folder.path, 'test', { recordsPerFile: 2 });
  t.same([...makeBatch(test, [0, 1]).targets], [5, 6]);
  await t.rejects(readCifar10(folder.path, 'test'), {
    message: /test_batch\.bin: expected 30730000 bytes .* found 6146/,
  });
});

t.test('real files', { skip: skipWithout('cifar-10-batches-bin') }, async (t) => {
  const train = await readCifar10(REAL_DATA_DIR, 'train', { normalisation: null, limit: 20000 });
  t.equal(train.length, 20000);
  const bytes = new Uint8Array(20000 * 3072);
  const perClass = new Array<number>(10).fill(0);
  let at = 0;
  for (const batch of batches(train, { batchSize: 1000 })) {
    for (const value of batch.inputs) bytes[at++] = Math.round(value * 255);
    for (const label of batch.targets) perClass[label]++;
  }
  t.same(perClass, new Array<number>(10).fill(2000));
  const { mean, std } = planeStatistics(bytes, 3, 1024);
  const rounded = (values: readonly number[]) => values.map((value) => value.toFixed(6));
  t.same(rounded(mean), rounded(CIFAR10_JPEG_STATISTICS.mean));
  t.same(rounded(std), rounded(CIFAR10_JPEG_STATISTICS.std));
});
