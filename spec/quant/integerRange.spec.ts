import fc from 'fast-check';
import t from 'tap';
import {
  accumulatorRange,
  bitsToHold,
  checkBits,
  inputRange,
  integerRange,
  weightRange,
} from '../../lib/quant/integerRange.js';
import { QuantError } from '../../lib/tensor/errors.js';

t.test('ranges of both signs, full and narrow', async (t) => {
  t.match(integerRange(4, { signed: true }), { bits: 4, signed: true, narrow: false, low: -8, high: 7 });
  t.match(integerRange(4, { signed: true, narrow: true }), { narrow: true, low: -7, high: 7 });
  t.match(integerRange(4, { signed: false }), { signed: false, low: 0, high: 15 });
  t.match(integerRange(4, { signed: false, narrow: true }), { low: 0, high: 14 });
  t.match(integerRange(1, { signed: true }), { low: -1, high: 0 });
  t.match(integerRange(1, { signed: false }), { low: 0, high: 1 });
  t.match(integerRange(32, { signed: true }), { low: -2147483648, high: 2147483647 });
  t.match(integerRange(32, { signed: false }), { low: 0, high: 4294967295 });
});

t.test('the ranges of weights, inputs and accumulators', async (t) => {
  t.match(weightRange(8), { low: -127, high: 127 });
  t.match(weightRange(2), { low: -1, high: 1 });
  t.match(inputRange({ bits: 8, signed: false }), { low: 0, high: 255 });
  t.match(inputRange({ bits: 8, signed: true }), { low: -128, high: 127 });
  t.match(accumulatorRange(16), { low: -32768, high: 32767 });
});

t.test('an input range always spans 2^N − 1 and holds 0', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 32 }), fc.boolean(), (bits, signed) => {
      const { low, high } = inputRange({ bits, signed });
      return high - low === 2 ** bits - 1 && low <= 0 && high >= 0;
    }),
  );
});

t.test('bitsToHold is the narrowest two’s complement register', async (t) => {
  t.equal(bitsToHold(0, 0), 1);
  t.equal(bitsToHold(-1, 0), 1);
  t.equal(bitsToHold(0, 1), 2);
  t.equal(bitsToHold(-128, 127), 8);
  t.equal(bitsToHold(-129, 0), 9);
  t.equal(bitsToHold(0, 128), 9);
  t.equal(bitsToHold(0, 2 ** 40), 42);
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
      const [low, high] = [BigInt(Math.min(a, b)), BigInt(Math.max(a, b))];
      const holds = (bits: number) => BigInt.asIntN(bits, low) === low && BigInt.asIntN(bits, high) === high;
      const bits = bitsToHold(Number(low), Number(high));
      return holds(bits) && (bits === 1 || !holds(bits - 1));
    }),
  );
});

t.test('bad widths are refused by name', async (t) => {
  for (const bits of [0, 33, -1, 4.5, Number.NaN, Number.POSITIVE_INFINITY])
    t.throws(() => integerRange(bits, { signed: true }), QuantError, `bits ${bits}`);
  t.throws(() => weightRange(1), {
    message: 'integerRange: bits of a narrow range must be an integer from 2 to 32; got 1',
  });
  t.throws(() => accumulatorRange(40), { message: /accumulator bits P must be an integer from 1 to 32; got 40/ });
  t.throws(() => checkBits('here', 'N', 9, 1, 8), {
    op: 'here',
    message: 'here: N must be an integer from 1 to 8; got 9',
  });
  t.throws(() => bitsToHold(1, 0), QuantError);
  t.throws(() => bitsToHold(0, 2 ** 53), QuantError);
});
