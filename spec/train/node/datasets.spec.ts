import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import '../../../lib/kernels/registry.js';
import { encodePng } from '../../../lib/data/node/encodePng.js';
import { pixels } from '../../../lib/data/pixels.js';
import { DataError } from '../../../lib/tensor/errors.js';
import type { DatasetConfig } from '../../../lib/train/config.js';
import { shapeOf } from '../../../lib/train/models.js';
import { inspectData, locateData, openData } from '../../../lib/train/node/datasets.js';
import { REAL_DATA_DIR, skipWithout } from '../../data/realData.js';

t.test('glyphs need no folder', async (t) => {
  const source = await locateData({ name: 'glyphs', limit: 30 }, undefined);
  t.same(source.dataDir, null);
  const [train, test] = [await openData(source, 'train'), await openData(source, 'test')];
  t.same([train.length, test.length], [30, 2000]);
  t.same(await inspectData(source), { kind: 'labels', inputShape: [1, 16, 16], signed: false, classes: 10 });
  t.same(shapeOf(train), await inspectData(source));
});

t.test('folders that are not there', async (t) => {
  const root = t.testdir({ train: { cat: {} } });
  const cases: (readonly [DatasetConfig, RegExp])[] = [
    [{ name: 'cifar10' }, /no folder cifar-10-batches-bin in/],
    [{ name: 'bsd300', factor: 3 }, /no folder bsd300 in/],
    [{ name: 'folder', size: 32 }, /has no folder test or val with one sub-folder a class/],
  ];
  for (const [config, message] of cases) {
    await t.rejects(locateData(config, root), DataError);
    await t.rejects(locateData(config, root), { message });
    await t.rejects(locateData(config, join(root, 'none')), { message: /--data-dir: there is no folder/ });
  }
  await mkdir(join(root, 'val', 'cat'), { recursive: true });
  const source = await locateData({ name: 'folder', size: 24 }, root);
  t.same(await inspectData(source), { kind: 'labels', inputShape: [3, 24, 24], signed: true, classes: 1 });
  await t.rejects(openData(source, 'test'), { message: /val.cat has no \.jpg or \.png file/ });
});

t.test('a folder that has both test and val, and a class in other letters', async (t) => {
  const image = encodePng(pixels(8, 8, 3, new Uint8Array(192)));
  const half = () => ({ cat: { 'a.png': image }, dog: { 'a.png': image } });
  const root = t.testdir({ train: half(), test: half(), val: half() });
  const source = await locateData({ name: 'folder', size: 8 }, root);
  t.match((await openData(source, 'test')).notes, [/val is not read: .*test is there/]);
  const other = t.testdir({ train: half(), test: { Cat: { 'a.png': image } } });
  const message = /Cat is no class of the training images \(cat, dog\); did you mean cat\?/;
  await t.rejects(locateData({ name: 'folder', size: 8 }, other), { message });
});

/** What is said of the data beforehand is what opening them shows. */
const REAL: readonly (readonly [DatasetConfig, folder: string])[] = [
  [{ name: 'cifar10', limit: 5 }, 'cifar-10-batches-bin'],
  [{ name: 'bsd300', limit: 1, factor: 3 }, 'bsd300'],
  [{ name: 'bsd300', limit: 1, factor: 2 }, 'bsd300'],
  [{ name: 'folder', limit: 3, size: 32 }, 'cifar10-folder'],
];
for (const [wanted, folder] of REAL) {
  t.test(JSON.stringify(wanted), { skip: skipWithout(folder) }, async (t) => {
    const root = wanted.name === 'folder' ? join(REAL_DATA_DIR, folder) : REAL_DATA_DIR;
    const source = await locateData(wanted, root);
    const train = await openData(source, 'train');
    t.equal(train.length, wanted.limit);
    t.same(shapeOf(train), await inspectData(source));
    if (wanted.name === 'folder') t.equal((await openData(source, 'test')).length, await filesBelow(join(root, 'val')));
  });
}

async function filesBelow(root: string): Promise<number> {
  const folders = await readdir(root);
  const counts = await Promise.all(folders.map(async (name) => (await readdir(join(root, name))).length));
  return counts.reduce((a, b) => a + b, 0);
}
