import fc from 'fast-check';
import t from 'tap';
import type { IntegerArray } from '../../../lib/deploy/accumulator/engine.js';
import { accumulateLinear } from '../../../lib/deploy/accumulator/linear.js';
import { makeRegister, type Overflow, settle } from '../../../lib/deploy/accumulator/register.js';
import { witness, worstCase } from '../../../lib/quant/accumulator.js';
import { inputRange } from '../../../lib/quant/integerRange.js';
import { QuantError, ShapeError } from '../../../lib/tensor/errors.js';
import { naiveAll, naiveDot } from './oracle.js';

const MODES: Overflow[] = ['exact', 'wrap', 'saturate'];

/** Rows of integers as an array the engine takes. */
function matrix(rows: readonly (readonly number[])[]): IntegerArray {
  return { data: Int32Array.from(rows.flat()), shape: [rows.length, rows[0].length] };
}

/** A random layer: w [out, in], x [batch, in], with magnitudes that fit int32 outputs even when exact. */
const layer = fc
  .record({
    length: fc.integer({ min: 1, max: 12 }),
    out: fc.integer({ min: 1, max: 4 }),
    batch: fc.integer({ min: 1, max: 9 }),
    weight: fc.constantFrom(1, 7, 127, 2000),
    input: fc.constantFrom(1, 15, 255, 30000),
  })
  .chain(({ length, out, batch, weight, input }) => {
    const rows = (count: number, limit: number) =>
      fc.array(fc.array(fc.integer({ min: -limit, max: limit }), { minLength: length, maxLength: length }), {
        minLength: count,
        maxLength: count,
      });
    return fc.record({ w: rows(out, weight), x: rows(batch, input) });
  });

t.test('a register settles as BigInt.asIntN does', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 32 }), fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), (bits, sum) => {
      const wrapped = settle(makeRegister(bits, 'wrap'), sum);
      return BigInt(wrapped) === BigInt.asIntN(bits, BigInt(sum));
    }),
    { numRuns: 2000 },
  );
  t.equal(settle(makeRegister(8, 'wrap'), 128), -128);
  t.equal(settle(makeRegister(8, 'wrap'), -129), 127);
  t.equal(settle(makeRegister(8, 'saturate'), 1000), 127);
  t.equal(settle(makeRegister(8, 'saturate'), -1000), -128);
  t.equal(settle(makeRegister(8, 'exact'), 1000), 1000);
});

t.test('worked by hand', async (t) => {
  const x = matrix([[15, 15, 15]]);
  const w = matrix([
    [7, 7, -7],
    [1, 0, 1],
  ]);
  const run = (overflow: Overflow) => {
    const { y, ...counts } = accumulateLinear(x, w, { accumulatorBits: 8, overflow });
    return { y: Array.from(y.data), ...counts };
  };
  // 105, 210, 105: the middle sum leaves 8 bits; 210 wraps to −46, and −46 − 105 = −151 wraps to 105 again.
  t.same(run('wrap'), { y: [105, 30], overflows: 2, outputsAffected: 1, sums: 5 });
  t.same(run('saturate'), { y: [22, 30], overflows: 1, outputsAffected: 1, sums: 5 });
  t.same(run('exact'), { y: [105, 30], overflows: 1, outputsAffected: 1, sums: 5 });
  t.same(accumulateLinear(x, w, { accumulatorBits: 8, overflow: 'wrap' }).y.shape, [1, 2]);
});

t.test('the order of accumulation decides where it overflows', async (t) => {
  const options = { accumulatorBits: 8, overflow: 'saturate', order: [0, 2, 1] } as const;
  const { y, overflows } = accumulateLinear(matrix([[15, 15, 15]]), matrix([[7, 7, -7]]), options);
  t.equal(y.data[0], 105);
  t.equal(overflows, 0);
});

