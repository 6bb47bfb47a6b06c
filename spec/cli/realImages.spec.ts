import { join } from 'node:path';
import t from 'tap';
import { REAL_DATA_DIR, skipWithout } from '../data/realData.js';
import { a2q, words } from './a2q.js';

/** One batch of training, one of testing: that the path from photographs to a proof holds, not how well it trains. */
const ONE_BATCH = '--epochs 1 --limit-batches 1 --json --out';

t.test('ESPCN on BSD300, proved', { skip: skipWithout('bsd300') }, async (t) => {
  const out = join(t.testdir({}), 'run');
  const flags = 'train --model espcn --dataset bsd300 --train-images 2 --batch-size 2 --method a2q+ --acc-bits 12';
  const trained = await a2q([...words(`${flags} ${ONE_BATCH}`), out], { dataDir: REAL_DATA_DIR });
  t.equal(trained.code, 0, trained.stderr);
  const run = JSON.parse(trained.stdout);
  t.match(run, {
    metricName: 'psnr',
    config: { optimizer: { type: 'adam', learningRate: 1e-3 }, shape: { factor: 3 } },
  });
  t.match(run.config.start, { heInit: true, epInit: true, calibrationSamples: 0 });
  t.ok(run.best.metric > 0 && run.best.metric < 30, `${run.best.metric} dB`);
  const audited = await a2q([...words('audit --json --run'), out]);
  t.equal(audited.code, 0, audited.stderr);
  const { layers } = JSON.parse(audited.stdout);
  t.same(
    layers.map(({ layer, proved }: { layer: string; proved: boolean | null }) => [layer, proved]),
    [
      ['conv1', null],
      ['conv2', true],
      ['conv3', true],
      ['conv4', null],
    ],
  );
});

t.test('the small classifier on a folder of images', { skip: skipWithout('cifar10-folder') }, async (t) => {
  const out = join(t.testdir({}), 'run');
  const flags = 'train --model cnn --dataset folder --batch-size 4 --method a2q --acc-bits 16 --data-dir';
  const root = join(REAL_DATA_DIR, 'cifar10-folder');
  const trained = await a2q([...words(flags), root, ...words(ONE_BATCH), out]);
  t.equal(trained.code, 0, trained.stderr);
  t.match(JSON.parse(trained.stdout).config.shape, { inputShape: [3, 32, 32], signed: true, classes: 10 });
  const elsewhere = await a2q([...words('eval --run'), out], { dataDir: join(root, '..') });
  t.match(elsewhere, { code: 2, stderr: /has no folder test or val with one sub-folder a class/ });
});
