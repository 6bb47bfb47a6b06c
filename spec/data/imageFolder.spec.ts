import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeBatch } from '../../lib/data/batches.js';
import { imageFolder, type LabelledImages } from '../../lib/data/imageFolder.js';
import { readCifar10, readImageFolder } from '../../lib/data/node/index.js';
import { pixels } from '../../lib/data/pixels.js';
import { DataError } from '../../lib/tensor/errors.js';
import { REAL_DATA_DIR, skipWithout } from './realData.js';
import { temporaryFolder } from './temporary.js';
import { writePng } from './writePng.js';

/** RGB image whose red is x, green y and blue 9. */
function ramp(width: number, height: number) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 9], i * 3);
  return pixels(width, height, 3, data);
}

function single(width: number, height: number): LabelledImages {
  return { classes: ['only'], labels: [0], load: () => ramp(width, height) };
}

const bytesOf = (inputs: Float32Array) => Array.from(inputs, (value) => Math.round(value * 255));

t.test('a plain sample is resized by its shorter side and cropped at the centre', async (t) => {
  // 8x4 to side 2 is 4x2: PIL's resize((4, 2), BILINEAR) turns columns 0…7 into 1, 3, 5, 6 and rows 0…3 into 1, 2;
  // the centre crop keeps the middle columns.
  const set = imageFolder(single(8, 4), { size: 2, normalisation: null });
  t.same(bytesOf(makeBatch(set, [0]).inputs), [3, 5, 3, 5, 1, 1, 2, 2, 9, 9, 9, 9]);
  const margin = imageFolder(single(4, 8), { size: 2, resizeTo: 4, normalisation: null });
  t.same(bytesOf(makeBatch(margin, [0]).inputs), [1, 2, 1, 2, 3, 3, 4, 4, 9, 9, 9, 9]);
});

t.test('an augmented sample is a part of the image, the same for the same draw', async (t) => {
  const set = imageFolder(single(40, 30), { size: 8, normalisation: null });
  const prints = new Set<string>();
  let mirrored = 0;
  for (let epoch = 0; epoch < 100; epoch++) {
    const { inputs } = makeBatch(set, [0], { seed: 0, epoch });
    const red = bytesOf(inputs).slice(0, 8);
    const falling = red[7] < red[0];
    if (falling) mirrored++;
    t.ok(red.every((x, i) => i === 0 || (falling ? x < red[i - 1] : x > red[i - 1])) || red[0] === red[7], red.join());
    prints.add(inputs.join());
    t.same(makeBatch(set, [0], { seed: 0, epoch }).inputs, inputs);
  }
  t.ok(prints.size > 95);
  t.ok(mirrored > 30 && mirrored < 70, `${mirrored} of 100 mirrored`);
});

t.test('an image too long for any part is cropped at its centre', async (t) => {
  const set = imageFolder(single(200, 2), { size: 2, cropArea: [1, 1], normalisation: null });
  const red = bytesOf(makeBatch(set, [0], { seed: 3, epoch: 0 }).inputs).slice(0, 2);
  t.ok(
    red.every((x) => x >= 98 && x <= 102),
    red.join(),
  );
});

t.test('options out of range', async (t) => {
  t.throws(() => imageFolder(single(4, 4), { size: 0 }), DataError);
  t.throws(() => imageFolder(single(4, 4), { size: 4, resizeTo: 3 }), { message: /size 4, resizeTo 3/ });
  t.throws(() => imageFolder(single(4, 4), { size: 4, cropArea: [0, 1] }), DataError);
  t.throws(() => imageFolder(single(4, 4), { size: 4, cropArea: [0.5, 1.5] }), DataError);
  t.throws(() => imageFolder({ ...single(4, 4), labels: [] }, { size: 4 }), DataError);
});

t.test('a tree of PNG files', async (t) => {
  const folder = temporaryFolder();
  t.teardown(() => folder.remove());
  const root = join(folder.path, 'animals');
  await t.rejects(readImageFolder(root, { size: 2 }), { message: /animals does not exist/ });
  mkdirSync(root);
  await t.rejects(readImageFolder(root, { size: 2 }), { message: /animals has no class folders/ });
  for (const name of ['owl', 'cat']) mkdirSync(join(root, name));
  const png = (value: number) => writePng({ width: 2, height: 2, samples: new Uint8Array(12).fill(value) });
  writeFileSync(join(root, 'owl', 'b.PNG'), png(20));
  writeFileSync(join(root, 'owl', 'a.png'), png(10));
  writeFileSync(join(root, 'owl', 'notes.txt'), 'no image');
  await t.rejects(readImageFolder(root, { size: 2 }), { message: /cat has no \.jpg or \.png file/ });
  writeFileSync(join(root, 'cat', 'z.png'), png(30));
  for (const cacheBytes of [0, 2 ** 20]) {
    const set = await readImageFolder(root, { size: 2, normalisation: null, cacheBytes });
    t.same([set.name, set.length, set.classes], ['animals', 3, ['cat', 'owl']]);
    for (let pass = 0; pass < 2; pass++) {
      const { inputs, targets } = makeBatch(set, [0, 1, 2]);
      t.same([...targets], [0, 1, 1]);
      t.same(
        [0, 12, 24].map((at) => bytesOf(inputs)[at]),
        [30, 10, 20],
      );
    }
  }
  writeFileSync(join(root, 'cat', 'z.png'), png(30).subarray(0, 40));
  const broken = await readImageFolder(root, { size: 2 });
  t.throws(() => makeBatch(broken, [0]), { message: /z\.png: truncated PNG of 40 bytes/ });
});

t.test('real tree: the images are those of the CIFAR-10 files', { skip: skipWithout('cifar10-folder') }, async (t) => {
  const set = await readImageFolder(join(REAL_DATA_DIR, 'cifar10-folder', 'val'), { size: 32, normalisation: null });
  t.same([set.length, set.classes.length, set.classes[3]], [100, 10, 'cat']);
  const skip = skipWithout('cifar-10-batches-bin');
  if (skip) return t.comment(skip);
  const test = await readCifar10(REAL_DATA_DIR, 'test', { normalisation: null });
  // Every 7th pixel of red is enough to find an image again, within the few levels two JPEG decoders differ by.
  const signatures = (all: Float32Array, n: number) =>
    Array.from({ length: n }, (_, i) => bytesOf(all.subarray(i * 3072, i * 3072 + 1024)).filter((_, p) => p % 7 === 0));
  const known = signatures(
    makeBatch(
      test,
      Uint32Array.from({ length: 10000 }, (_, i) => i),
    ).inputs,
    10000,
  );
  const labels = makeBatch(
    test,
    Uint32Array.from({ length: 10000 }, (_, i) => i),
  ).targets;
  const folder = makeBatch(
    set,
    Uint32Array.from({ length: 100 }, (_, i) => i),
  );
  const wanted = signatures(folder.inputs, 100);
  let found = 0;
  wanted.forEach((signature, i) => {
    if (
      known.some(
        (other, j) => labels[j] === folder.targets[i] && signature.every((v, p) => Math.abs(v - other[p]) <= 3),
      )
    )
      found++;
  });
  t.equal(found, 100);
});
