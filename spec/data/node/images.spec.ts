import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { forAll, ImageFiles, imageLimits, readImage } from '../../../lib/data/node/images.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { writePng } from '../writePng.js';

t.test('the limit of the environment', async (t) => {
  t.equal(imageLimits({}).maxPixels, 50e6);
  t.equal(imageLimits({ A2Q_MAX_PIXELS: '' }).maxPixels, 50e6);
  t.equal(imageLimits({ A2Q_MAX_PIXELS: '200000000' }).maxPixels, 2e8);
  for (const bad of ['many', '-1', '0', '1.5', 'Infinity']) {
    const message = `images: A2Q_MAX_PIXELS must be a positive integer; got ${bad}`;
    t.throws(() => imageLimits({ A2Q_MAX_PIXELS: bad }), { name: 'DataError', message });
  }
});

t.test('files are read within it, and named', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'a.png');
  await t.rejects(readImage('some', path), { message: /some: .*a\.png does not exist/ });
  await writeFile(path, writePng({ width: 2, height: 1, samples: [1, 2, 3, 4, 5, 6] }));
  t.same([...(await readImage('some', path)).data], [1, 2, 3, 4, 5, 6]);
  t.intercept(process, 'env', { value: { ...process.env, A2Q_MAX_PIXELS: '1' } });
  await t.rejects(readImage('some', path), { message: /a\.png: 2x1 = 0\.000002 megapixels are above our limit/ });
});

t.test('files are decoded while there is room, then looked at', async (t) => {
  const folder = t.testdir({});
  const sound = writePng({ width: 10, height: 10, samples: new Uint8Array(300).fill(5) });
  const filtered = writePng({ width: 10, height: 10, samples: new Uint8Array(300), filters: [9] });
  const contents = { 'a.png': sound, 'b.png': sound, 'pixels.png': filtered, 'cut.png': sound.subarray(0, -1) };
  const paths = Object.keys(contents).map((name) => join(folder, name));
  for (const [i, bytes] of Object.values(contents).entries()) await writeFile(paths[i], bytes);
  const seen: (readonly [number, number])[] = [];
  const roomy = new ImageFiles('some', paths);
  await roomy.check([0, 1], (...progress) => seen.push(progress));
  t.same(seen, [
    [1, 2],
    [2, 2],
  ]);
  await writeFile(paths[0], 'gone');
  t.equal(roomy.load(0).data[0], 5, 'it stays in memory');
  await t.rejects(roomy.check([2]), { message: /pixels\.png: corrupt PNG/ });
  const narrow = new ImageFiles('some', paths, { cacheBytes: 500 });
  await narrow.check([1, 1, 2], () => undefined);
  t.throws(() => narrow.load(2), { message: /pixels\.png: corrupt PNG/ }, 'found once it is decoded');
  await t.rejects(narrow.check([3]), { message: /cut\.png: truncated PNG/ });
});

t.test('all that cannot be read are named, up to twenty', async (t) => {
  const done: number[] = [];
  const bad = (image: number) => async (each: number) => {
    if (each >= image) throw new DataError('some', `${each}.png is broken`);
  };
  const numbers = Array.from({ length: 30 }, (_, i) => i);
  await forAll('some', numbers, bad(30), (count) => done.push(count));
  t.equal(done.length, 30);
  await t.rejects(forAll('some', numbers, bad(29)), { message: 'some: 29.png is broken' });
  await t.rejects(forAll('some', numbers, bad(28)), {
    message: 'some: 2 of 30 images cannot be read:\n  28.png is broken\n  29.png is broken',
  });
  await t.rejects(forAll('some', numbers, bad(5)), { message: /24\.png is broken\n {2}and 5 more$/ });
});
