import fc from 'fast-check';
import type { Test } from 'tap';
import { imageRows } from '../../../lib/autograd/rows/images.js';
import {
  maxPool2d,
  maxPool2dGrad,
  type NumberArray,
  type OracleWindow,
  upsampleNearest,
  upsampleNearestGrad,
} from '../../oracle.js';
import { ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import { expectGradient, expectRow } from './rows.js';
import type { Subject } from './subject.js';

type LayoutName = keyof typeof LAYOUTS;

interface PoolCase {
  readonly image: readonly [number, number, number, number];
  readonly window: OracleWindow;
}

function pool(image: PoolCase['image'], kernel: number, stride: number, padding = 0, dilation = 1): PoolCase {
  const both = (n: number) => [n, n] as const;
  return {
    image,
    window: { kernel: both(kernel), stride: both(stride), padding: both(padding), dilation: both(dilation) },
  };
}

const POOLS: readonly PoolCase[] = [
  pool([1, 1, 2, 2], 2, 2),
  pool([2, 3, 8, 8], 2, 2),
  pool([2, 3, 7, 9], 2, 2),
  pool([2, 2, 9, 9], 3, 2, 1),
  pool([1, 4, 5, 17], 3, 1, 1),
  pool([1, 2, 10, 10], 3, 3),
  pool([1, 2, 9, 9], 3, 1, 1, 2),
  pool([1, 3, 6, 6], 1, 1),
  pool([1, 2, 4, 4], 4, 4, 2),
  pool([0, 2, 4, 4], 2, 2),
  { image: [2, 2, 6, 9], window: { kernel: [2, 3], stride: [1, 2], padding: [1, 0], dilation: [1, 1] } },
];

/** Maximum pooling and nearest up-sampling with their gradients. */
export async function poolingConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const runPool = async (label: string, x: NumberArray, window: OracleWindow, layout: LayoutName) => {
    const y = maxPool2d(x, window);
    const g = s.array(y.shape);
    const [vx, vy, vg] = [x, y, g].map((array) => s.view(array, LAYOUTS[layout]));
    const given = { row: imageRows.maxPool2d, inputs: [vx], attrs: window, outputs: [vy] };
    const { value, gradient } = ROW_TOLERANCES.maxPool2d(tolerances);
    await expectRow(s, `${label} ${layout}`, given, { out: y }, value);
    await expectGradient(s, `${label} gradient ${layout}`, given, vg, { x: maxPool2dGrad(g, x, window) }, gradient);
  };

  await s.test(t, 'maxPool2d', async () => {
    for (const { image, window } of POOLS) {
      for (const layout of LAYOUT_NAMES) await runPool(`[${image}] ${window.kernel}`, s.array(image), window, layout);
    }
  });

  await s.test(t, 'maxPool2d: the first of equal maxima gets the gradient, padding never wins', async () => {
    for (const { image, window } of POOLS) {
      await runPool(`[${image}] of few values`, s.integers(image, -3, -2), window, 'contiguous');
      await runPool(`[${image}] of one value`, s.integers(image, -7, -7), window, 'contiguous');
      await runPool(`[${image}] of zeros`, s.integers(image, 0, 0), window, 'contiguous');
      const bottomless = { shape: image, data: s.integers(image, 0, 1).data.map((bit) => (bit ? -1 : -Infinity)) };
      await runPool(`[${image}] of −∞`, bottomless, window, 'contiguous');
    }
  });

  await s.test(t, 'maxPool2d of random geometries', async () => {
    const extent = fc.integer({ min: 1, max: 9 });
    const cases = fc
      .record({ n: fc.integer({ min: 1, max: 2 }), c: fc.integer({ min: 1, max: 5 }), height: extent, width: extent })
      .chain((image) =>
        fc.record({
          image: fc.constant(image),
          kernel: fc.tuple(fc.integer({ min: 1, max: image.height }), fc.integer({ min: 1, max: image.width })),
          stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
          half: fc.boolean(),
          layout: fc.constantFrom(...LAYOUT_NAMES),
        }),
      );
    await s.property(60, cases, async ({ image: { n, c, height, width }, kernel, stride, half, layout }) => {
      const padding = half ? ([Math.floor(kernel[0] / 2), Math.floor(kernel[1] / 2)] as const) : ([0, 0] as const);
      await runPool(
        'random',
        s.integers([n, c, height, width], -3, 3),
        { kernel, stride, padding, dilation: [1, 1] },
        layout,
      );
    });
  });

  await s.test(t, 'upsampleNearest', async () => {
    const { value, gradient } = ROW_TOLERANCES.upsampleNearest(tolerances);
    for (const factor of [1, 2, 3, 4]) {
      for (const image of [
        [1, 1, 1, 1],
        [2, 3, 4, 5],
        [1, 4, 3, 17],
        [0, 2, 3, 3],
      ]) {
        for (const layout of LAYOUT_NAMES) {
          const x = s.array(image);
          const y = upsampleNearest(x, factor);
          const g = s.array(y.shape);
          const [vx, vg] = [s.view(x, LAYOUTS[layout]), s.view(g, LAYOUTS[layout])];
          const label = `[${image}] × ${factor} ${layout}`;
          const given = { row: imageRows.upsampleNearest, inputs: [vx], attrs: { factor } };
          await expectRow(s, label, given, { out: y }, value);
          await expectGradient(s, `${label} gradient`, given, vg, { x: upsampleNearestGrad(g, factor) }, gradient);
        }
      }
    }
  });
}
