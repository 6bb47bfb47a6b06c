import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { type Batchable, batchesOf, madeIn, release } from '../../../lib/data/batchSource.js';
import type { Batch } from '../../../lib/data/dataset.js';
import { DataError } from '../../../lib/tensor/errors.js';
import type { DataSource, Split } from '../../../lib/train/node/datasets.js';
import { openBatches, openHalves } from '../../../lib/train/node/openBatches.js';
import { REAL_DATA_DIR, skipWithout } from '../../data/realData.js';
import { writePng } from '../../data/writePng.js';

const GLYPHS: DataSource = { config: { name: 'glyphs', limit: 50 }, dataDir: null };

async function collect(data: Batchable, epoch: number): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batchesOf(data, { batchSize: 4, shuffle: true, epoch, limit: 3 })) all.push(batch);
  return all;
}

/** A batch as text and bytes, which compare faster than arrays do. */
function bits({ inputs, targets, ...facts }: Batch): [string, Buffer, Buffer] {
  return [JSON.stringify(facts), Buffer.from(inputs.buffer), Buffer.from(targets.buffer)];
}

async function sameBits(t: Test, source: DataSource, splits: readonly Split[]): Promise<void> {
  for (const split of splits) {
    const [ahead, plain] = [await openBatches(source, split), await openBatches(source, split, { prefetch: false })];
    t.same([madeIn(ahead), madeIn(plain)], ['worker', 'same thread']);
    for (const epoch of [0, 7]) {
      const [got, want] = [await collect(ahead, epoch), await collect(plain, epoch)];
      t.equal(got.length, 3);
      for (const [i, batch] of got.entries())
        t.ok(isDeepStrictEqual(bits(batch), bits(want[i])), `${split} ${epoch}.${i}`);
    }
    release(ahead);
  }
}

t.test('a worker and this thread make the same batches', async (t) => {
  await sameBits(t, GLYPHS, ['train', 'test']);
});

const REAL = [
  [{ name: 'cifar10', limit: 40 }, 'cifar-10-batches-bin'],
  [{ name: 'bsd300', factor: 3, limit: 9 }, 'bsd300'],
] as const;
for (const [config, folder] of REAL) {
  t.test(`the same of ${folder}`, { skip: skipWithout(folder) }, async (t) => {
    await sameBits(t, { config, dataDir: REAL_DATA_DIR }, ['train']);
  });
}

/** A grey image as a PNG file. */
function png(grey: number): Uint8Array {
  return writePng({ width: 8, height: 8, samples: new Uint8Array(8 * 8 * 3).fill(grey) });
}

t.test('both halves at once', async (t) => {
  const seen: string[] = [];
  const halves = await openHalves(GLYPHS, { onProgress: (split) => seen.push(split) });
  t.same([halves.train.name, halves.train.length], ['glyphs/train', 50]);
  t.same([halves.test.name, halves.test.length], ['glyphs/test', 2000]);
  t.same(seen, ['train', 'test'], 'waited for in this order');
  release(halves.train);
  release(halves.test);
});

t.test('the first half that is damaged is named, with and without workers', async (t) => {
  const root = t.testdir({ train: {}, test: { cat: { 'a.png': 'no image' } } });
  const source = { config: { name: 'folder', size: 8 }, dataDir: root } as const;
  for (const prefetch of [true, false]) {
    const failing = openHalves(source, { prefetch });
    await t.rejects(failing, DataError);
    await t.rejects(failing, { message: /train has no class folders/ });
  }
});

t.test('an image that cannot be read is found when its half is opened', async (t) => {
  const root = t.testdir({ train: { cat: { 'b.png': 'no image' } }, test: { cat: {} } });
  await writeFile(join(root, 'train', 'cat', 'a.png'), png(9));
  await writeFile(join(root, 'test', 'cat', 'a.png'), png(9));
  const config = { name: 'folder', size: 8 } as const;
  for (const prefetch of [true, false]) {
    const error = await openHalves({ config, dataDir: root }, { prefetch }).catch((error: unknown) => error);
    t.type(error, DataError);
    t.match(error, { op: 'decodeImage', message: /b\.png: 8 bytes that are neither JPEG nor PNG/ });
  }
  const first = await openHalves({ config: { ...config, limit: 1 }, dataDir: root });
  t.equal(first.train.length, 1, 'images that are not used are not looked at');
  release(first.train);
  release(first.test);
});

t.test('a signal ends the opening', async (t) => {
  for (const prefetch of [true, false]) {
    const controller = new AbortController();
    const opening = openHalves(GLYPHS, { prefetch, signal: controller.signal });
    controller.abort(new Error('enough'));
    await t.rejects(opening, new Error('enough'));
  }
});
