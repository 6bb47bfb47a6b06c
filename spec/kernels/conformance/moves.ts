import type { Test } from 'tap';
import { viewSlice } from '../../../lib/tensor/view.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { compare, type Subject } from './subject.js';

const SHAPES: readonly (readonly number[])[] = [
  [],
  ...LENGTHS.map((n) => [n]),
  [3, 5],
  [2, 0, 3],
  [2, 3, 4],
  [2, 2, 2, 2, 3, 2],
];

/** Kernels that only move numbers, in any dtype: fill, copy, copyInto. */
export async function moveConformance(t: Test, s: Subject): Promise<void> {
  const k = s.backend;

  await s.test(t, 'fill', async () => {
    for (const shape of SHAPES) {
      for (const value of [0, 1, -3, s.store(0.1)]) {
        const data = new Array<number>(shape.reduce((size, extent) => size * extent, 1)).fill(value);
        await s.expect(
          `[${shape}] of ${value}`,
          () => ({ out: k.fill(shape, value, s.dtype) }),
          { out: { shape, data } },
          'exact',
        );
      }
    }
  });

  await s.test(t, 'copy', async () => {
    for (const shape of SHAPES) {
      for (const layout of LAYOUT_NAMES) {
        const x = s.array(shape, -1e6, 1e6);
        const view = s.view(x, LAYOUTS[layout]);
        await s.expect(`[${shape}] ${layout}`, () => ({ out: k.copy(view) }), { out: x }, 'exact');
      }
    }
    for (const shape of [[], [5], [4, 1], [3, 1, 1], [1, 4, 5], [3, 1, 5]]) {
      const { x, view } = s.expanded(s.array(shape, -1e6, 1e6), [3, 4, 5]);
      await s.expect(`[${shape}] stretched`, () => ({ out: k.copy(view) }), { out: x }, 'exact');
    }
  });

  await s.test(t, 'copyInto writes the elements of the view and no others', async () => {
    for (const shape of SHAPES) {
      for (const from of LAYOUT_NAMES) {
        for (const to of LAYOUT_NAMES) {
          const x = s.array(shape, -1e6, 1e6);
          const into = s.view(s.array(shape), LAYOUTS[to]);
          const block = { ...into, shape: [into.storage.length], strides: [1], offset: 0 };
          const earlier = await s.read(into);
          const before = await s.read(block);
          k.copyInto(s.view(x, LAYOUTS[from]), into);
          const label = `[${shape}] ${from} into ${to}`;
          s.check(label, compare(await s.read(into), x.data, 'exact'));
          k.copyInto(s.view({ shape, data: earlier }), into);
          s.check(`${label}, its neighbours`, compare(await s.read(block), before, 'exact'));
        }
      }
    }
  });

  await s.test(t, 'copyInto of a part', async () => {
    const whole = s.view(s.integers([4, 6], 0, 0));
    k.copyInto(s.expanded(s.integers([], 7, 7), [2, 2]).view, viewSlice(viewSlice(whole, 0, 1, 3), 1, 1, 6, 3));
    const want = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 7, 0, 0, 7, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    s.check('every third column of two rows', compare(await s.read(whole), want, 'exact'));
  });
}
