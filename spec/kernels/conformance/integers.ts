import type { Test } from 'tap';
import { moveConformance } from './moves.js';
import type { Subject } from './subject.js';

/** int32 is stored and moved, to the last bit; nothing computes with it. */
export async function integerConformance(t: Test, s: Subject): Promise<void> {
  await moveConformance(t, s);

  await s.test(t, 'the ends of the range and numbers floats do not hold', async () => {
    const x = { shape: [5], data: [-(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1, -(2 ** 24) - 1, 987654321] };
    const view = s.view(x);
    await s.expect('copy', () => ({ out: s.backend.copy(view) }), { out: x }, 'exact');
    for (const value of x.data) {
      const out = { shape: [3], data: [value, value, value] };
      await s.expect(`fill ${value}`, () => ({ out: s.backend.fill([3], value, s.dtype) }), { out }, 'exact');
    }
    const into = s.view(s.integers([5], 0, 0));
    s.backend.copyInto(view, into);
    await s.expect('copyInto', () => ({ out: s.backend.copy(into) }), { out: x }, 'exact');
  });
}
