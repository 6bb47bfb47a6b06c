import fc from 'fast-check';
import type { Test } from 'tap';
import { quantizationRows } from '../../../lib/autograd/rows/quantization.js';
import { reductionRows } from '../../../lib/autograd/rows/reduction.js';
import { fakeQuantize, fakeQuantizeGrad, kthSmallest, type NumberArray } from '../../oracle.js';
import { ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { expectGradient, expectRow } from './rows.js';
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
    const { value, gradient } = ROW_TOLERANCES.fakeQuantize(tolerances);
    for (const shape of [[], [1], [1, 1]]) {
      const vs = s.view({ shape, data: [scale] });
      const given = { row: quantizationRows.fakeQuantize, inputs: [vx, vs], attrs: grid };
      const out = fakeQuantize(x, scale, grid, s.store);
      await expectRow(s, `${label}, scale [${shape}]`, given, { out }, value);
      const grads = fakeQuantizeGrad(g, x, scale, grid, s.store);
      const want = { x: grads.x, scale: { shape, data: [grads.scale] } };
      await expectGradient(s, `${label}, gradients, scale [${shape}]`, given, vg, want, gradient);
    }
  };

  await s.test(t, 'powerScale', async () => {
    for (const n of LENGTHS) {
      const [x, g] = [s.array([n], -35, 5), s.array([n])];
      const [vx, vg] = [s.view(x), s.view(g, LAYOUTS.reversed)];
      const want = x.data.map((at) => Math.max(2 ** at, 1e-10) / 15);
      const slope = x.data.map((at, i) => (g.data[i] * Math.LN2 * 2 ** at) / 15);
      const given = { row: quantizationRows.powerScale, inputs: [vx], attrs: { divisor: 15 } };
      const { value, gradient } = ROW_TOLERANCES.powerScale(tolerances);
      await expectRow(s, `${n}`, given, { out: { shape: [n], data: want } }, value);
      await expectGradient(s, `${n}, gradient`, given, vg, { x: { shape: [n], data: slope } }, gradient);
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
    const given = { row: reductionRows.kthSmallest, inputs: [s.view(x, LAYOUTS[layout])], attrs: { k } };
    await expectRow(s, `${label}, the ${k}-th`, given, { value: { shape: [], data: [value] } }, 'exact');
    const g = s.array([]);
    const placed = { shape: x.shape, data: [...x.data].map((_, i) => (i === index ? g.data[0] : 0)) };
    await expectGradient(s, `${label}, gradient of the ${k}-th`, given, s.view(g), { x: placed }, 'exact');
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
    const gaps = { shape: [6], data: [NaN, 2, -Infinity, NaN, Infinity, -1] };
    for (let k = 1; k <= 6; k++) await rank('NaN comes last', gaps, k, 'contiguous');
    const many = s.array([99]).data.map((value, i) => (i % 9 === 4 ? Number.NaN : value));
    for (const k of [1, 2, 30, 60, 87, 88, 89, 99])
      await rank('of many, 11 NaN', { shape: [99], data: many }, k, 'contiguous');
    await rank('zeros of both signs', { shape: [4], data: [1, -0, 0, -1] }, 3, 'contiguous');
  });
}
