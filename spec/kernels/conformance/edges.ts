import type { Test } from 'tap';
import type { BinaryOp, UnaryOp } from '../../../lib/kernels/backend.js';
import { inequality } from '../../helpers.js';
import { LAYOUTS } from './layouts.js';
import type { Subject } from './subject.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

/** `[op, inputs, outputs]`, written out: the points random numbers never visit. */
const UNARY_EDGES: readonly (readonly [UnaryOp, readonly number[], readonly number[]])[] = [
  ['neg', [0, -0, inf, -inf, nan], [-0, 0, -inf, inf, nan]],
  ['abs', [-0, 0, -inf, inf, nan], [0, 0, inf, inf, nan]],
  ['sign', [-0.5, 0, 3, -inf, inf, nan], [-1, 0, 1, -1, 1, nan]],
  ['exp', [0, -0, -inf, inf, nan, -1000, 1000], [1, 1, 0, inf, nan, 0, inf]],
  ['exp2', [0, 1, -1, 10, -24, 100, -126, 127], [1, 2, 0.5, 1024, 2 ** -24, 2 ** 100, 2 ** -126, 2 ** 127]],
  ['exp2', [-inf, inf, nan, -2000, 2000], [0, inf, nan, 0, inf]],
  ['log', [1, 0, -1, inf, nan], [0, -inf, nan, inf, nan]],
  ['log2', [1, 2, 0.5, 1024, 2 ** -24, 2 ** 100, 2 ** -126], [0, 1, -1, 10, -24, 100, -126]],
  ['log2', [0, -0, -1, inf, nan], [-inf, -inf, nan, inf, nan]],
  ['sqrt', [0, 1, 4, 2.25, inf, -1, nan], [0, 1, 2, 1.5, inf, nan, nan]],
  ['square', [-3, 0.5, -inf, nan], [9, 0.25, inf, nan]],
  ['relu', [-1, 0, 2, -inf, inf, nan], [0, 0, 2, 0, inf, nan]],
  ['tanh', [0, -inf, inf, 50, -50, nan], [0, -1, 1, 1, -1, nan]],
  ['sigmoid', [0, -inf, inf, 1000, -1000, nan], [0.5, 0, 1, 1, 0, nan]],
  ['roundHalfEven', [0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, -3.5], [0, 2, 2, 4, -0, -2, -2, -4]],
  ['roundHalfEven', [0.25, -0.25, 0.75, -0.75, 4.49999, 7, -7], [0, -0, 1, -1, 4, 7, -7]],
  ['roundHalfEven', [4194303.5, 8388609, -16777216, inf, -inf, nan], [4194304, 8388609, -16777216, inf, -inf, nan]],
  ['trunc', [0.99, -0.99, 1.5, -1.5, -0, 7, inf, -inf, nan], [0, -0, 1, -1, -0, 7, inf, -inf, nan]],
  ['floor', [0.5, -0.5, -1, -0, inf, -inf, nan], [0, -1, -1, -0, inf, -inf, nan]],
  ['ceil', [0.5, -0.5, 1, -0, inf, -inf, nan], [1, -0, 1, -0, inf, -inf, nan]],
];

const BINARY_EDGES: readonly (readonly [BinaryOp, readonly number[], readonly number[], readonly number[]])[] = [
  ['add', [inf, inf, nan, 1, -0], [1, -inf, 1, nan, 0], [inf, nan, nan, nan, 0]],
  ['sub', [inf, inf, nan, 5], [1, inf, 1, 5], [inf, nan, nan, 0]],
  ['mul', [inf, inf, nan, -2], [-1, 0, 1, 3], [-inf, nan, nan, -6]],
  ['div', [1, -1, 0, inf, nan, 1, 7], [0, 0, 0, inf, 1, inf, 2], [inf, -inf, nan, nan, nan, 0, 3.5]],
  ['minimum', [1, nan, 2, -inf, 3], [nan, 1, 1, 5, 3], [nan, nan, 1, -inf, 3]],
  ['maximum', [1, nan, 2, -inf, 3], [nan, 1, 1, 5, 3], [nan, nan, 2, 5, 3]],
  ['equal', [nan, 0, inf, 1, 1], [nan, -0, inf, 1, 2], [0, 1, 1, 1, 0]],
  ['less', [nan, 1, 0, -0, -inf, 1], [1, nan, 1, 0, inf, 1], [0, 0, 1, 0, 1, 0]],
  ['lessEqual', [nan, 1, 0, -0, 2, 1], [1, nan, 1, 0, 1, 1], [0, 0, 1, 1, 0, 1]],
  ['greater', [nan, 1, 1, 0, inf, 1], [1, nan, 0, -0, -inf, 1], [0, 0, 1, 0, 1, 0]],
  ['greaterEqual', [nan, 1, 1, 0, 1, 1], [1, nan, 0, -0, 2, 1], [0, 0, 1, 1, 0, 1]],
];

/** Ops whose zeros must keep their sign: a rounding that yields −0 must yield it everywhere. */
const SIGNED_ZEROS: readonly string[] = ['neg', 'roundHalfEven', 'trunc', 'floor', 'ceil'];

/** Zeros, ties, infinities, NaN and the ends of ranges, against literals. */
export async function edgeConformance(t: Test, s: Subject): Promise<void> {
  const k = s.backend;
  const vector = (data: readonly number[], repeat: number) => ({
    shape: [data.length * repeat],
    data: Array.from({ length: repeat }, () => data).flat(),
  });

  for (const [op, inputs, want] of UNARY_EDGES) {
    await s.test(t, `${op} of ${inputs.join(' ')}`, async () => {
      for (const repeat of [1, 7]) {
        for (const layout of ['contiguous', 'sliced'] as const) {
          const x = s.view(vector(inputs, repeat), LAYOUTS[layout]);
          const label = `${repeat} times, ${layout}`;
          const { out } = await s.expect(
            label,
            () => ({ out: k.unary(op, x) }),
            { out: vector(want.map(s.store), repeat) },
            'exact',
          );
          if (SIGNED_ZEROS.includes(op))
            s.check(label, inequality(out, vector(want.map(s.store), repeat).data, { signedZeros: true }));
        }
      }
    });
  }

  for (const [op, left, right, want] of BINARY_EDGES) {
    await s.test(t, `${op} of ${left.join(' ')} and ${right.join(' ')}`, async () => {
      for (const repeat of [1, 7]) {
        const [a, b] = [s.view(vector(left, repeat)), s.view(vector(right, repeat), LAYOUTS.sliced)];
        const results = { out: vector(want, repeat) };
        await s.expect(`${repeat} times`, () => ({ out: k.binary(op, a, b) }), results, 'exact');
      }
    });
  }

  await s.test(t, 'where chooses, it does not multiply; NaN is not 0', async () => {
    const condition = s.view(vector([1, 0, nan, -0], 1));
    const [a, b] = [s.view(vector([1, nan, 3, inf], 1)), s.view(vector([nan, 2, nan, 4], 1))];
    await s.expect('where', () => ({ out: k.where(condition, a, b) }), { out: vector([1, 2, 3, 4], 1) }, 'exact');
  });
}
