import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { writePng } from '../data/writePng.js';
import { a2q, words } from './a2q.js';

const TINY = '--model cnn --dataset glyphs --train-images 200 --batch-size 8 --seed 1 --threads 1';

t.test('damaged runs and data', async (t) => {
  const folder = t.testdir({});
  const run = join(folder, 'run');
  await a2q([...words(`train ${TINY} --method qat --epochs 1 --limit-batches 1 --out`), run]);
  const best = join(run, 'best.safetensors');
  const bytes = await readFile(best);
  await writeFile(best, bytes.subarray(0, bytes.length - 10));
  const cut = await a2q(['eval', '--run', run]);
  t.match(cut, { code: 1, stdout: '', stderr: /best\.safetensors: .*truncated/ });
  await writeFile(join(run, 'last.safetensors'), 'nonsense');
  const resumed = await a2q(['train', '--resume', '--epochs', '2', '--out', run]);
  t.match(resumed, { code: 1, stderr: /last\.safetensors: .*not a safetensors file/ });
  await writeFile(join(run, 'config.json'), '{"format":"a2q-run"}');
  const config = await a2q(['train', '--resume', '--out', run]);
  t.match(config, { code: 1, stderr: /config\.json: .*version/ });

  const data = join(folder, 'data', 'cifar-10-batches-bin');
  await mkdir(data, { recursive: true });
  await writeFile(join(data, 'data_batch_1.bin'), new Uint8Array(5000));
  const out = join(folder, 'cifar');
  const flags = words('train --model cnn --dataset cifar10 --method float --json --out');
  const truncated = await a2q([...flags, out], { dataDir: join(folder, 'data') });
  t.equal(truncated.code, 1);
  t.match(truncated.stderr, /data_batch_1\.bin: expected 30730000 bytes .* found 5000/);
  t.match(JSON.parse(truncated.stdout), { error: { type: 'DataError', message: /data_batch_1\.bin/ } });
  t.notOk((await readdir(folder)).includes('cifar'), 'no empty folder is left behind');
});

t.test('an image that cannot be read is found before training', async (t) => {
  const image = writePng({ width: 8, height: 8, samples: new Uint8Array(8 * 8 * 3) });
  const folder = t.testdir({ data: { train: { cat: { 'b.png': 'no image' } }, test: { cat: {} } } });
  const data = join(folder, 'data');
  for (const split of ['train', 'test']) await writeFile(join(data, split, 'cat', 'a.png'), image);
  const flags = words('train --model cnn --dataset folder --image-size 8 --method float --threads 1 --json --data-dir');
  const run = await a2q([...flags, data, '--out', join(folder, 'run')]);
  t.equal(run.code, 1, run.stderr);
  t.match(JSON.parse(run.stdout), { error: { type: 'DataError', message: /b\.png: 8 bytes that are neither JPEG/ } });
  t.notOk((await readdir(folder)).includes('run'), 'no run is begun');
});

t.test('a disk that fills up', async (t) => {
  const folder = t.testdir({});
  const out = join(folder, 'run');
  // 64 blocks hold config and log, but no checkpoint of this model. Tap's preload would make that limit's signal fatal.
  const { code, stderr } = await a2q(
    [...words(`train ${TINY} --method float --epochs 1 --limit-batches 1 --out`), out],
    {
      before: 'unset NODE_OPTIONS; ulimit -f 64',
    },
  );
  t.equal(code, 1);
  t.match(stderr, /error: save: cannot write .*best\.safetensors: the file would exceed the size limit/);
  t.same((await readdir(out)).sort(), ['config.json', 'log.jsonl'], 'nothing half-written');
});
