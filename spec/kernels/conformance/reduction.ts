import fc from 'fast-check';
import type { Test } from 'tap';
import { type NumberArray, reduce } from '../../oracle.js';
import type { Comparison, Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

/** Sums and maxima over every choice of axes. */
export async function reductionConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const run = (op: 'sum' | 'max', x: NumberArray, axes: readonly number[], layout: keyof typeof LAYOUTS) => {
    const view = s.view(x, LAYOUTS[layout]);
    const comparison: Comparison = op === 'max' ? 'exact' : { tolerance: tolerances.accumulated };
    const label = `[${x.shape}] over ${axes}, ${layout}`;
    return s.expect(label, () => ({ out: s.backend.reduce(op, view, axes) }), { out: reduce(op, x, axes) }, comparison);
  };

  for (const op of ['sum', 'max'] as const) {
    await s.test(t, `${op} of vectors`, async () => {
      for (const n of [...LENGTHS, 1000]) {
        for (const layout of LAYOUT_NAMES) await run(op, s.array([n]), [0], layout);
      }
    });
    await s.test(t, `${op} of matrices along either axis`, async () => {
      for (const rows of LENGTHS) {
        for (const columns of LENGTHS) {
          for (const axes of [[0], [1], [0, 1]]) await run(op, s.array([rows, columns]), axes, 'contiguous');
        }
      }
    });
    await s.test(t, `${op} over every set of axes, in every layout`, async () => {
      for (const axes of subsets(4)) {
        for (const layout of LAYOUT_NAMES) await run(op, s.array([2, 3, 4, 5]), axes, layout);
        const { x, view } = s.expanded(s.array([2, 1, 4, 1]), [2, 3, 4, 5]);
        const comparison: Comparison = op === 'max' ? 'exact' : { tolerance: tolerances.accumulated };
        await s.expect(
          `stretched over ${axes}`,
          () => ({ out: s.backend.reduce(op, view, axes) }),
          { out: reduce(op, x, axes) },
          comparison,
        );
      }
    });
    await s.test(t, `${op} of random shapes`, async () => {
      const shape = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 5 });
      const cases = fc.record({ shape, choice: fc.nat(), layout: fc.constantFrom(...LAYOUT_NAMES) });
      await s.property(100, cases, async ({ shape, choice, layout }) => {
        const sets = subsets(shape.length);
        await run(op, s.array(shape), sets[choice % sets.length], layout);
      });
    });
  }

  await s.test(t, 'empty, infinite and undefined', async () => {
    const literal = async (op: 'sum' | 'max', shape: number[], data: number[], axes: number[], want: NumberArray) => {
      const view = s.view({ shape, data });
      await s.expect(
        `${op} of [${shape}] ${data}`,
        () => ({ out: s.backend.reduce(op, view, axes) }),
        { out: want },
        'exact',
      );
    };
    await literal('sum', [0], [], [0], { shape: [1], data: [0] });
    await literal('max', [0], [], [0], { shape: [1], data: [-inf] });
    await literal('sum', [2, 0], [], [1], { shape: [2, 1], data: [0, 0] });
    await literal('max', [0, 3], [], [0], { shape: [1, 3], data: [-inf, -inf, -inf] });
    await literal('max', [0, 3], [], [1], { shape: [0, 1], data: [] });
    for (let place = 0; place < 9; place++) {
      const data = Array.from({ length: 9 }, (_, i) => (i === place ? nan : i));
      await literal('max', [9], data, [0], { shape: [1], data: [nan] });
      await literal('sum', [9], data, [0], { shape: [1], data: [nan] });
    }
    await literal('max', [5], [-inf, -inf, -inf, -inf, -inf], [0], { shape: [1], data: [-inf] });
    await literal('max', [5], [-5, -4, -3, -9, -7], [0], { shape: [1], data: [-3] });
    await literal('sum', [3], [inf, 1, -inf], [0], { shape: [1], data: [nan] });
  });

  await s.test(t, 'a long sum keeps its digits, and whole numbers stay exact', async () => {
    const tenths = s.view({ shape: [50_000], data: new Array<number>(50_000).fill(s.store(0.1)) });
    const total = { shape: [1], data: [50_000 * s.store(0.1)] };
    await s.expect(
      'tenths',
      () => ({ out: s.backend.reduce('sum', tenths, [0]) }),
      { out: total },
      { tolerance: tolerances.longSum },
    );
    const whole = s.integers([40, 1000], -100, 100);
    const view = s.view(whole);
    await s.expect(
      'whole',
      () => ({ out: s.backend.reduce('sum', view, [1]) }),
      { out: reduce('sum', whole, [1]) },
      'exact',
    );
  });
}

/** All non-empty sets of `rank` axes, each ascending. */
function subsets(rank: number): number[][] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return Array.from({ length: 2 ** rank - 1 }, (_, i) => axes.filter((axis) => ((i + 1) >> axis) & 1));
}
