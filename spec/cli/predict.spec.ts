import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { decodeImage } from '../../lib/data/decode.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { encodePng } from '../../lib/data/node/encodePng.js';
import { readPlanes } from '../../lib/data/normalise.js';
import { pixels } from '../../lib/data/pixels.js';
import { REAL_DATA_DIR, skipWithout } from '../data/realData.js';
import { a2q, a2qAll, words } from './a2q.js';

const TINY = '--model cnn --dataset glyphs --train-images 320 --batch-size 32 --epochs 2 --stats-steps 2 --threads 1';
const IMAGES = 16;

t.test('what a classifier makes of images', async (t) => {
  const folder = t.testdir({ 'broken.png': 'no image' });
  const test = glyphs({ split: 'test', length: IMAGES, normalise: false });
  const files: string[] = [];
  const labels: number[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const input = new Float32Array(256);
    labels.push(test.write(i, input, null));
    files.push(join(folder, `${i}.png`));
    await writeFile(files[i], encodePng(readPlanes(input, [1, 16, 16], test.normalisation)));
  }
  const run = join(folder, 'run');
  const [trained, evaluated, predicted, people, pictured, absent] = await a2qAll([
    [...words(`train ${TINY} --method qat --out`), run],
    [...words(`eval --threads 1 --batch-size ${IMAGES} --limit-batches 1 --json --run`), run],
    [...words('predict --threads 1 --json --top 10 --run'), run, ...files],
    [...words('predict --threads 1 --top 2 --run'), run, files[0]],
    [...words('predict --threads 1 --run'), run, files[0], '--out', join(folder, 'up.png')],
    [...words('predict --threads 1 --run'), run, files[0], join(folder, 'absent.png')],
  ]);
  t.same([trained.code, evaluated.code, predicted.code, people.code], [0, 0, 0, 0], predicted.stderr);
  const { predictions } = JSON.parse(predicted.stdout);
  const right = predictions.filter(
    ({ classes }: { classes: { label: number }[] }, i: number) => classes[0].label === labels[i],
  );
  t.equal(right.length / IMAGES, JSON.parse(evaluated.stdout).metric, 'as many right as eval finds');
  for (const { classes } of predictions as { classes: { probability: number }[] }[]) {
    t.ok(Math.abs(classes.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-9);
  }
  t.match(people.stdout, /^.*0\.png: \w+ \d+\.\d %, \w+ \d+\.\d %\n$/);
  const broken = await a2q([...words('predict --threads 1 --run'), run, join(folder, 'broken.png')]);
  t.match(broken, { code: 1, stderr: /broken\.png: 8 bytes that are neither JPEG nor PNG/ });
  const some = await a2q([...words('predict --threads 1 --json --run'), run, join(folder, 'broken.png'), files[0]]);
  t.equal(some.code, 1, 'one cannot be read');
  t.match(JSON.parse(some.stdout).predictions, [
    { image: /broken/, error: { type: 'DataError', message: /neither JPEG nor PNG/ } },
    { image: files[0], classes: [{}, {}, {}] },
  ]);
  t.match(await a2q([...words('predict --threads 1 --run'), run, folder, join(folder, 'absent.png')]), {
    code: 2,
    stderr: /is a folder; name the images in it; there is no file .*absent\.png/,
  });
  t.match(pictured, { code: 2, stderr: /--out: this network tells classes/ });
  t.match(absent, { code: 2, stdout: '', stderr: /there is no file .*absent\.png/ });
});

t.test('what a network for super-resolution makes of images', { skip: skipWithout('bsd300') }, async (t) => {
  const folder = t.testdir({ a: {}, b: {} });
  const run = join(folder, 'run');
  const flags = '--model espcn --dataset bsd300 --method float --epochs 1 --train-images 2 --limit-batches 1';
  const trained = await a2q([...words(`train ${flags} --batch-size 1 --out`), run], { dataDir: REAL_DATA_DIR });
  t.equal(trained.code, 0, trained.stderr);
  const png = encodePng(pixels(5, 4, 3, new Uint8Array(60).fill(90)));
  const [one, same] = [join(folder, 'a', 'one.png'), join(folder, 'b', 'one.png')];
  for (const file of [one, same]) await writeFile(file, png);
  const [made, many, missing, twice] = await a2qAll([
    [...words('predict --threads 1 --json --run'), run, one, '--out', join(folder, 'up.png')],
    [...words('predict --threads 1 --json --run'), run, one, '--out', join(folder, 'new', 'folder')],
    [...words('predict --threads 1 --run'), run, one],
    [...words('predict --threads 1 --run'), run, one, same, '--out', join(folder, 'both')],
  ]);
  t.same([made.code, many.code], [0, 0], made.stderr + many.stderr);
  const picture = decodeImage(await readFile(join(folder, 'up.png')), 'up.png');
  t.same([picture.width, picture.height], [15, 12]);
  t.same(await readFile(join(folder, 'new', 'folder', 'one.png')), await readFile(join(folder, 'up.png')));
  t.match(JSON.parse(made.stdout).predictions, [{ image: one, width: 15, height: 12 }]);
  t.match(missing, { code: 2, stderr: /say where they go: --out FILE\.png/ });
  t.match(twice, { code: 2, stderr: /two images of the same name/ });

  await symlink(join(folder, 'a'), join(folder, 'link'));
  const predict = words('predict --threads 1 --run');
  const [itself, itsFolder, linked, forced, there, replaced, jpeg] = await a2qAll([
    [...predict, run, one, '--out', one],
    [...predict, run, one, '--out', join(folder, 'a')],
    [...predict, run, one, '--out', join(folder, 'link')],
    [...predict, run, one, '--force', '--out', one],
    [...predict, run, one, '--out', join(folder, 'up.png')],
    [...predict, run, one, '--force', '--out', join(folder, 'up.png')],
    [...predict, run, one, '--out', join(folder, 'up.jpg')],
  ]);
  for (const refused of [itself, itsFolder, linked, forced]) {
    t.match(refused, { code: 2, stderr: /one\.png is an image to be read/ });
  }
  t.same(await readFile(one), png, 'the image is as it was');
  t.match(there, { code: 2, stderr: /up\.png exists; --force replaces/ });
  t.equal(replaced.code, 0, replaced.stderr);
  t.match(jpeg, { code: 2, stderr: /written as PNG only/ });
});
