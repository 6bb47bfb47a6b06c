import t from 'tap';
import { glyphs } from '../../lib/data/glyphs.js';
import { currentBackend } from '../../lib/kernels/registry.js';
import { SmallCnn } from '../../lib/nn/models/smallCnn.js';
import { Adam } from '../../lib/nn/optim/index.js';
import { constantLR } from '../../lib/nn/schedule.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { Random } from '../../lib/tensor/random.js';
import { memory } from '../../lib/tensor/storage.js';
import { fit } from '../../lib/train/fit.js';
import { classification } from '../../lib/train/task.js';

// Alone in its file: what other tests leave to the garbage collector would be counted too.
t.test('a thousand steps in flat memory', async (t) => {
  const make = layerPolicy({
    method: 'a2q+',
    weightBits: 4,
    actBits: 4,
    accumulatorBits: 12,
    collectStatsSteps: 20,
    random: new Random(1),
  });
  const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10, widths: [4, 4] });
  const device = currentBackend();
  const use = new Map<number, { bytes: number; storages: number; rss: number }>();
  await fit({
    model,
    optimizer: new Adam(model.parameters(), { learningRate: 1e-3 }),
    schedule: constantLR(),
    task: classification(),
    dataset: glyphs({ length: 8000, normalise: false }),
    batchSize: 4,
    epochs: 1,
    seed: 0,
    onStep: ({ step }) => {
      const { bytes, storages } = memory(device);
      use.set(step, { bytes, storages, rss: process.memoryUsage.rss() });
    },
  });
  // Garbage piles up for about a thousand steps before it is first collected; from then on the level is steady.
  const [early, late] = [use.get(1000), use.get(2000)];
  if (!early || !late) throw new Error('there were not 2000 steps');
  t.equal(late.bytes, early.bytes, 'live tensor bytes');
  t.equal(late.storages, early.storages, 'live storages');
  t.ok(late.rss - early.rss < 64 * 2 ** 20, `RSS grew by ${((late.rss - early.rss) / 2 ** 20).toFixed(0)} MiB`);
});
