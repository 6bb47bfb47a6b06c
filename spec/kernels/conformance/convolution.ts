import type { Test } from 'tap';
import {
  col2im,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  im2col,
  type NumberArray,
  type OracleWindow,
} from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { CONVOLUTIONS, type ConvolutionCase, describeConvolution, randomConvolution } from './geometry.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import type { Subject } from './subject.js';

/** im2col and its adjoint, convolution and both its gradients. */
export async function convolutionConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const close = { tolerance: tolerances.accumulated };
  type LayoutName = keyof typeof LAYOUTS;

  const runColumns = async ({ image, kernel, geometry }: ConvolutionCase, layout: LayoutName) => {
    const { groups: _, ...rest } = geometry;
    const window: OracleWindow = { ...rest, kernel };
    const x = s.array(image);
    const columns = im2col(x, window);
    const view = s.view(x, LAYOUTS[layout]);
    await s.expect(`im2col ${layout}`, () => ({ out: s.backend.im2col(view, window) }), { out: columns }, 'exact');
    const g = s.array(columns.shape);
    const gradient = s.view(g, LAYOUTS[layout]);
    const kernelCall = () => ({ out: s.backend.col2im(gradient, image, window) });
    await s.expect(`col2im ${layout}`, kernelCall, { out: col2im(g, image, window) }, close);
  };

  const runConvolution = async ({ image, outputs, kernel, geometry }: ConvolutionCase, layout: LayoutName) => {
    const x = s.array(image);
    const w = s.array([outputs, image[1] / geometry.groups, ...kernel]);
    const y = conv2d(x, w, geometry);
    const g = s.array(y.shape);
    const place = (array: NumberArray) => s.view(array, LAYOUTS[layout]);
    const [vx, vw, vg] = [place(x), place(w), place(g)];
    await s.expectFused(`conv2d ${layout}`, (k) => ({ out: k.conv2d(vx, vw, geometry) }), { out: y }, close);
    await s.expectFused(
      `conv2dInputGrad ${layout}`,
      (k) => ({ out: k.conv2dInputGrad(vg, vw, image, geometry) }),
      { out: conv2dInputGrad(g, w, image, geometry) },
      close,
    );
    await s.expectFused(
      `conv2dWeightGrad ${layout}`,
      (k) => ({ out: k.conv2dWeightGrad(vg, vx, w.shape, geometry) }),
      { out: conv2dWeightGrad(g, x, w.shape, geometry) },
      close,
    );
  };

  for (const each of CONVOLUTIONS) {
    await s.test(t, `convolution of ${describeConvolution(each)}`, async () => {
      await runColumns(each, 'contiguous');
      await runConvolution(each, 'contiguous');
    });
  }

  await s.test(t, 'convolution in every layout', async () => {
    for (const layout of LAYOUT_NAMES) {
      for (const each of CONVOLUTIONS.filter((_, i) => [1, 3, 7, 14, 16].includes(i))) {
        await runColumns(each, layout);
        await runConvolution(each, layout);
      }
    }
  });

  await s.test(t, 'convolution of one image repeated, with equal weights', async () => {
    const geometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 2 } as const;
    const x = s.expanded(s.array([1, 4, 6, 5]), [3, 4, 6, 5]);
    const w = s.expanded(s.array([6, 2, 1, 1]), [6, 2, 3, 3]);
    const y = conv2d(x.x, w.x, geometry);
    await s.expectFused('conv2d', (k) => ({ out: k.conv2d(x.view, w.view, geometry) }), { out: y }, close);
    const g = s.expanded(s.array([1, 1, 1, 1]), y.shape);
    await s.expectFused(
      'conv2dInputGrad',
      (k) => ({ out: k.conv2dInputGrad(g.view, w.view, x.x.shape, geometry) }),
      { out: conv2dInputGrad(g.x, w.x, x.x.shape, geometry) },
      close,
    );
    await s.expectFused(
      'conv2dWeightGrad',
      (k) => ({ out: k.conv2dWeightGrad(g.view, x.view, w.x.shape, geometry) }),
      { out: conv2dWeightGrad(g.x, x.x, w.x.shape, geometry) },
      close,
    );
  });

  await s.test(t, 'convolution of random geometries', async () => {
    await s.property(60, randomConvolution, async (each) => {
      await runColumns(each, 'contiguous');
      await runConvolution(each, 'contiguous');
    });
  });
}
