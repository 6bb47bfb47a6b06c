import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { encodePng } from '../../lib/data/node/encodePng.js';
import { pixels } from '../../lib/data/pixels.js';
import { a2q, words } from './a2q.js';

const CLASSES = ['ant', 'bee', 'cat'];

/** Squares of one shade a class, four to train on and two to test on. */
async function makeData(root: string): Promise<void> {
  for (const [half, count] of [
    ['train', 4],
    ['test', 2],
  ] as const) {
    for (const [label, name] of CLASSES.entries()) {
      const folder = join(root, half, name);
      await mkdir(folder, { recursive: true });
      const image = encodePng(pixels(16, 16, 3, new Uint8Array(16 * 16 * 3).fill(100 * label + 20)));
      for (let i = 0; i < count; i++) await writeFile(join(folder, `${i}.png`), image);
    }
  }
  await mkdir(join(root, 'train', '.ipynb_checkpoints'));
}

const TRAIN = words(
  'train --model cnn --dataset folder --image-size 16 --method float --batch-size 4 --threads 1 --json',
);

t.test('classes are matched by name, and the data are remembered', async (t) => {
  const root = t.testdir({});
  const [data, run] = [join(root, 'data'), join(root, 'run')];
  await makeData(data);
  const trained = await a2q([...TRAIN, '--epochs', '12', '--data-dir', data, '--out', run]);
  t.equal(trained.code, 0, trained.stderr);
  t.match(trained.stderr, /note: .*train: left out as no images: \.ipynb_checkpoints/);
  const evaluate = async (...more: string[]) => {
    const call = await a2q(['eval', '--run', run, '--threads', '1', '--json', ...more]);
    t.equal(call.code, 0, call.stderr);
    return { ...call, result: JSON.parse(call.stdout) };
  };
  const { result, stderr } = await evaluate();
  t.match(result, { samples: 6, inTraining: { testedOn: 'test', metric: result.metric } });
  t.notMatch(stderr, 'note:');

  // Half of the classes, in another place and under a name that is sorted otherwise.
  const moved = join(root, 'moved');
  await cp(join(data, 'test', 'cat'), join(moved, 'val', 'cat'), { recursive: true });
  const alone = await evaluate('--data-dir', moved);
  t.match(alone.stderr, /note: these are not the test images that the run was begun with/);
  t.match(alone.stderr, /note: .*val has no images of ant, bee/);
  t.equal(alone.result.samples, 2);
  const all = JSON.parse((await a2q(['report', '--run', run, '--threads', '1', '--json'])).stdout);
  t.ok(all.answers, 'the report finds them as well');

  // Only the run moves, to where its relative path leads astray.
  await cp(run, join(root, 'far', 'away', 'run'), { recursive: true });
  const far = ['eval', '--run', join(root, 'far', 'away', 'run'), '--threads', '1'];
  t.match(await a2q(far), { code: 0, stdout: /on 6 images/ });
  await rename(data, join(root, 'hidden'));
  const lost = new RegExp(`there is no folder ${join(root, 'far', 'away', 'data')}; .*${data}; pass --data-dir DIR`);
  t.match(await a2q(far), { code: 2, stderr: lost });
  await rename(join(root, 'hidden'), data);

  await rename(join(moved, 'val', 'cat'), join(moved, 'val', 'dog'));
  const unknown = await a2q(['eval', '--run', run, '--threads', '1', '--data-dir', moved]);
  t.match(unknown, { code: 1, stderr: /dog is no class of the training images \(ant, bee, cat\)/ });
  await rm(join(data, 'test', 'ant'), { recursive: true });
  const resumed = await a2q([...words('train --resume --epochs 13 --threads 1 --out'), run]);
  t.match(resumed, { code: 1, stderr: /the test images are not those that the run was begun with/ });
});

t.test('a class of the test images that is not trained on is found before any work', async (t) => {
  const root = t.testdir({});
  await makeData(root);
  await rename(join(root, 'test', 'bee'), join(root, 'test', 'wasp'));
  const refused = await a2q([...TRAIN, '--epochs', '1', '--data-dir', root, '--out', join(root, 'run')]);
  t.match(refused, { code: 2, stderr: /wasp is no class of the training images \(ant, bee, cat\)/ });
});

t.test('weights of another run keep their classes', async (t) => {
  const root = t.testdir({});
  const [data, run] = [join(root, 'data'), join(root, 'run')];
  await makeData(data);
  const flags = [...TRAIN, '--epochs', '1', '--data-dir', data];
  t.equal((await a2q([...flags, '--out', run])).code, 0);
  for (const half of ['train', 'test']) await rename(join(data, half, 'ant'), join(data, half, 'wasp'));
  const renamed = await a2q([...flags, '--init-from', run, '--out', join(root, 'renamed')]);
  t.match(renamed, { code: 2, stderr: /tells other classes apart: ant only there; wasp only in the data/ });
  for (const half of ['train', 'test']) await rm(join(data, half, 'wasp'), { recursive: true });
  const fewer = await a2q([...flags, '--init-from', run, '--out', join(root, 'fewer')]);
  t.match(fewer, { code: 2, stderr: /tells other classes apart: ant only there$/m });
});

t.test('a part of the training images holds all classes, and a share of them chooses the best epoch', async (t) => {
  const root = t.testdir({});
  await makeData(root);
  const out = join(root, 'run');
  const flags = ['--train-images', '6', '--val-share', '0.5', '--epochs', '2', '--data-dir', root, '--out', out];
  const run = await a2q([...TRAIN, ...flags]);
  t.equal(run.code, 0, run.stderr);
  const lines = (await readFile(join(out, 'log.jsonl'), 'utf8')).trim().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { testedOn: 'val', step: 1 },
      { testedOn: 'val', step: 2 },
    ],
  );
  const measured = await a2q(['eval', '--run', out, '--threads', '1']);
  t.match(measured.stdout, /on 6 images of test; .*\nin training it was \d+\.\d\d %, on validation images split off/);
});
