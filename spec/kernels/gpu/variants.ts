import fc from 'fast-check';
import type { Test } from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import type { View } from '../../../lib/tensor/view.js';
import { conv2d, type NumberArray } from '../../oracle.js';
import { CONVOLUTIONS, type ConvolutionCase, describeConvolution, randomConvolution } from '../conformance/geometry.js';
import { LAYOUT_NAMES, LAYOUTS } from '../conformance/layouts.js';
import { compare, Subject } from '../conformance/subject.js';
import { kernelsOf } from '../kernels.js';

type LayoutName = keyof typeof LAYOUTS;

/** `[batch, m, k, n]`: multiples of tiles and chunks, and none. */
const PRODUCTS = [
  [1, 1, 1, 1],
  [2, 5, 7, 6],
  [1, 16, 128, 16],
  [3, 4, 260, 8],
  [1, 65, 129, 70],
  [2, 8, 130, 1],
] as const;

/** 3×3 on images that tiles overhang, a 1×1, a stride of 2, and a depthwise one. */
const FEW = [2, 3, 7, 17];

/** How much is compared: everything, or a few cases where compiling takes long. */
export type Extent = 'all' | 'few';

/**
 * Holds every product and convolution to the same bits on all backends as on the first: the plain variant, which
 * conformance holds to its oracle.
 */
export async function sameBits(t: Test, plain: Backend, others: readonly Backend[], extent: Extent): Promise<void> {
  const standard = new Subject(plain, 'float32');
  const subjects = others.map((backend) => new Subject(backend, 'float32'));

  const run = async (
    label: string,
    inputs: readonly NumberArray[],
    layout: LayoutName,
    op: (backend: Backend, views: readonly View[]) => View,
  ) => {
    let want: number[] | null = null;
    for (const subject of [standard, ...subjects]) {
      const view = op(
        subject.backend,
        inputs.map((each) => subject.view(each, LAYOUTS[layout])),
      );
      // Adding 0 makes −0 and 0 the same.
      const numbers = (await subject.read(view)).map((x) => x + 0);
      view.storage.dispose();
      want ??= numbers;
      standard.check(label, compare(numbers, want, 'exact'));
    }
  };

  const convolution = async (each: ConvolutionCase, layout: LayoutName) => {
    const { image, outputs, kernel, geometry } = each;
    const weights = [outputs, image[1] / geometry.groups, ...kernel];
    const [x, w] = [standard.array(image), standard.array(weights)];
    const g = standard.array(conv2d(x, w, geometry).shape);
    const label = `${describeConvolution(each)}, ${layout}`;
    await run(`forward ${label}`, [x, w], layout, (b, [vx, vw]) => kernelsOf(b).conv2d(vx, vw, geometry));
    await run(`to input ${label}`, [g, w], layout, (b, [vg, vw]) =>
      kernelsOf(b).conv2dInputGrad(vg, vw, image, geometry),
    );
    await run(`to weights ${label}`, [g, x], layout, (b, [vg, vx]) =>
      kernelsOf(b).conv2dWeightGrad(vg, vx, weights, geometry),
    );
  };

  const layouts = extent === 'all' ? LAYOUT_NAMES : (['contiguous'] as const);
  const products = extent === 'all' ? PRODUCTS : PRODUCTS.slice(3);
  const geometries = extent === 'all' ? CONVOLUTIONS : CONVOLUTIONS.filter((_, i) => FEW.includes(i));

  await standard.test(t, 'products', async () => {
    for (const layout of layouts) {
      for (const [batch, m, k, n] of products) {
        const inputs = [standard.array([batch, m, k]), standard.array([batch, k, n])];
        await run(`[${batch}, ${m}, ${k}, ${n}] ${layout}`, inputs, layout, (b, [x, y]) => b.matmul(x, y));
      }
    }
  });

  await standard.test(t, 'convolutions', async () => {
    for (const each of geometries) await convolution(each, 'contiguous');
  });
  if (extent === 'few') return;

  await standard.test(t, 'convolutions in every layout, of random geometries', async () => {
    for (const layout of layouts) for (const i of FEW) await convolution(CONVOLUTIONS[i], layout);
    const cases = fc.record({ each: randomConvolution, layout: fc.constantFrom(...layouts) });
    await standard.property(60, cases, ({ each, layout }) => convolution(each, layout));
  });
}
