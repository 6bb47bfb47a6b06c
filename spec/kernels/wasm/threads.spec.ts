import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { ConvGeometry } from '../../../lib/kernels/geometry.js';
import { createWasmBackend, loadWasmBackend, type WasmBackend } from '../../../lib/kernels/wasm/index.js';
import { Random } from '../../../lib/tensor/random.js';
import { type Shape, sizeOf } from '../../../lib/tensor/shape.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { WIDE } from '../../oracle.js';
import { type Follower, kernelsOf } from '../kernels.js';

/** Inputs that do not depend on the backend: the n-th call makes the same numbers on each. */
class Source {
  readonly #random = new Random(77);
  constructor(readonly backend: WasmBackend) {}

  next(...shape: number[]): View {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => this.#random.uniform(-1, 1));
    return contiguousView(Storage.alloc(this.backend, data.length, 'float32', data), shape);
  }
}

const PLAIN: ConvGeometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
const STRIDED: ConvGeometry = { stride: [2, 2], padding: [1, 1], dilation: [1, 1], groups: 1 };

/** What may follow a batch norm. */
const FOLLOWERS: readonly ((k: WasmBackend) => Follower)[] = [
  () => 'none',
  () => 'relu',
  (k) => ({ low: 0, high: 15, relu: true, scale: k.fill([1], 0.037, 'float32') }),
];

/** Jobs large enough to be split, each returning all it computes. */
const JOBS: Readonly<Record<string, (k: WasmBackend, s: Source) => View[]>> = {
  matmul: (k, s) => [
    k.matmul(s.next(1, 150, 300), s.next(1, 300, 170)),
    k.matmul(s.next(9, 60, 70), s.next(9, 70, 80)),
  ],
  binary: (k, s) => [k.binary('mul', s.next(700, 1000), s.next(700, 1000))],
  'copy of a transpose': (k, s) => [k.copy({ ...s.next(900, 800), shape: [800, 900], strides: [1, 800] })],
  exp: (k, s) => [k.unary('exp', s.next(300001))],
  reduce: (k, s) => {
    const x = s.next(8, 24, 64, 65);
    return [[0, 2, 3], [0, 1, 2, 3], [1], [0, 1]].map((axes) => k.reduce('sum', x, axes));
  },
  'convolution of wide images': (k, s) => convolve(k, s, [3, 20, 40, 37], [26, 20, 3, 3], PLAIN),
  'convolution of one image': (k, s) => convolve(k, s, [1, 20, 60, 64], [16, 20, 3, 3], PLAIN),
  'convolution of small images': (k, s) => convolve(k, s, [20, 40, 5, 5], [50, 40, 3, 3], PLAIN),
  'strided convolution': (k, s) => convolve(k, s, [4, 20, 33, 34], [24, 20, 3, 3], STRIDED),
  'depthwise convolution': (k, s) => convolve(k, s, [12, 48, 16, 16], [48, 1, 3, 3], { ...PLAIN, groups: 48 }),
  'depthwise convolution of narrow images': (k, s) =>
    convolve(k, s, [40, 300, 4, 4], [300, 1, 3, 3], { ...PLAIN, groups: 300 }),
  'strided depthwise convolution': (k, s) =>
    convolve(k, s, [12, 50, 32, 30], [50, 1, 3, 3], { ...STRIDED, groups: 50 }),
  'batch norm': (k, s) =>
    FOLLOWERS.flatMap((follower) =>
      [
        [8, 30, 40, 40],
        [32, 80, 7, 7],
      ].flatMap(([images, channels, height, width]) => {
        const [x, g] = [s.next(images, channels, height, width), s.next(images, channels, height, width)];
        const [weight, bias] = [s.next(channels), s.next(channels)];
        const given = [x, weight, bias, 1e-5, follower(k)] as const;
        const [y, ...stats] = kernelsOf(k).batchNorm(...given);
        return [y, ...stats, ...kernelsOf(k).batchNormGrad(g, [...given], stats)];
      }),
    ),
  'accumulator-aware weights': (k, s) => {
    const [w, g, d, t] = [s.next(300, 40, 5, 5), s.next(300, 40, 5, 5), s.next(300), s.next(300)];
    const bound = { limit: 7, centred: true, budget: 300, accumulator: WIDE };
    const { a2qWeights, a2qWeightsGrad } = kernelsOf(k);
    return [a2qWeights(w, d, t, bound), ...a2qWeightsGrad(g, w, d, t, bound)];
  },
  'fake quantization': (k, s) => {
    const [x, g] = [s.next(400000), s.next(400000)];
    const scale = k.fill([1], 0.037, 'float32');
    const { fakeQuantize, fakeQuantizeGrad } = kernelsOf(k);
    return [fakeQuantize(x, scale, { low: -8, high: 7 }), ...fakeQuantizeGrad(g, x, scale, { low: -8, high: 7 })];
  },
  pooling: (k, s) => {
    const window = { kernel: [3, 3], stride: [2, 2], padding: [1, 1], dilation: [1, 1] } as const;
    const x = s.next(8, 16, 40, 40);
    const { maxPool2d, maxPool2dGrad, upsampleNearest } = kernelsOf(k);
    const y = maxPool2d(x, window);
    const bare = maxPool2d(x, { ...window, padding: [0, 0] });
    return [y, bare, maxPool2dGrad(s.next(...y.shape), x, y, window), upsampleNearest(x, 2)];
  },
  'optimizer steps': (k, s) => {
    const [p, g, m, v] = [s.next(300000), s.next(300000), s.next(300000), k.fill([300000], 0.1, 'float32')];
    const step = {
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      weightDecay: 0.1,
      decoupled: true,
      step: 3,
    };
    k.fast?.adam?.([{ parameter: p, gradient: g, first: m, second: v, largest: null }], step);
    const [q, velocity] = [s.next(300000), s.next(300000)];
    const rates = { learningRate: 0.1, momentum: 0.9, dampening: 0, nesterov: true, weightDecay: 0.1, first: false };
    k.fast?.sgd?.([{ parameter: q, gradient: g, velocity }], rates);
    return [p, m, v, q, velocity];
  },
};