t.test('every width and mode agrees with the BigInt loop', async () => {
  const width = fc.oneof(fc.integer({ min: 1, max: 32 }), fc.constantFrom(8, 30, 31, 32));
  fc.assert(
    fc.property(layer, width, fc.constantFrom(...MODES), ({ w, x }, bits, overflow) => {
      const want = naiveAll(
        x.flatMap((input) => w.map((q) => ({ q, x: input }))),
        bits,
        overflow,
      );
      const { y, ...counts } = accumulateLinear(matrix(x), matrix(w), { accumulatorBits: bits, overflow });
      return JSON.stringify({ y: Array.from(y.data), ...counts }) === JSON.stringify(want);
    }),
    { numRuns: 2000 },
  );
});

t.test('operands at the ends of int32', async (t) => {
  const big = matrix([[2 ** 26, -(2 ** 26), 3]]);
  const x = matrix([[2 ** 25, 2 ** 25 - 1, -1]]);
  for (const overflow of ['wrap', 'saturate'] as const)
    for (const bits of [12, 31, 32]) {
      const { y, overflows } = accumulateLinear(x, big, { accumulatorBits: bits, overflow });
      const want = naiveDot(Array.from(big.data), Array.from(x.data), bits, overflow);
      t.same({ sum: y.data[0], overflows }, want, `${overflow} ${bits}`);
    }
});

t.test('the exact test is the engine’s law: safe at P, broken by the witness at P − 1', async () => {
  const weights = fc.array(fc.integer({ min: -7, max: 7 }), { minLength: 1, maxLength: 20 });
  const format = fc.record({ bits: fc.integer({ min: 1, max: 8 }), signed: fc.boolean() });
  const problem = weights.chain((q) =>
    fc.record({ q: fc.constant(q), order: fc.shuffledSubarray([...q.keys()], { minLength: q.length }) }),
  );
  fc.assert(
    fc.property(problem, format, fc.constantFrom(...MODES), ({ q, order }, input, overflow) => {
      const range = inputRange(input);
      const { max, min, safeBits } = worstCase(q, range);
      const found = witness(q, range);
      const random = q.map((_, k) => range.low + ((k * 7919 + q.length * 104729) % (range.high - range.low + 1)));
      const x = matrix([Array.from(found.max), Array.from(found.min), random]);
      const at = accumulateLinear(x, matrix([q]), { accumulatorBits: safeBits, overflow, order });
      if (at.overflows !== 0 || at.y.data[0] !== max || at.y.data[1] !== min) return false;
      if (safeBits === 1) return true;
      return accumulateLinear(x, matrix([q]), { accumulatorBits: safeBits - 1, overflow, order }).overflows > 0;
    }),
    { numRuns: 500 },
  );
});

t.test('bad input is refused', async (t) => {
  const x = matrix([[1, 2]]);
  const options = { accumulatorBits: 8, overflow: 'wrap' } as const;
  t.throws(() => accumulateLinear(x, matrix([[1, 2, 3]]), options), {
    message: 'accumulateLinear: in-features differ; got [1, 2] and [1, 3]',
  });
  t.throws(() => accumulateLinear({ data: Int32Array.of(1), shape: [1, 2] }, x, options), ShapeError);
  t.throws(() => accumulateLinear({ data: Int32Array.of(1, 2), shape: [2] }, x, options), ShapeError);
  t.throws(() => accumulateLinear(x, x, { ...options, accumulatorBits: 0 }), QuantError);
  t.throws(() => accumulateLinear(x, x, { ...options, accumulatorBits: 33 }), QuantError);
  t.throws(() => accumulateLinear(x, x, { ...options, overflow: 'ignore' as Overflow }), {
    message: 'accumulate: overflow must be one of exact, wrap, saturate; got ignore',
  });
  for (const order of [[0], [0, 0], [0, 2], [0, 0.5], [0, 1, 1]])
    t.throws(
      () => accumulateLinear(x, x, { ...options, order }),
      { message: /permutation of 0 … 1/ },
      `order ${order}`,
    );
  const huge = matrix([[2 ** 30, 2 ** 30]]);
  t.throws(() => accumulateLinear(huge, huge, options), { message: /exact below 2\^52/ });
  const large = matrix([[2 ** 20, 2 ** 20]]);
  t.same(
    [...accumulateLinear(large, large, { accumulatorBits: 32, overflow: 'exact' }).y.data],
    [2 ** 41],
    'exact sums may leave int32',
  );
});
