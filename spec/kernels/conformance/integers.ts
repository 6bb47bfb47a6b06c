import fc from 'fast-check';
import type { Test } from 'tap';
import type { BinaryOp, UnaryOp } from '../../../lib/kernels/backend.js';
import { binary, im2col, integerMatmul, type NumberArray, reduce, unary, where } from '../../oracle.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { moveConformance } from './moves.js';
import type { Subject } from './subject.js';

const UNARY: readonly UnaryOp[] = ['neg', 'abs', 'sign', 'square', 'relu'];
const BINARY: readonly BinaryOp[] = [
  'add',
  'sub',
  'mul',
  'minimum',
  'maximum',
  'equal',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
];

const LOWEST = -(2 ** 31);
const HIGHEST = 2 ** 31 - 1;

/** Kernels on int32: exact everywhere, modulo 2³² where a result does not fit. */
export async function integerConformance(t: Test, s: Subject): Promise<void> {
  const k = s.backend;
  await moveConformance(t, s);

  for (const op of UNARY) {
    await s.test(t, op, async () => {
      for (const n of LENGTHS) {
        for (const layout of LAYOUT_NAMES) {
          const x = s.integers([n, 3], -30_000, 30_000);
          const view = s.view(x, LAYOUTS[layout]);
          await s.expect(`${n} ${layout}`, () => ({ out: k.unary(op, view) }), { out: unary(op, x) }, 'exact');
        }
      }
    });
  }

  for (const op of BINARY) {
    await s.test(t, op, async () => {
      for (const n of LENGTHS) {
        for (const layout of LAYOUT_NAMES) {
          for (const high of [2, 30_000]) {
            const [a, b] = [s.integers([n, 3], -high, high), s.integers([n, 3], -high, high)];
            const [x, y] = [s.view(a), s.view(b, LAYOUTS[layout])];
            await s.expect(`${n} ${layout}`, () => ({ out: k.binary(op, x, y) }), { out: binary(op, a, b) }, 'exact');
          }
        }
      }
    });
  }

  await s.test(t, 'results wrap modulo 2³²', async () => {
    const a = [HIGHEST, LOWEST, 65536, 123456789, LOWEST];
    const b = [1, -1, 65536, 987654321, LOWEST];
    const [x, y] = [s.view({ shape: [5], data: a }), s.view({ shape: [5], data: b })];
    const wrapped = (f: (a: bigint, b: bigint) => bigint) => ({
      out: { shape: [5], data: a.map((value, i) => Number(BigInt.asIntN(32, f(BigInt(value), BigInt(b[i]))))) },
    });
    await s.expect(
      'add',
      () => ({ out: k.binary('add', x, y) }),
      wrapped((p, q) => p + q),
      'exact',
    );
    await s.expect(
      'sub',
      () => ({ out: k.binary('sub', x, y) }),
      wrapped((p, q) => p - q),
      'exact',
    );
    await s.expect(
      'mul',
      () => ({ out: k.binary('mul', x, y) }),
      wrapped((p, q) => p * q),
      'exact',
    );
    await s.expect(
      'neg',
      () => ({ out: k.unary('neg', x) }),
      wrapped((p) => -p),
      'exact',
    );
    await s.expect(
      'square',
      () => ({ out: k.unary('square', x) }),
      wrapped((p) => p * p),
      'exact',
    );
  });

  await s.test(t, 'where', async () => {
    const [c, a, b] = [
      s.integers([4, 17], -1, 1),
      s.integers([4, 17], LOWEST, HIGHEST),
      s.integers([4, 17], LOWEST, HIGHEST),
    ];
    const views = [s.view(c), s.view(a, LAYOUTS.transposed), s.view(b)];
    await s.expect('where', () => ({ out: k.where(views[0], views[1], views[2]) }), { out: where(c, a, b) }, 'exact');
  });

  await s.test(t, 'reduce', async () => {
    for (const layout of LAYOUT_NAMES) {
      for (const axes of [[0], [1], [2], [0, 2], [0, 1, 2]]) {
        const x = s.integers([5, 17, 3], -1_000_000, 1_000_000);
        const view = s.view(x, LAYOUTS[layout]);
        await s.expect(
          `sum ${axes} ${layout}`,
          () => ({ out: k.reduce('sum', view, axes) }),
          { out: reduce('sum', x, axes) },
          'exact',
        );
        await s.expect(
          `max ${axes} ${layout}`,
          () => ({ out: k.reduce('max', view, axes) }),
          { out: reduce('max', x, axes) },
          'exact',
        );
      }
    }
    const ends = s.view({ shape: [3], data: [HIGHEST, HIGHEST, 3] });
    await s.expect('wraps', () => ({ out: k.reduce('sum', ends, [0]) }), { out: { shape: [1], data: [1] } }, 'exact');
    const bottom = s.view({ shape: [2], data: [LOWEST, LOWEST] });
    await s.expect(
      'lowest',
      () => ({ out: k.reduce('max', bottom, [0]) }),
      { out: { shape: [1], data: [LOWEST] } },
      'exact',
    );
  });

  const product = (a: NumberArray, b: NumberArray, left: keyof typeof LAYOUTS, right: keyof typeof LAYOUTS) => {
    const [x, y] = [s.view(a, LAYOUTS[left]), s.view(b, LAYOUTS[right])];
    const label = `[${a.shape}] ${left} · [${b.shape}] ${right}`;
    return s.expect(label, () => ({ out: k.integerMatmul(x, y) }), { out: integerMatmul(a, b) }, 'exact');
  };

  await s.test(t, 'integerMatmul', async () => {
    for (const m of LENGTHS) {
      for (const depth of LENGTHS) {
        for (const n of [1, 4, 17]) {
          await product(
            s.integers([1, m, depth], -128, 127),
            s.integers([1, depth, n], 0, 255),
            'contiguous',
            'contiguous',
          );
        }
      }
    }
    for (const left of LAYOUT_NAMES) {
      for (const right of LAYOUT_NAMES) {
        await product(s.integers([3, 5, 7], -128, 127), s.integers([3, 7, 6], -128, 127), left, right);
      }
    }
    await product(s.integers([1, 9, 300], -128, 127), s.integers([1, 300, 11], 0, 255), 'contiguous', 'contiguous');
  });

  await s.test(t, 'integerMatmul is exact modulo 2³²', async () => {
    const extent = fc.integer({ min: 1, max: 9 });
    const layout = fc.constantFrom(...LAYOUT_NAMES);
    await s.property(40, fc.record({ m: extent, depth: extent, n: extent, left: layout, right: layout }), async (c) => {
      const [a, b] = [s.integers([2, c.m, c.depth], LOWEST, HIGHEST), s.integers([2, c.depth, c.n], LOWEST, HIGHEST)];
      await product(a, b, c.left, c.right);
    });
  });

  await s.test(t, 'im2col', async () => {
    const window = { kernel: [3, 2], stride: [2, 1], padding: [1, 1], dilation: [1, 2] } as const;
    const x = s.integers([2, 3, 7, 6], LOWEST, HIGHEST);
    const view = s.view(x, LAYOUTS.sliced);
    await s.expect('im2col', () => ({ out: k.im2col(view, window) }), { out: im2col(x, window) }, 'exact');
  });
}
