import fc from 'fast-check';
import type { Test } from 'tap';
import { matmul, type NumberArray } from '../../oracle.js';
import type { Comparison, Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

/** Batched matrix products: extents around vector and block sizes, every layout of both operands. */
export async function matmulConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  type LayoutName = keyof typeof LAYOUTS;
  const run = (a: NumberArray, b: NumberArray, comparison: Comparison, left: LayoutName, right: LayoutName) => {
    const [x, y] = [s.view(a, LAYOUTS[left]), s.view(b, LAYOUTS[right])];
    const label = `[${a.shape}] ${left} · [${b.shape}] ${right}`;
    return s.expect(label, () => ({ out: s.backend.matmul(x, y) }), { out: matmul(a, b) }, comparison);
  };
  const close = { tolerance: tolerances.accumulated };

  await s.test(t, 'matmul of all small extents', async () => {
    for (const m of LENGTHS) {
      for (const k of LENGTHS) {
        for (const n of LENGTHS) await run(s.array([1, m, k]), s.array([1, k, n]), close, 'contiguous', 'contiguous');
      }
    }
  });

  await s.test(t, 'matmul in every layout', async () => {
    for (const left of LAYOUT_NAMES) {
      for (const right of LAYOUT_NAMES) {
        await run(s.array([3, 5, 7]), s.array([3, 7, 6]), close, left, right);
        await run(s.array([1, 17, 33]), s.array([1, 33, 20]), close, left, right);
      }
    }
  });

  await s.test(t, 'matmul with a transposed operand, or one repeated for the whole batch', async () => {
    for (const [m, k, n] of [
      [5, 7, 6],
      [16, 16, 16],
      [33, 20, 18],
    ]) {
      const [a, b] = [s.array([2, m, k]), s.array([2, k, n])];
      const swap = ([batch, rows, columns]: readonly number[]) => ({
        length: batch * rows * columns,
        strides: [rows * columns, 1, rows],
        offset: 0,
      });
      const kernels = {
        plain: [s.view(a), s.view(b)],
        left: [s.view(a, swap), s.view(b)],
        right: [s.view(a), s.view(b, swap)],
        both: [s.view(a, swap), s.view(b, swap)],
      };
      for (const [name, [x, y]] of Object.entries(kernels)) {
        await s.expect(
          `${name} of ${[m, k, n]}`,
          () => ({ out: s.backend.matmul(x, y) }),
          { out: matmul(a, b) },
          close,
        );
      }
      const [one, many] = [s.expanded(s.array([1, m, k]), [4, m, k]), s.array([4, k, n])];
      const views = [one.view, s.view(many)];
      await s.expect(
        'one left',
        () => ({ out: s.backend.matmul(views[0], views[1]) }),
        { out: matmul(one.x, many) },
        close,
      );
      const row = s.expanded(s.array([4, 1, k]), [4, m, k]);
      await s.expect(
        'equal rows',
        () => ({ out: s.backend.matmul(row.view, views[1]) }),
        { out: matmul(row.x, many) },
        close,
      );
    }
  });

  await s.test(t, 'matmul across block borders', async () => {
    for (const [m, k, n] of [
      [65, 129, 70],
      [1, 300, 40],
      [40, 300, 1],
      [130, 3, 66],
      [7, 513, 9],
    ]) {
      await run(s.array([1, m, k]), s.array([1, k, n]), close, 'contiguous', 'contiguous');
    }
  });

  await s.test(t, 'matmul of whole numbers is exact', async () => {
    await run(
      s.integers([2, 19, 67], -100, 100),
      s.integers([2, 67, 21], -100, 100),
      'exact',
      'contiguous',
      'contiguous',
    );
  });

  await s.test(t, 'matmul of nothing', async () => {
    for (const [batch, m, k, n] of [
      [0, 2, 3, 4],
      [2, 0, 3, 4],
      [2, 2, 0, 4],
      [2, 2, 3, 0],
    ]) {
      await run(s.array([batch, m, k]), s.array([batch, k, n]), 'exact', 'contiguous', 'contiguous');
    }
  });

  await s.test(t, 'matmul of random shapes', async () => {
    const extent = fc.integer({ min: 0, max: 24 });
    const layout = fc.constantFrom(...LAYOUT_NAMES);
    const cases = fc.record({
      batch: fc.integer({ min: 0, max: 3 }),
      m: extent,
      k: extent,
      n: extent,
      left: layout,
      right: layout,
    });
    await s.property(60, cases, async ({ batch, m, k, n, left, right }) => {
      await run(s.array([batch, m, k]), s.array([batch, k, n]), close, left, right);
    });
  });
}
