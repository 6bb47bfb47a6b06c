import { backendOf, transposeLast } from '../../kernels/value.js';
import { ShapeError } from '../../tensor/errors.js';
import { type Row, row } from '../row.js';

/** The matrix product, linear in each argument: the arithmetic an accumulator carries out. */
export const linearRows = {
  /** `a [B, m, k] · b [B, k, n] → [B, m, n]` */
  matmul: row<Record<never, never>>({
    name: 'matmul',
    shape: ([a, b]) => {
      if (a.length !== 3 || b.length !== 3 || a[0] !== b[0]) {
        throw new ShapeError('matmul', 'operands must be [batch, m, k] and [batch, k, n]', [a, b]);
      }
      if (a[2] !== b[1]) throw new ShapeError('matmul', `inner dimensions differ (${a[2]} and ${b[1]})`, [a, b]);
      return [a[0], a[1], b[2]];
    },
    value: ([a, b]) => backendOf(a).matmul(a, b),
    saves: [0, 1],
    vjp: [
      (g, s) => backendOf(g).matmul(g, transposeLast(s.input(1))),
      (g, s) => backendOf(g).matmul(transposeLast(s.input(0)), g),
    ],
  }),
} satisfies Record<string, Row<never>>;
