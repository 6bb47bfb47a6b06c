import t from 'tap';
import { glyphs } from '../../lib/data/glyphs.js';
import '../../lib/kernels/registry.js';
import { Flatten } from '../../lib/nn/layers/activation.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { Linear } from '../../lib/nn/layers/linear.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import { floatLayers } from '../../lib/nn/models/floatLayers.js';
import { SmallCnn } from '../../lib/nn/models/smallCnn.js';
import type { Module } from '../../lib/nn/module.js';
import { SGD } from '../../lib/nn/optim/index.js';
import { constantLR, stepLR } from '../../lib/nn/schedule.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { DataError, DivergenceError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { type EpochReport, type FitOptions, fit, type Position, START, type StepReport } from '../../lib/train/fit.js';
import { classification, superResolution } from '../../lib/train/task.js';
import { closeTo } from '../helpers.js';
import { pairs, zeroLinear } from './networks.js';
import { diarySource } from './sources.js';

function options(model: Module, more: Partial<FitOptions> = {}): FitOptions {
  return {
    model,
    optimizer: new SGD(model.parameters(), { learningRate: 0.1 }),
    schedule: constantLR(),
    task: classification(),
    dataset: pairs(2),
    batchSize: 2,
    epochs: 1,
    seed: 0,
    ...more,
  };
}

t.test('one step, worked by hand', async (t) => {
  const model = zeroLinear();
  const steps: StepReport[] = [];
  const epochs: EpochReport[] = [];
  const result = await fit(options(model, { onStep: (s) => steps.push(s), onEpoch: (e) => void epochs.push(e) }));
  // p = 1/2, so row 0 has the mean gradient (−½·(0, 1) + ½·(1, 1))/2 = (¼, 0); row 1 has its negative.
  closeTo(t, await model.parameters()[0].data(), [-0.025, 0, 0.025, 0], 1e-7, 'W − 0.1·gradient');
  closeTo(t, [steps[0].loss, epochs[0].loss, result.epochs[0].loss], [Math.LN2, Math.LN2, Math.LN2], 1e-6, 'ln 2');
  t.match(steps, [{ epoch: 0, batch: 0, step: 1, penalty: 0 }]);
  t.match(epochs, [{ epoch: 0, step: 1, penalty: 0, learningRate: 0.1 }]);
  t.equal(result.interrupted, false);
  t.same(result.position, { epoch: 1, batch: 0, step: 1, lossSum: 0, penaltySum: 0, samples: 0 });
  t.equal(model.parameters()[0].grad, null, 'no gradient is left behind');
});

t.test('epochs, batches and learning rates', async (t) => {
  const model = zeroLinear();
  const seen: string[] = [];
  const rates: number[] = [];
  await fit(
    options(model, {
      dataset: pairs(7),
      epochs: 3,
      limitBatches: 3,
      schedule: stepLR({ stepSize: 1, gamma: 0.5 }),
      onStep: ({ epoch, batch, step }) => seen.push(`${epoch}.${batch}.${step}`),
      onEpoch: ({ learningRate }) => void rates.push(learningRate),
    }),
  );
  t.same(seen, ['0.0.1', '0.1.2', '0.2.3', '1.0.4', '1.1.5', '1.2.6', '2.0.7', '2.1.8', '2.2.9']);
  t.same(rates, [0.1, 0.05, 0.025]);
});

t.test('the regulariser reaches the norms and scales with its weight', async (t) => {
  const policy = { method: 'a2q', weightBits: 4, actBits: 4, accumulatorBits: 8 } as const;
  const trained = async (penaltyWeight: number) => {
    const make = layerPolicy({ ...policy, random: new Random(3) });
    const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10, widths: [2, 3] });
    const before = await model.stateDict();
    let penalty = 0;
    await fit(
      options(model, {
        dataset: glyphs({ length: 4, normalise: false }),
        batchSize: 4,
        penaltyWeight,
        onStep: (report) => {
          penalty = report.penalty;
        },
      }),
    );
    return { before, after: await model.stateDict(), penalty };
  };
  const [off, on] = [await trained(0), await trained(1)];
  const read = (state: typeof off.before, name: string) => state.get(`stages.1.conv.weight_quant.${name}`)?.data ?? [];
  const T = (2 ** 7 - 1) / 2 ** 4;
  const g = Array.from(read(off.before, 't'), (value) => 2 ** value);
  const s = Array.from(read(off.before, 'd'), (value) => 2 ** value);
  const excess = g.map((norm, i) => Math.max(norm - T * s[i], 0));
  t.ok(
    excess.every((value) => value > 0),
    'every channel starts above its cap',
  );
  closeTo(t, [on.penalty, off.penalty], Array(2).fill(excess.reduce((a, b) => a + b)), 1e-5, 'Σ max(g − T·s, 0)');
  const moved = (name: string) => Array.from(read(on.after, name), (value, i) => value - read(off.after, name)[i]);
  closeTo(
    t,
    moved('t'),
    g.map((norm) => -0.1 * Math.LN2 * norm),
    1e-5,
    '−η·λ·∂R/∂t',
  );
  closeTo(
    t,
    moved('d'),
    s.map((scale) => 0.1 * Math.LN2 * T * scale),
    1e-5,
    '−η·λ·∂R/∂d',
  );
});