function convolve(k: WasmBackend, s: Source, x: Shape, w: Shape, geometry: ConvGeometry): View[] {
  const [image, weights] = [s.next(...x), s.next(...w)];
  const { conv2d, conv2dInputGrad, conv2dWeightGrad } = kernelsOf(k);
  const y = conv2d(image, weights, geometry);
  const g = s.next(...y.shape);
  return [y, conv2dInputGrad(g, weights, x, geometry), conv2dWeightGrad(g, image, w, geometry)];
}

function bits(backend: WasmBackend, views: readonly View[]): Int32Array[] {
  return views.map((view) => {
    const floats = backend.host!(view.storage.handle, view.storage.length, 'float32').slice();
    return new Int32Array(floats.buffer);
  });
}

t.test('results are the same bits for any number of threads, time and again', async (t) => {
  const one = createWasmBackend({ relaxedSimd: false });
  const teams = [];
  for (const threads of [2, 3, 5]) teams.push(await loadWasmBackend({ relaxedSimd: false, threads }));
  t.same(
    teams.map((team) => team.describe().threads),
    [2, 3, 5],
  );
  for (const [name, job] of Object.entries(JOBS)) {
    let want: Int32Array[] = [];
    scope(() => {
      want = bits(one, job(one, new Source(one)));
    });
    for (const team of teams) {
      let equal = true;
      for (let repeat = 0; repeat < 4; repeat++) {
        scope(() => {
          const got = bits(team, job(team, new Source(team)));
          equal &&= got.every(
            (block, i) => Buffer.compare(Buffer.from(block.buffer), Buffer.from(want[i].buffer)) === 0,
          );
        });
      }
      t.ok(equal, `${name} on ${team.describe().threads} threads`);
    }
  }
  for (const team of teams) team.close();
});

t.test('goes on alone once closed', async (t) => {
  const team = await loadWasmBackend({ threads: 2, relaxedSimd: false });
  team.close();
  t.equal(team.describe().threads, 1);
  const x = contiguousView(Storage.alloc(team, 400000, 'float32', new Float32Array(400000).fill(2)), [400000]);
  t.equal(team.host!(team.reduce('sum', x, [0]).storage.handle, 1, 'float32')[0], 800000);
});

t.test('refuses a senseless number of threads', async (t) => {
  for (const threads of [0, -1, 1.5, Number.NaN]) {
    t.throws(() => createWasmBackend({ threads }), { name: 'BackendError' });
  }
});

t.test('helper threads neither keep a process alive nor burn processor time when idle', async (t) => {
  const index = fileURLToPath(new URL('../../../lib/kernels/wasm/index.js', import.meta.url));
  const script = `
    import { loadWasmBackend } from ${JSON.stringify(index)};
    await loadWasmBackend({ threads: 2 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const used = process.cpuUsage(before);
    process.stdout.write(String(used.user + used.system));`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 15000 });
  t.equal(run.status, 0, 'the process ended by itself');
  t.ok(Number(run.stdout.toString()) < 100_000, `idle for 400 ms took ${run.stdout.toString()} µs of processor time`);
});
