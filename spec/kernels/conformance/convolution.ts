import type { Test } from 'tap';
import { convolutionRows } from '../../../lib/autograd/rows/convolution.js';
import {
  col2im,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  im2col,
  type NumberArray,
  type OracleWindow,
} from '../../oracle.js';
import { ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { CONVOLUTIONS, type ConvolutionCase, describeConvolution, randomConvolution } from './geometry.js';
import { LAYOUT_NAMES, LAYOUTS } from './layouts.js';
import { expectGradient, expectRow } from './rows.js';
import type { Subject } from './subject.js';

/** im2col and its adjoint, convolution and both its gradients. */
export async function convolutionConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const close = { tolerance: tolerances.accumulated };
  const { value, gradient } = ROW_TOLERANCES.conv2d(tolerances);
  const { conv2d: conv2dRow } = convolutionRows;
  type LayoutName = keyof typeof LAYOUTS;

  const runColumns = async ({ image, kernel, geometry }: ConvolutionCase, layout: LayoutName) => {
    const { groups: _, ...rest } = geometry;
    const window: OracleWindow = { ...rest, kernel };
    const x = s.array(image);
    const columns = im2col(x, window);
    const view = s.view(x, LAYOUTS[layout]);
    await s.expect(`im2col ${layout}`, () => ({ out: s.backend.im2col(view, window) }), { out: columns }, 'exact');
    const g = s.array(columns.shape);
    const toColumns = s.view(g, LAYOUTS[layout]);
    const kernelCall = () => ({ out: s.backend.col2im(toColumns, image, window) });
    await s.expect(`col2im ${layout}`, kernelCall, { out: col2im(g, image, window) }, close);
  };

  const runConvolution = async ({ image, outputs, kernel, geometry }: ConvolutionCase, layout: LayoutName) => {
    const x = s.array(image);
    const w = s.array([outputs, image[1] / geometry.groups, ...kernel]);
    const y = conv2d(x, w, geometry);
    const g = s.array(y.shape);
    const place = (array: NumberArray) => s.view(array, LAYOUTS[layout]);
    const [vx, vw, vg] = [place(x), place(w), place(g)];
    const given = { row: conv2dRow, inputs: [vx, vw], attrs: geometry };
    await expectRow(s, `conv2d ${layout}`, given, { out: y }, value);
    const want = { x: conv2dInputGrad(g, w, image, geometry), w: conv2dWeightGrad(g, x, w.shape, geometry) };
    await expectGradient(s, `gradients ${layout}`, given, vg, want, gradient);
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
    const given = { row: conv2dRow, inputs: [x.view, w.view], attrs: geometry };
    await expectRow(s, 'conv2d', given, { out: y }, value);
    const g = s.expanded(s.array([1, 1, 1, 1]), y.shape);
    const want = {
      x: conv2dInputGrad(g.x, w.x, x.x.shape, geometry),
      w: conv2dWeightGrad(g.x, x.x, w.x.shape, geometry),
    };
    await expectGradient(s, 'gradients', given, g.view, want, gradient);
  });

  await s.test(t, 'convolution of random geometries', async () => {
    await s.property(60, randomConvolution, async (each) => {
      await runColumns(each, 'contiguous');
      await runConvolution(each, 'contiguous');
    });
  });
}
