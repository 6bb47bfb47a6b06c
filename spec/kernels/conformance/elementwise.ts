import fc from 'fast-check';
import type { Test } from 'tap';
import type { BinaryOp, UnaryOp } from '../../../lib/kernels/backend.js';
import type { View } from '../../../lib/tensor/view.js';
import { binary, type NumberArray, unary, where } from '../../oracle.js';
import type { Comparison, Tolerances } from '../../tolerances.js';
import { BINARY_OPS, UNARY_OPS } from '../ops.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

const SHAPES: readonly (readonly number[])[] = [
  [],
  ...LENGTHS.map((n) => [n]),
  [3, 5],
  [2, 0, 3],
  [2, 3, 4],
  [2, 3, 1, 17],
];

/** Shapes that stretch to [3, 4, 5]. */
const STRETCHED: readonly (readonly number[])[] = [[], [1, 1, 1], [5], [4, 1], [3, 1, 1], [1, 4, 5], [3, 1, 5]];

const POSITIVE_ONLY: readonly UnaryOp[] = ['log', 'log2', 'sqrt'];

/** Elementwise kernels on floats, in every layout and with every kind of broadcasting. */
export async function elementwiseConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const stored = (x: NumberArray) => ({ out: { shape: x.shape, data: x.data.map(s.store) } });

  for (const op of UNARY_OPS) {
    await s.test(t, op, async () => {
      const draw = (shape: readonly number[]) =>
        POSITIVE_ONLY.includes(op) ? s.array(shape, 0.001, 20) : s.array(shape, -9, 9);
      const run = (label: string, x: NumberArray, view: View) =>
        s.expect(label, () => ({ out: s.backend.unary(op, view) }), stored(unary(op, x)), precision(op, tolerances));
      for (const shape of SHAPES) {
        for (const layout of LAYOUT_NAMES) {
          const x = draw(shape);
          await run(`[${shape}] ${layout}`, x, s.view(x, LAYOUTS[layout]));
        }
      }
      for (const shape of STRETCHED) {
        const { x, view } = s.expanded(draw(shape), [3, 4, 5]);
        await run(`[${shape}] stretched`, x, view);
      }
    });
  }

  const runBinary = (op: BinaryOp, label: string, a: Operand, b: Operand) =>
    s.expect(
      label,
      () => ({ out: s.backend.binary(op, a.view, b.view) }),
      stored(binary(op, a.x, b.x)),
      op === 'pow' ? { relative: 8 * tolerances.transcendental } : 'exact',
    );
  const operand = (x: NumberArray, layout: keyof typeof LAYOUTS = 'contiguous') => ({
    x,
    view: s.view(x, LAYOUTS[layout]),
  });

  for (const op of BINARY_OPS) {
    await s.test(t, op, async () => {
      for (const shape of SHAPES) {
        await runBinary(op, `[${shape}]`, operand(s.array(shape)), operand(s.array(shape)));
        const ties = () => operand(s.integers(shape, -1, 1));
        await runBinary(op, `[${shape}], many equal`, ties(), ties());
      }
      for (const first of LAYOUT_NAMES) {
        for (const second of LAYOUT_NAMES) {
          const [a, b] = [operand(s.array([2, 3, 5]), first), operand(s.array([2, 3, 5]), second)];
          await runBinary(op, `${first} and ${second}`, a, b);
        }
      }
      const dense = operand(s.array([3, 4, 5]));
      await runBinary(op, 'an operand with itself', dense, dense);
      for (const shape of STRETCHED) {
        const stretched = s.expanded(s.array(shape), [3, 4, 5]);
        await runBinary(op, `dense and [${shape}] stretched`, dense, stretched);
        await runBinary(op, `[${shape}] stretched and dense`, stretched, dense);
      }
    });
  }

  await s.test(
    t,
    'pow: fractions of positive numbers, whole powers of any, and what IEEE 754 says at the edges',
    async () => {
      for (const shape of SHAPES) {
        await runBinary('pow', `[${shape}] positive`, operand(s.array(shape, 0.1, 9)), operand(s.array(shape, -4, 4)));
        await runBinary('pow', `[${shape}] whole`, operand(s.array(shape, -3, 3)), operand(s.integers(shape, -5, 5)));
      }
      const edges = [0, 1, -1, 2, -2, 0.5, 3, Number.POSITIVE_INFINITY];
      const pairs = edges.flatMap((a) => edges.map((b) => [a, b] as const));
      const column = (i: 0 | 1) => operand({ shape: [pairs.length], data: pairs.map((pair) => pair[i]) });
      await runBinary('pow', 'edges', column(0), column(1));
    },
  );

  await s.test(t, 'binary: random shapes, layouts and broadcasting', async () => {
    const axis = fc.record({ extent: fc.integer({ min: 0, max: 9 }), stretchA: fc.boolean(), stretchB: fc.boolean() });
    const layout = fc.constantFrom(...LAYOUT_NAMES);
    const op = fc.constantFrom(...BINARY_OPS);
    const cases = fc.record({ op, axes: fc.array(axis, { maxLength: 5 }), layoutA: layout, layoutB: layout });
    await s.property(150, cases, async ({ op, axes, layoutA, layoutB }) => {
      const shape = axes.map(({ extent }) => extent);
      const shapeA = axes.map(({ extent, stretchA }) => (stretchA ? 1 : extent));
      const shapeB = axes.map(({ extent, stretchB }) => (stretchB ? 1 : extent));
      const a = s.expanded(s.array(shapeA), shape, LAYOUTS[layoutA]);
      const b = s.expanded(s.array(shapeB), shape, LAYOUTS[layoutB]);
      await runBinary(op, `${op} [${shapeA}] ${layoutA}, [${shapeB}] ${layoutB}`, a, b);
    });
  });

  await s.test(t, 'where', async () => {
    const run = (label: string, condition: Operand, a: Operand, b: Operand) => {
      const kernel = () => ({ out: s.backend.where(condition.view, a.view, b.view) });
      return s.expect(label, kernel, { out: where(condition.x, a.x, b.x) }, 'exact');
    };
    for (const shape of SHAPES) {
      for (const layout of LAYOUT_NAMES) {
        const condition = operand(s.integers(shape, -1, 1), layout);
        await run(`[${shape}] ${layout}`, condition, operand(s.array(shape)), operand(s.array(shape), layout));
      }
    }
    for (const shape of STRETCHED) {
      const condition = s.expanded(s.integers(shape, 0, 1), [3, 4, 5]);
      const number = s.expanded(s.array([]), [3, 4, 5]);
      await run(`condition [${shape}] stretched`, condition, number, operand(s.array([3, 4, 5])));
      await run(
        `choice [${shape}] stretched`,
        operand(s.integers([3, 4, 5], 0, 1)),
        s.expanded(s.array(shape), [3, 4, 5]),
        number,
      );
    }
  });
}

interface Operand {
  readonly x: NumberArray;
  readonly view: View;
}

function precision(op: UnaryOp, { transcendental }: Tolerances): Comparison {
  if (op === 'exp' || op === 'exp2') return { relative: transcendental };
  // The oracle integrates.
  if (op === 'erf') return { tolerance: 2 * transcendental };
  return ['log', 'log2', 'tanh', 'sigmoid'].includes(op) ? { tolerance: transcendental } : 'exact';
}
