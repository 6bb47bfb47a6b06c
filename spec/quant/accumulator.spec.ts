import fc from 'fast-check';
import t from 'tap';
import { testAccumulator, witness, worstCase } from '../../lib/quant/accumulator.js';
import { l1Budget } from '../../lib/quant/bounds.js';
import { inputRange } from '../../lib/quant/integerRange.js';
import { QuantError, ShapeError } from '../../lib/tensor/errors.js';

const u4 = inputRange({ bits: 4, signed: false });
const i4 = inputRange({ bits: 4, signed: true });

const dot = (q: ArrayLike<number>, x: ArrayLike<number>) =>
  Array.from(q).reduce((sum, weight, k) => sum + weight * x[k], 0);

/** All tuples of `length` integers of low … high. */
function* tuples(length: number, low: number, high: number): Generator<number[]> {
  if (length === 0) yield [];
  else for (const rest of tuples(length - 1, low, high)) for (let v = low; v <= high; v++) yield [...rest, v];
}

/** Shrinking lists of doubles can take minutes; the first counterexample is small enough to read. */
const RUNS = { numRuns: 500, endOnFailure: true };

const format = fc.record({ bits: fc.integer({ min: 1, max: 8 }), signed: fc.boolean() });
const weights = fc.array(fc.integer({ min: -127, max: 127 }), { minLength: 1, maxLength: 30 });

t.test('worked by hand', async (t) => {
  t.same(worstCase([1, -2, 3, 0], u4), { alpha: 4, beta: -2, l1: 6, max: 60, min: -30, safeBits: 7 });
  t.same(worstCase([1, -2, 3, 0], i4), { alpha: 4, beta: -2, l1: 6, max: 44, min: -46, safeBits: 7 });
  t.same(worstCase([0, 0], u4), { alpha: 0, beta: 0, l1: 0, max: 0, min: 0, safeBits: 1 });
  t.same(worstCase([-1], u4), { alpha: 0, beta: -1, l1: 1, max: 0, min: -15, safeBits: 5 });
  t.equal(worstCase([-16], { low: 0, high: 8 }).safeBits, 8, '−128 is the last value of 8 bits');
  t.equal(worstCase([16], { low: 0, high: 8 }).safeBits, 9, '+128 is not');
});

t.test('a bias counts as a term that may come at any moment', async (t) => {
  t.match(worstCase([1, -2], u4, 100), { max: 115, min: -30, safeBits: 8 });
  t.match(worstCase([1, -2], u4, -100), { max: 15, min: -130, safeBits: 9 });
});

t.test('the verdict on a layer', async (t) => {
  const test = testAccumulator(Int8Array.of(1, -2, 3, 7, 7, -1), 2, u4, 8);
  t.equal(test.safe, false);
  t.equal(test.safeBits, 9);
  t.equal(test.accumulatorBits, 8);
  t.equal(test.utilisation, 210 / 127);
  t.match(test.channels[0], { safe: true, max: 60, min: -30, safeBits: 7, utilisation: 60 / 127 });
  t.match(test.channels[1], { safe: false, max: 210, min: -15, safeBits: 9, utilisation: 210 / 127 });
  t.equal(testAccumulator([7, 7, -1], 1, u4, 9).safe, true);
  t.equal(testAccumulator([7, 7, -1], 1, u4, 9, [50]).safe, false, '210 + 50 > 255');
  t.equal(testAccumulator([-8, -8], 1, u4, 8).utilisation, 240 / 128);
  t.equal(testAccumulator([0, 0], 1, u4, 1).utilisation, 0);
});

t.test('brute force: all weights, inputs and orders of three small terms', async (t) => {
  const orders = [...tuples(3, 0, 2)].filter((order) => new Set(order).size === 3);
  for (const input of [
    { bits: 2, signed: false },
    { bits: 2, signed: true },
  ].map(inputRange)) {
    const inputs = [...tuples(3, input.low, input.high)];
    let wrong = 0;
    for (const q of tuples(3, -2, 2)) {
      let [max, min] = [0, 0];
      for (const x of inputs)
        for (const order of orders) {
          let sum = 0;
          for (const k of order) {
            sum += q[k] * x[k];
            max = Math.max(max, sum);
            min = Math.min(min, sum);
          }
        }
      const got = worstCase(q, input);
      if (got.max !== max || got.min !== min) wrong++;
    }
    t.equal(wrong, 0, `inputs ${input.low} … ${input.high}`);
  }
});