t.test('a signal stops it after the step under way, and it goes on to the same weights', async (t) => {
  const straight = zeroLinear();
  const settings = { dataset: pairs(9), epochs: 3 };
  const report: EpochReport[] = [];
  await fit(options(straight, { ...settings, onEpoch: (e) => void report.push(e) }));

  const model = zeroLinear();
  const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
  const controller = new AbortController();
  const onStep = ({ step }: StepReport) => {
    if (step === 7) controller.abort();
  };
  const first = await fit(options(model, { ...settings, optimizer, onStep, signal: controller.signal }));
  t.equal(first.interrupted, true);
  t.match(first.position, { epoch: 1, batch: 2, step: 7, samples: 4 });
  t.equal(first.epochs.length, 1);
  const again: EpochReport[] = [];
  const start: Position = JSON.parse(JSON.stringify(first.position));
  await fit(options(model, { ...settings, optimizer, start, onEpoch: (e) => void again.push(e) }));
  t.same(await model.parameters()[0].data(), await straight.parameters()[0].data(), 'the same bits');
  t.same(
    again.map(({ epoch, loss }) => [epoch, loss]),
    report.slice(1).map(({ epoch, loss }) => [epoch, loss]),
    'the interrupted epoch is reported as a whole',
  );
});

t.test('a signal during the end of an epoch leaves that end outstanding', async (t) => {
  const controller = new AbortController();
  const model = zeroLinear();
  const onEpoch = () => {
    controller.abort();
    controller.signal.throwIfAborted();
  };
  const { position, interrupted } = await fit(
    options(model, { dataset: pairs(4), epochs: 2, onEpoch, signal: controller.signal }),
  );
  t.equal(interrupted, true);
  t.match(position, { epoch: 0, batch: 2, step: 2 });
  const weights = await model.parameters()[0].data();
  const epochs: number[] = [];
  const start = { start: position, onEpoch: ({ epoch }: EpochReport) => void epochs.push(epoch) };
  await fit(options(model, { dataset: pairs(4), epochs: 1, ...start }));
  t.same(epochs, [0], 'only the end is made up for');
  t.same(await model.parameters()[0].data(), weights);
});

t.test('a source trains to the same weights; the next epoch is opened before the end of the last', async (t) => {
  const [plain, fed] = [zeroLinear(), zeroLinear()];
  const settings = { batchSize: 2, epochs: 2, limitBatches: 3 };
  await fit(options(plain, { dataset: pairs(9), ...settings }));
  const diary: string[] = [];
  const dataset = diarySource(pairs(9), diary);
  await fit(options(fed, { dataset, ...settings, onEpoch: ({ epoch }) => void diary.push(`report ${epoch}`) }));
  t.same(await fed.parameters()[0].data(), await plain.parameters()[0].data());
  t.same(diary, ['open 0.0', 'end 0', 'open 1.0', 'report 0', 'end 1', 'report 1']);
});

t.test('what was opened is closed, however training ends', async (t) => {
  const settings = (diary: string[]) => ({ dataset: diarySource(pairs(8), diary), epochs: 3, batchSize: 2 });
  const stopped: string[] = [];
  const controller = new AbortController();
  const onStep = ({ step }: StepReport) => {
    if (step === 6) controller.abort();
  };
  const { position } = await fit(options(zeroLinear(), { ...settings(stopped), onStep, signal: controller.signal }));
  t.same(stopped, ['open 0.0', 'end 0', 'open 1.0', 'close 1']);

  const resumed: string[] = [];
  await fit(options(zeroLinear(), { ...settings(resumed), epochs: 2, start: position }));
  t.same(resumed, ['open 1.2', 'end 1']);

  const failed: string[] = [];
  const onEpoch = () => Promise.reject(new Error('full disk'));
  await t.rejects(fit(options(zeroLinear(), { ...settings(failed), onEpoch })), { message: 'full disk' });
  t.same(failed, ['open 0.0', 'end 0', 'open 1.0', 'close 1'], 'the one that was opened ahead');
});

t.test('errors', async (t) => {
  await t.rejects(fit(options(zeroLinear(), { task: superResolution() })), DataError);
  await t.rejects(fit(options(zeroLinear(), { task: superResolution() })), {
    message: /pairs holds labels, but the task \(psnr\) wants images/,
  });
  const wild = zeroLinear();
  const optimizer = new SGD(wild.parameters(), { learningRate: 1e38 });
  const diverging = fit(options(wild, { optimizer, dataset: pairs(8), epochs: 9 }));
  await t.rejects(diverging, DivergenceError);
  await t.rejects(diverging, { message: /training diverged in epoch \d, batch \d: loss .*lower the learning rate/ });
  await t.rejects(fit(options(zeroLinear(), { limitBatches: 0 })), { message: /limit must be a positive integer/ });
  const failing = fit(options(zeroLinear(), { onEpoch: () => Promise.reject(new Error('full disk')) }));
  await t.rejects(failing, { message: 'full disk' });
});

