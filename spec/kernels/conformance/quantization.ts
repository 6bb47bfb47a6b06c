import fc from 'fast-check';
import type { Test } from 'tap';
import type { Backend, FusedKernels } from '../../../lib/kernels/backend.js';
import { fakeQuantize, fakeQuantizeGrad, kthSmallest, type NumberArray } from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

type LayoutName = keyof typeof LAYOUTS;

const GRIDS = [
  { low: 0, high: 15 },
  { low: -8, high: 7 },
  { low: 0, high: 255 },
  { low: -1, high: 0 },
  { low: 0, high: 15, relu: true },
  { low: -8, high: 7, relu: true },
];

/** Fake quantization with its straight-through gradients, and order statistics. */
export async function quantizationConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const run = async (
    label: string,
    x: NumberArray,
    scale: number,
    grid: (typeof GRIDS)[number],
    layout: LayoutName,
  ) => {
    const g = s.array(x.shape);
    const [vx, vg] = [s.view(x, LAYOUTS[layout]), s.view(g, LAYOUTS[layout])];
    for (const shape of [[], [1], [1, 1]]) {
      const vs = s.view({ shape, data: [scale] });
      const chained = { tolerance: tolerances.chained };
      const value = { out: fakeQuantize(x, scale, grid, s.store) };
      await s.expectFused(`${label}, scale [${shape}]`, (k) => ({ out: k.fakeQuantize(vx, vs, grid) }), value, chained);
      const want = fakeQuantizeGrad(g, x, scale, grid, s.store);
      const kept = { x: want.x };
      const kernel = (k: Parameters<Parameters<typeof s.expectFused>[1]>[0]) => k.fakeQuantizeGrad(vg, vx, vs, grid);
      const both = { ...kept, scale: { shape, data: [want.scale] } };
      await s.expectFused(`${label}, gradients, scale [${shape}]`, kernel, both, { tolerance: tolerances.accumulated });
    }
  };

  await s.test(t, 'powerScale', async () => {
    for (const n of LENGTHS) {
      const [x, g] = [s.array([n], -35, 5), s.array([n])];
      const [vx, vg] = [s.view(x), s.view(g, LAYOUTS.reversed)];
      const want = x.data.map((at) => Math.max(2 ** at, 1e-10) / 15);
      const slope = x.data.map((at, i) => (g.data[i] * Math.LN2 * 2 ** at) / 15);
      const close = { relative: 4 * tolerances.transcendental };
      await s.expectFused(`${n}`, (k) => ({ out: k.powerScale(vx, 15) }), { out: { shape: [n], data: want } }, close);
      const gradient = (k: FusedKernels) => ({ out: k.powerScaleGrad(vg, vx, 15) });
      await s.expectFused(`${n}, gradient`, gradient, { out: { shape: [n], data: slope } }, close);
    }
  });

  await s.test(t, 'fakeQuantize', async () => {
    for (const grid of GRIDS) {
      for (const n of LENGTHS)
        await run(
          `${n} on ${grid.relu ? 'ReLU, ' : ''}${grid.low} … ${grid.high}`,
          s.array([n], -3, 3),
          s.store(0.13),
          grid,
          'contiguous',
        );
      for (const layout of LAYOUT_NAMES) {
        await run(
          `${layout} on ${grid.relu ? 'ReLU, ' : ''}${grid.low} … ${grid.high}`,
          s.array([2, 3, 5], -3, 3),
          s.store(0.13),
          grid,
          layout,
        );
      }
    }
  });

  await s.test(t, 'fakeQuantize: ties go to even, the ends of the grid are inside', async () => {
    for (const grid of GRIDS) {
      const halves = Array.from({ length: 81 }, (_, i) => (i - 40) / 2);
      const beyond = [
        grid.low - 0.5,
        grid.low - 0.51,
        grid.high + 0.5,
        grid.high + 0.51,
        grid.high + 0.49,
        1000,
        -1000,
        -0,
      ];
      const onGrid = [...halves, ...beyond].map(s.store);
      for (const scale of [1, 0.25, 8]) {
        const x = { shape: [onGrid.length], data: onGrid.map((value) => value * scale) };
        await run(
          `scale ${scale} on ${grid.relu ? 'ReLU, ' : ''}${grid.low} … ${grid.high}`,
          x,
          scale,
          grid,
          'contiguous',
        );
      }
    }
  });

  await s.test(t, 'fakeQuantize of random numbers', async () => {
    const cases = fc.record({
      n: fc.integer({ min: 0, max: 70 }),
      scale: fc.double({ min: 0.01, max: 3, noNaN: true }),
      grid: fc.constantFrom(...GRIDS),
      layout: fc.constantFrom(...LAYOUT_NAMES),
    });
    await s.property(60, cases, ({ n, scale, grid, layout }) =>
      run('random', s.array([n], -5, 5), s.store(scale), grid, layout),
    );
  });

  const rank = async (label: string, x: NumberArray, k: number, layout: LayoutName) => {
    const { value, index } = kthSmallest(x, k);
    const want = { value: { shape: [], data: [value] }, index: { shape: [], data: [index] } };
    const view = s.view(x, LAYOUTS[layout]);
    await s.expectFused(`${label}, the ${k}-th`, (kernels) => ({ ...kernels.kthSmallest(view, k) }), want, 'exact');
    const g = s.array([]);
    const vg = s.view(g);
    const placed = { shape: x.shape, data: [...x.data].map((_, i) => (i === index ? g.data[0] : 0)) };
    const gradient = (kernels: Pick<Backend, 'kthSmallestGrad'>) => ({
      x: kernels.kthSmallestGrad(vg, view, k),
    });
    await s.expectFused(`${label}, gradient of the ${k}-th`, gradient, { x: placed }, 'exact');
  };

  await s.test(t, 'kthSmallest', async () => {
    for (const n of LENGTHS.filter((length) => length > 0)) {
      for (let k = 1; k <= n; k++) {
        await rank(`${n} distinct`, s.array([n]), k, 'contiguous');
        await rank(`${n} of few values`, s.integers([n], -1, 1), k, 'contiguous');
      }
    }
    for (const layout of LAYOUT_NAMES) {
      for (const k of [1, 2, 17, 59, 60]) await rank(layout, s.array([3, 4, 5]), k, layout);
    }
    // From the bottom, and on both sides of where backends may go another way.
    for (const k of [1, 500, 952, 953, 2999]) await rank('one of many', s.array([3000]), k, 'contiguous');
    for (const k of [100, 2500]) await rank('many of few values', s.integers([2600], -1, 1), k, 'contiguous');
    await rank('one number', { shape: [], data: [s.store(0.3)] }, 1, 'contiguous');
    await rank('infinities', { shape: [5], data: [Infinity, 3, -Infinity, 1, Infinity] }, 1, 'contiguous');
    await rank('infinities', { shape: [5], data: [Infinity, 3, -Infinity, 1, Infinity] }, 4, 'contiguous');
    await rank('zeros of both signs', { shape: [4], data: [1, -0, 0, -1] }, 3, 'contiguous');
  });
}
