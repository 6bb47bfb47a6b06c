import { type ConvGeometry, windowExtents } from '../../kernels/backend.js';
import { backendOf, transposeLast } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { type Row, row } from '../row.js';

/** Rows that are linear in each argument: the arithmetic an accumulator carries out. */
export const linearRows = {
  /** `a [B, m, k] · b [B, k, n] → [B, m, n]` */
  matmul: row<Record<never, never>>({
    shape: ([a, b]) => {
      if (a.length !== 3 || b.length !== 3 || a[0] !== b[0]) {
        throw new ShapeError('matmul', 'operands must be [batch, m, k] and [batch, k, n]', [a, b]);
      }
      if (a[2] !== b[1]) throw new ShapeError('matmul', `inner dimensions differ (${a[2]} and ${b[1]})`, [a, b]);
      return [a[0], a[1], b[2]];
    },
    forward: (k, [a, b]) => k.matmul(a, b),
    saves: [0, 1],
    vjp: [
      (g, s) => backendOf(g).matmul(g, transposeLast(s.input(1))),
      (g, s) => backendOf(g).matmul(transposeLast(s.input(0)), g),
    ],
  }),
  /** `x [N, C, H, W] * w [O, C/groups, kh, kw] → [N, O, oh, ow]` (cross-correlation, as in every framework) */
  conv2d: row<ConvGeometry>({
    shape: ([x, w], geometry) => {
      if (x.length !== 4 || w.length !== 4) throw new ShapeError('conv2d', 'x and w must have 4 axes', [x, w]);
      const { groups } = geometry;
      if (x[1] % groups !== 0 || w[0] % groups !== 0) {
        throw new ShapeError('conv2d', `channels are not divisible by groups = ${groups}`, [x, w]);
      }
      if (x[1] / groups !== w[1]) {
        throw new ShapeError('conv2d', `w takes ${w[1]} channels a group, x has ${x[1]} in ${groups} groups`, [x, w]);
      }
      const [height, width] = windowExtents({ ...geometry, kernel: [w[2], w[3]] }, x[2], x[3]);
      if (height < 1 || width < 1) throw new ShapeError('conv2d', 'the kernel is larger than the padded image', [x, w]);
      return [x[0], w[0], height, width];
    },
    forward: (k, [x, w], geometry) => k.conv2d(x, w, geometry),
    saves: [0, 1],
    vjp: [
      (g, s) => backendOf(g).conv2dInputGrad(g, s.input(1), s.shapes[0], s.attrs),
      (g, s) => backendOf(g).conv2dWeightGrad(g, s.input(0), s.shapes[1], s.attrs),
    ],
  }),
} satisfies Record<string, Row<never>>;
