import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { batches, makeBatch } from '../../../lib/data/batches.js';
import { upscalingPsnr } from '../../../lib/data/bsd300.js';
import { readBsd300 } from '../../../lib/data/node/index.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { JPEGS } from '../images.golden.js';
import { REAL_DATA_DIR, skipWithout } from '../realData.js';
import { temporaryFolder } from '../temporary.js';

const photograph = Buffer.from(JPEGS['ycc420'].file, 'base64');

t.test('the folder of the archive, photographs sorted by name', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const images = join(folder.path, 'bsd300', 'images', 'test');
  await t.rejects(readBsd300(folder.path, 'test'), { message: /no folder bsd300 in .*A2Q_DATA_DIR/ });
  mkdirSync(join(folder.path, 'bsd300'));
  await t.rejects(readBsd300(folder.path, 'test'), { message: /no folder bsd300\/images\/test in/ });
  mkdirSync(images, { recursive: true });
  await t.rejects(readBsd300(folder.path, 'test'), { message: /has no \.jpg or \.png file/ });
  writeFileSync(join(images, '2.jpg'), Buffer.from(JPEGS['grey'].file, 'base64'));
  writeFileSync(join(images, '1.jpg'), photograph);
  const progress: string[] = [];
  const set = await readBsd300(folder.path, 'test', {
    crop: 9,
    onProgress: (done, total) => progress.push(`${done}/${total}`),
  });
  t.same([set.name, set.length, set.inputShape], ['bsd300/test x3', 2, [3, 3, 3]]);
  t.same(progress, ['1/2', '2/2']);
  const grey = makeBatch(set, [1]).targets;
  t.same(grey.subarray(0, 81), grey.subarray(81, 162));
  t.equal((await readBsd300(folder.path, 'test', { limit: 1, crop: 9 })).length, 1);
  await t.rejects(readBsd300(folder.path, 'test', { limit: 0 }), { message: /limit must be a positive integer/ });
});

t.test('broken archives name the file', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const images = join(folder.path, 'bsd300', 'images', 'train');
  mkdirSync(images, { recursive: true });
  const file = join(images, '7.jpg');
  for (const bytes of [photograph.subarray(0, 500), Buffer.alloc(0), Buffer.from('not an image')]) {
    writeFileSync(file, bytes);
    const error = await readBsd300(folder.path, 'train').then(
      () => undefined,
      (reason: unknown) => reason,
    );
    t.ok(error instanceof DataError && error.message.includes('7.jpg'), String(error));
    t.ok(error instanceof DataError && error.message.includes(`${bytes.length} bytes`), String(error));
  }
  writeFileSync(file, photograph);
  writeFileSync(join(folder.path, 'bsd300', 'iids_train.txt'), '7\n8\n9\n');
  await t.rejects(readBsd300(folder.path, 'train'), { message: /8\.jpg is missing and 1 more of iids_train\.txt/ });
  writeFileSync(join(folder.path, 'bsd300', 'iids_train.txt'), '7\r\n');
  t.equal((await readBsd300(folder.path, 'train', { crop: 9 })).length, 1);
  rmSync(file);
  mkdirSync(file);
  await t.rejects(readBsd300(folder.path, 'train'), { message: /7\.jpg is a folder, not a file/ });
});

t.test('up-scaling without a network, the 100 test photographs', { skip: skipWithout('bsd300') }, async (t) => {
  const x3 = await readBsd300(REAL_DATA_DIR, 'test');
  t.equal(x3.length, 100);
  t.equal(upscalingPsnr(x3, 'bicubic').toFixed(2), '24.83');
  t.equal(upscalingPsnr(x3, 'nearest').toFixed(2), '24.04');
  const x2 = await readBsd300(REAL_DATA_DIR, 'test', { factor: 2 });
  t.equal(upscalingPsnr(x2, 'bicubic').toFixed(2), '28.53');
});

t.test('an epoch of the 200 training photographs', { skip: skipWithout('bsd300') }, async (t) => {
  const train = await readBsd300(REAL_DATA_DIR, 'train');
  t.equal(train.length, 200);
  const epoch = (start: number) => [...batches(train, { batchSize: 8, shuffle: true, seed: 1, epoch: 5, start })];
  const began = performance.now();
  const whole = epoch(0);
  const milliseconds = performance.now() - began;
  t.comment(`200 crops of 255x255 with their reductions: ${Math.round(milliseconds)} ms`);
  t.ok(milliseconds < 4000, 'a second is promised, four allowed for a busy machine');
  t.equal(whole.length, 25);
  const resumed = epoch(23);
  t.equal(resumed.length, 2);
  for (const [i, batch] of resumed.entries()) {
    t.equal(Buffer.compare(Buffer.from(batch.inputs.buffer), Buffer.from(whole[23 + i].inputs.buffer)), 0);
    t.equal(Buffer.compare(Buffer.from(batch.targets.buffer), Buffer.from(whole[23 + i].targets.buffer)), 0);
  }
});
