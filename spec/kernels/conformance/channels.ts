import type { Test } from 'tap';
import { batchNormGrad, channelAffine, channelStats, type NumberArray } from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import type { Subject } from './subject.js';

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
}