t.test('the witness is in range and attains both extremes', async (t) => {
  t.same(Array.from(witness([2, -3, 0], i4).max), [7, -8, 0]);
  t.same(Array.from(witness([2, -3, 0], i4).min), [-8, 7, 0]);
  fc.assert(
    fc.property(weights, format, (q, input) => {
      const range = inputRange(input);
      const { max, min } = worstCase(q, range);
      const found = witness(q, range);
      const inside = [...found.max, ...found.min].every((x) => x >= range.low && x <= range.high);
      return inside && dot(q, found.max) === max && dot(q, found.min) === min;
    }),
  );
});

t.test('no inputs in any order leave the bounds', async () => {
  const shuffled = weights.chain((q) =>
    fc.record({
      q: fc.constant(q),
      order: fc.shuffledSubarray([...q.keys()], { minLength: q.length }),
      unit: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: q.length,
        maxLength: q.length,
      }),
    }),
  );
  fc.assert(
    fc.property(shuffled, format, ({ q, order, unit }, input) => {
      const { low, high } = inputRange(input);
      const { max, min, safeBits } = worstCase(q, { low, high });
      let sum = 0;
      return order.every((k) => {
        sum += q[k] * (low + Math.floor(unit[k] * (high - low + 1)));
        return sum <= max && sum >= min && BigInt.asIntN(safeBits, BigInt(sum)) === BigInt(sum);
      });
    }),
    RUNS,
  );
});

t.test('weights within an l1 budget pass the exact test', async (t) => {
  const floats = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 60 });
  const width = fc.integer({ min: 2, max: 24 });
  const normalised = (v: number[], budget: number) => {
    const norm = v.reduce((sum, value) => sum + Math.abs(value), 0);
    return v.map((value) => (norm < 1e-9 ? 0 : Math.trunc((value / norm) * budget)));
  };
  fc.assert(
    fc.property(floats, format, width, (v, input, P) => {
      const q = normalised(v, l1Budget('a2q', P, input));
      return testAccumulator(q, 1, inputRange(input), P).safe;
    }),
    RUNS,
  );
  const centred = (v: number[]) => v.map((value) => value - v.reduce((sum, each) => sum + each, 0) / v.length);
  fc.assert(
    fc.property(floats, format, width, (v, input, P) => {
      const q = normalised(centred(v), l1Budget('a2q+', P, input));
      return testAccumulator(q, 1, inputRange(input), P).safe;
    }),
    RUNS,
  );
  // Without the centring the larger budget proves nothing.
  const uncentred = normalised([1, 1, 1, 1], l1Budget('a2q+', 12, { bits: 4, signed: false }));
  t.equal(testAccumulator(uncentred, 1, u4, 12).safe, false);
});

t.test('bad input is refused', async (t) => {
  t.throws(() => worstCase([1, 0.5], u4), { message: 'worstCase: weight 1 is no integer; got 0.5' });
  t.throws(() => worstCase([Number.NaN], u4), QuantError);
  t.throws(() => worstCase([1], u4, 0.5), { message: /bias must be an integer/ });
  t.throws(() => worstCase([1], { low: 1, high: 3 }), { message: /must hold 0 and fit int32; got 1 … 3/ });
  t.throws(() => witness([1], { low: 0, high: 2 ** 31 }), QuantError);
  t.throws(() => worstCase([2 ** 52, 2 ** 52], u4), { message: /beyond the 2\^53/ });
  t.throws(() => worstCase([2 ** 50], u4), QuantError, 'products count as well');
  t.throws(() => testAccumulator([1, 2, 3], 2, u4, 8), ShapeError);
  t.throws(() => testAccumulator([1, 2], 2, u4, 8, [1]), ShapeError);
  t.throws(() => testAccumulator([1, 2], 2, u4, 33), QuantError);
});
