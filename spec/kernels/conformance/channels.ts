import type { Test } from 'tap';
import type { ChannelStats, FusedKernels, NormSettings } from '../../../lib/kernels/backend.js';
import { defaults } from '../../../lib/kernels/defaults.js';
import {
  batchNormGrad,
  channelAffine,
  channelStats,
  count,
  fakeQuantize,
  fakeQuantizeGrad,
  type NumberArray,
} from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { compare, type Subject } from './subject.js';

const SHAPES: readonly (readonly number[])[] = [
  [2, 3],
  [5, 1],
  [1, 4, 1, 1],
  [3, 2, 7],
  [2, 3, 4, 5],
  [2, 5, 3, 3],
  [1, 16, 4, 4],
  [3, 17, 1, 5],
  [2, 2, 5, 9],
];

/** Kernels that treat each channel (axis 1) on its own: statistics, affine maps, the gradient of batch norm. */
export async function channelConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const close = { tolerance: tolerances.normalized };
  const affine = async (label: string, x: NumberArray, layout: keyof typeof LAYOUTS) => {
    const vectors = [s.array([x.shape[1]]), s.array([x.shape[1]], 0.5, 2), s.array([x.shape[1]])] as const;
    const [mean, scale, shift] = vectors;
    const vx = s.view(x, LAYOUTS[layout]);
    const [vm, vs, vb] = vectors.map((vector) => s.view(vector, LAYOUTS[layout]));
    const want = { out: channelAffine(x, mean, scale, shift) };
    await s.expectFused(label, (k) => ({ out: k.channelAffine(vx, vm, vs, vb) }), want, {
      tolerance: 4 * tolerances.chained,
    });
  };
  const gradient = async (label: string, x: NumberArray, layout: keyof typeof LAYOUTS) => {
    const { mean, variance } = channelStats(x);
    const g = s.array(x.shape);
    const stored = (data: readonly number[]): NumberArray => ({ shape: [x.shape[1]], data: data.map(s.store) });
    const m = stored(mean.data);
    const rstd = stored(variance.data.map((v) => 1 / Math.sqrt(v + 1e-5)));
    const weight = s.array([x.shape[1]], 0.5, 2);
    const [vg, vx] = [s.view(g, LAYOUTS[layout]), s.view(x, LAYOUTS[layout])];
    const [vm, vr, vw] = [s.view(m), s.view(rstd), s.view(weight)];
    const want = batchNormGrad(g, x, m, rstd, weight);
    await s.expectFused(label, (k) => k.batchNormGrad(vg, vx, vm, vr, vw), { ...want }, close);
  };

  await s.test(t, 'channelStats', async () => {
    for (const shape of SHAPES) {
      for (const layout of LAYOUT_NAMES) {
        const x = s.array(shape, -2, 3);
        const view = s.view(x, LAYOUTS[layout]);
        await s.expectFused(`[${shape}] ${layout}`, (k) => ({ ...k.channelStats(view) }), channelStats(x), close);
      }
    }
  });

  await s.test(t, 'channelStats: a large mean costs the variance no digits', async () => {
    const x = s.array([4, 3, 8, 8], 1000, 1001);
    const view = s.view(x);
    const centred = { shape: x.shape, data: x.data.map((value) => value - 1000.5) };
    const want = { mean: channelStats(x).mean, variance: channelStats(centred).variance };
    await s.expectFused('1000 … 1001', (k) => ({ ...k.channelStats(view) }), want, close);
    const constant = s.view(s.integers([2, 2, 5], 3, 3));
    const zero = { mean: { shape: [2], data: [3, 3] }, variance: { shape: [2], data: [0, 0] } };
    await s.expectFused('constant', (k) => ({ ...k.channelStats(constant) }), zero, 'exact');
  });

  await s.test(t, 'channelAffine', async () => {
    for (const shape of SHAPES)
      for (const layout of LAYOUT_NAMES) await affine(`[${shape}] ${layout}`, s.array(shape), layout);
  });

  await s.test(t, 'batchNormGrad', async () => {
    for (const shape of SHAPES.filter((shape) => shape.reduce((a, b) => a * b, 1) / shape[1] > 1)) {
      for (const layout of LAYOUT_NAMES) await gradient(`[${shape}] ${layout}`, s.array(shape, -2, 3), layout);
    }
  });

  /** Activations, each with a scale that only grids look at; the last rounds half of the values out of its grid. */
  const ACTIVATIONS: readonly NormSettings['activation'][] = [
    'none',
    'relu',
    { low: 0, high: 15, relu: true },
    { low: -8, high: 7 },
    { low: -1, high: 1 },
    { low: 1, high: 4, relu: true },
  ];

  const norm = async (
    shape: readonly number[],
    activation: NormSettings['activation'],
    layout: keyof typeof LAYOUTS,
  ) => {
    const settings = { epsilon: 1e-3, activation };
    const channels = [shape[1]];
    const grid = typeof activation === 'string' ? null : activation;
    const scale = s.store(0.31);
    let [x, weight, bias, y, m, rstd] = [] as NumberArray[];
    // Values near a jump could fall on either side: such inputs are drawn anew.
    for (let clear = false; !clear; ) {
      [x, weight, bias] = [s.array(shape, -2, 3), s.array(channels, 0.5, 2), s.array(channels)];
      const stats = channelStats(x);
      m = stats.mean;
      rstd = { shape: channels, data: stats.variance.data.map((v) => 1 / Math.sqrt(v + settings.epsilon)) };
      y = channelAffine(x, m, { shape: channels, data: weight.data.map((w, c) => w * rstd.data[c]) }, bias);
      const distance = (at: number) => (grid ? Math.abs(at / scale - Math.floor(at / scale) - 0.5) : 1);
      clear = y.data.every((at) => distance(at) > 1e-4 && Math.abs(at) > 1e-5);
    }
    const variance = channelStats(x).variance;
    const g = s.array(shape);
    const [vx, vg] = [s.view(x, LAYOUTS[layout]), s.view(g, LAYOUTS[layout])];
    const [vw, vb] = [s.view(weight, LAYOUTS[layout]), s.view(bias, LAYOUTS[layout])];
    const vs = grid && s.view({ shape: [1], data: [scale] });
    const follower = grid ? `${grid.relu ? 'ReLU, ' : ''}${grid.low} … ${grid.high}` : activation;
    const label = `[${shape}] ${layout}, ${follower}`;

    const rectified = { shape, data: y.data.map((at) => (activation === 'relu' ? Math.max(at, 0) : at)) };
    const out = grid ? fakeQuantize(y, scale, grid, (value) => value) : rectified;
    const room = (): ChannelStats => ({
      mean: s.backend.fill(channels, 0, s.dtype),
      variance: s.backend.fill(channels, 0, s.dtype),
    });
    const forward = (k: FusedKernels) => {
      const stats = room();
      return { out: k.normActivate(vx, vw, vb, vs, settings, stats), ...stats };
    };
    await s.expectFused(label, forward, { out, mean: m, variance }, { tolerance: 2 * tolerances.normalized });

    const passed = { shape, data: g.data.map((at, i) => (activation === 'relu' && y.data[i] <= 0 ? 0 : at)) };
    const through = grid ? fakeQuantizeGrad(g, y, scale, grid, (value) => value) : { x: passed, scale: 0 };
    const grads = batchNormGrad(through.x, x, m, rstd, weight);
    const want = { ...grads, ...(grid ? { scale: { shape: [1], data: [through.scale] } } : {}) };
    const stats = { mean: s.view({ shape: channels, data: m.data.map(s.store) }), variance: s.view(variance) };
    const backward = (k: FusedKernels) => {
      const { scale: toScale, ...rest } = k.normActivateGrad(vg, vx, vw, vb, vs, settings, stats);
      return { ...rest, ...(toScale ? { scale: toScale } : {}) };
    };
    await s.expectFused(`${label}, gradients`, backward, want, { tolerance: 2 * tolerances.normalized });
  };

  await s.test(t, 'normActivate', async () => {
    const shapes = SHAPES.filter((shape) => count(shape) / shape[1] > 1);
    for (const activation of ACTIVATIONS) {
      for (const shape of shapes) await norm(shape, activation, 'contiguous');
      for (const layout of LAYOUT_NAMES) await norm([2, 3, 4, 5], activation, layout);
      await norm([2, 1, 17, 16], activation, 'contiguous');
      await norm([1, 1, 23, 25], activation, 'contiguous');
    }
  });

  await s.test(t, 'normActivate: a large mean costs the variance no digits', async () => {
    const x = s.array([4, 3, 8, 8], 1000, 1001);
    const one = s.view({ shape: [3], data: [1, 1, 1] });
    const view = s.view(x);
    const centred = { shape: x.shape, data: x.data.map((value) => value - 1000.5) };
    const want = { mean: channelStats(x).mean, variance: channelStats(centred).variance };
    const stats = (k: FusedKernels) => {
      const made = { mean: s.backend.fill([3], 0, s.dtype), variance: s.backend.fill([3], 0, s.dtype) };
      k.normActivate(view, one, one, null, { epsilon: 1e-5, activation: 'none' }, made).storage.dispose();
      return made;
    };
    await s.expectFused('1000 … 1001', stats, want, close);
  });

  await s.test(t, 'blendInto', async () => {
    for (const origin of ['own', 'composed'] as const) {
      const k = origin === 'own' ? s.backend : defaults(s.backend);
      for (const length of LENGTHS) {
        const [x, into] = [s.array([length]), s.array([length + 2])];
        const whole = s.view(into);
        k.blendInto(s.view(x, LAYOUTS.reversed), { ...whole, shape: [length], offset: 1 }, 0.75, 0.5);
        const want = into.data.map((old, i) => (i === 0 || i > length ? old : 0.75 * old + 0.5 * x.data[i - 1]));
        s.check(`${origin} ${length}`, compare(await s.read(whole), want, { tolerance: tolerances.chained }));
      }
    }
  });
}
