import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { imageLimits, readImage } from '../../../lib/data/node/images.js';
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