t.test('timers and signals get their turn', async (t) => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await fit(options(zeroLinear(), { dataset: pairs(400), epochs: 2 }));
  clearInterval(timer);
  t.ok(turns > 0);
});

t.test('batch norms keep their running statistics after the epochs asked for, and still learn γ and β', async (t) => {
  const make = floatLayers(new Random(3));
  const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10, widths: [2, 3] });
  const states: Map<string, ArrayLike<number>>[] = [];
  await fit(
    options(model, {
      dataset: glyphs({ length: 8, normalise: false }),
      batchSize: 4,
      epochs: 3,
      freezeNorms: 2,
      onEpoch: async () => {
        states.push(new Map([...(await model.stateDict())].map(([name, { data }]) => [name, Array.from(data)])));
      },
    }),
  );
  const differs = (name: string, a: number, b: number) =>
    JSON.stringify(states[a].get(name)) !== JSON.stringify(states[b].get(name));
  const names = [...states[0].keys()];
  const running = names.filter((name) => /running_(mean|var)$/.test(name));
  const learned = names.filter((name) => running.some((each) => name === each.replace(/running_\w+$/, 'weight')));
  t.ok(running.length >= 4 && learned.length >= 2, 'there are batch norms');
  for (const name of running) {
    t.ok(differs(name, 0, 1), `${name} moves in the second epoch`);
    t.notOk(differs(name, 1, 2), `${name} stays in the third`);
  }
  for (const name of learned) t.ok(differs(name, 1, 2), `${name} is still trained in the third`);
});

t.test(
  'a last batch of one image that a batch norm cannot take is left out, and known before the first step',
  async (t) => {
    const random = new Random(0);
    const flat = () =>
      new Sequential(new Flatten(), new Linear(2, 4, { random }), new BatchNorm2d(4), new Linear(4, 2, { random }));
    const steps = async (model: Module, length: number, more: Partial<FitOptions> = {}) => {
      let count = 0;
      await fit(options(model, { dataset: pairs(length), batchSize: 4, onStep: () => count++, ...more }));
      return count;
    };
    t.equal(await steps(flat(), 9), 2, 'the ninth image is left out');
    t.equal(await steps(flat(), 10), 3, 'two are enough');
    t.equal(await steps(flat(), 9, { limitBatches: 3 }), 2);
    t.equal(await steps(zeroLinear(), 9), 3, 'without a batch norm one is enough');
    const wide = new Sequential(new BatchNorm2d(1), new Flatten(), new Linear(2, 2, { random }));
    t.equal(await steps(wide, 9), 3, 'and with two pixels for each channel');
    const model = flat();
    const before = JSON.stringify([...(await model.stateDict())].map(([name, { data }]) => [name, [...data]]));
    await t.rejects(steps(model, 9, { batchSize: 1 }), {
      message: /batches of one image .*take a batch size of at least 2/,
    });
    await t.rejects(steps(model, 1), { name: 'DataError', message: /there must be more images/ });
    const after = JSON.stringify([...(await model.stateDict())].map(([name, { data }]) => [name, [...data]]));
    t.equal(after, before, 'nothing was done to the model');
  },
);

t.test('options that no step could be taken with are named before the first', async (t) => {
  const model = zeroLinear();
  const before = await model.parameters()[0].data();
  const refused = (more: object, message: RegExp) => t.rejects(fit(options(model, more)), { message });
  for (const epochs of [undefined, Number.NaN, -1, 1.5, '3']) await refused({ epochs }, /^fit: epochs must be/);
  for (const start of [{}, { ...START, batch: -1 }, { ...START, lossSum: Number.NaN }]) {
    await refused({ start }, /^fit: .* of start must be/);
  }
  await refused({ start: 5 }, /^fit: start must be an object; got the number 5/);
  await refused({ dataset: pairs(0) }, /^fit: pairs has no samples/);
  for (const penaltyWeight of [Number.NaN, -1]) await refused({ penaltyWeight }, /^fit: penaltyWeight must be/);
  const optimizer = new SGD(zeroLinear().parameters(), { learningRate: 0.1 });
  await refused({ optimizer }, /^fit: the optimizer holds none of the parameters of the model/);
  await refused({ onStep: 5 }, /^fit: onStep must be a function; got the number 5/);
  await refused({ onEpoch: {} }, /^fit: onEpoch must be a function/);
  await refused({ schedule: 0.1 }, /^fit: the schedule must be a function/);
  await refused({ schedule: () => Number.NaN }, /the learning rate at time 0 must be a finite number/);
  await refused({ seed: 0.5 }, /^fit: seed must be an integer/);
  await refused({ freezeNorms: -1 }, /^fit: freezeNorms must be an integer/);
  await refused({ dataset: { ...pairs(2), write: undefined } }, /the dataset must have a method write/);
  t.same(await model.parameters()[0].data(), before);
});
