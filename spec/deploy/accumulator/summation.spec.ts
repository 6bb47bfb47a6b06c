import fc from 'fast-check';
import t from 'tap';
import { SumHistogram } from '../../../lib/deploy/accumulator/histogram.js';
import { accumulateLinear } from '../../../lib/deploy/accumulator/linear.js';
import type { Overflow } from '../../../lib/deploy/accumulator/register.js';
import { outerAccumulatorBits, type Summation } from '../../../lib/deploy/accumulator/summation.js';
import { bitsToHold } from '../../../lib/quant/integerRange.js';
import { ArgumentError, QuantError } from '../../../lib/tensor/errors.js';

/** What a register of `bits` makes of a sum, and the sums it was given, in BigInt. */
class NaiveRegister {
  readonly given: bigint[] = [];
  overflows = 0;

  constructor(
    readonly bits: number,
    readonly overflow: Overflow,
  ) {}

  hold(sum: bigint): bigint {
    this.given.push(sum);
    const high = 2n ** BigInt(this.bits - 1) - 1n;
    if (sum >= -high - 1n && sum <= high) return sum;
    this.overflows++;
    if (this.overflow === 'exact') return sum;
    if (this.overflow === 'wrap') return BigInt.asIntN(this.bits, sum);
    return sum < 0n ? -high - 1n : high;
  }
}

/** One dot product as each summation defines it; null stands for no product at all. */
function naive(q: readonly number[], x: readonly number[], bits: number, overflow: Overflow, summation: Summation) {
  const outer = new NaiveRegister(bits, overflow);
  const products = q.map((weight, k) => (weight === 0 ? null : BigInt(weight) * BigInt(x[k])));
  if (typeof summation === 'string') {
    if (summation === 'sequential') {
      const sum = products.reduce<bigint>((held, term) => (term === null ? held : outer.hold(held + term)), 0n);
      return { sum: Number(sum), overflows: outer.overflows, given: outer.given };
    }
    let level = products.map((term) => (term === null ? null : outer.hold(term)));
    while (level.length > 1) {
      const above: (bigint | null)[] = [];
      for (let i = 0; i < level.length; i += 2) {
        const [left, right = null] = [level[i], level[i + 1]];
        above.push(left === null ? right : right === null ? left : outer.hold(left + right));
      }
      level = above;
    }
    return { sum: Number(level[0] ?? 0n), overflows: outer.overflows, given: outer.given };
  }
  const { tile, innerBits = bits } = summation;
  const inner = new NaiveRegister(innerBits, overflow);
  let total: bigint | null = null;
  for (let from = 0; from < q.length; from += tile) {
    const terms = products.slice(from, from + tile).filter((term): term is bigint => term !== null);
    if (terms.length === 0) continue;
    const sum = terms.reduce<bigint>((held, term) => inner.hold(held + term), 0n);
    total = total === null ? sum : outer.hold(total + sum);
  }
  const given = [...inner.given, ...outer.given];
  return { sum: Number(total ?? 0n), overflows: inner.overflows + outer.overflows, given };
}

const MODES: Overflow[] = ['exact', 'wrap', 'saturate'];

const problem = fc
  .record({
    length: fc.integer({ min: 1, max: 40 }),
    weight: fc.constantFrom(1, 7, 127, 30000),
    input: fc.constantFrom(1, 15, 255, 30000),
    signed: fc.boolean(),
    zeros: fc.constantFrom(0, 0.5, 0.9),
  })
  .chain(({ length, weight, input, signed, zeros }) => {
    const integers = (low: number, high: number) =>
      fc.array(fc.integer({ min: low, max: high }), { minLength: length, maxLength: length });
    const kept = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: length, maxLength: length });
    const q = fc
      .tuple(integers(-weight, weight), kept)
      .map(([drawn, keep]) => drawn.map((each, k) => (keep[k] < zeros ? 0 : each)));
    return fc.record({
      q: fc.array(q, { minLength: 1, maxLength: 3 }),
      x: fc.array(integers(signed ? -input : 0, input), { minLength: 1, maxLength: 6 }),
    });
  });

const summation: fc.Arbitrary<Summation> = fc.oneof(
  fc.constantFrom('sequential' as const, 'pairwise' as const),
  fc.integer({ min: 1, max: 50 }).map((tile) => ({ tile })),
);

const matrix = (rows: readonly (readonly number[])[]) => ({
  data: Int32Array.from(rows.flat()),
  shape: [rows.length, rows[0].length],
});

t.test('every summation, width and mode agrees with its definition in BigInt, and so does the histogram', async () => {
  const bits = fc.record({ outer: fc.integer({ min: 2, max: 32 }), less: fc.integer({ min: 0, max: 8 }) });
  fc.assert(
    fc.property(problem, bits, summation, fc.constantFrom(...MODES), ({ q, x }, { outer, less }, given, overflow) => {
      const scheme = typeof given === 'string' ? given : { ...given, innerBits: Math.max(1, outer - less) };
      const options = { accumulatorBits: outer, overflow, summation: scheme } as const;
      const want = x.flatMap((input) => q.map((row) => naive(row, input, outer, overflow, scheme)));
      const run = accumulateLinear(matrix(x), matrix(q), options);
      const histogram = new SumHistogram();
      const watched = accumulateLinear(matrix(x), matrix(q), { ...options, histogram });
      const sums = want.flatMap((each) => each.given.map(Number));
      const beyond = (width: number) => sums.filter((sum) => bitsToHold(Math.min(0, sum), Math.max(0, sum)) > width);
      return (
        want.every(({ sum }, i) => sum === run.y.data[i]) &&
        run.overflows === want.reduce((total, { overflows }) => total + overflows, 0) &&
        run.outputsAffected === want.filter(({ overflows }) => overflows > 0).length &&
        run.sums === sums.length &&
        JSON.stringify({ ...watched, y: [...watched.y.data] }) === JSON.stringify({ ...run, y: [...run.y.data] }) &&
        histogram.total === sums.length &&
        [1, 8, outer, 31, 32, 40].every((width) => histogram.beyond(width) === beyond(width).length)
      );
    }),
    { numRuns: 3000 },
  );
});

t.test('one register that wraps gives the low bits of the exact sum, in any order', async () => {
  fc.assert(
    fc.property(problem, fc.integer({ min: 1, max: 32 }), summation, ({ q, x }, accumulatorBits, given) => {
      const { y } = accumulateLinear(matrix(x), matrix(q), { accumulatorBits, overflow: 'wrap', summation: given });
      const exact = x.flatMap((input) => q.map((row) => row.reduce((sum, weight, k) => sum + weight * input[k], 0)));
      return exact.every((sum, i) => BigInt.asIntN(accumulatorBits, BigInt(sum)) === BigInt(y.data[i]));
    }),
    { numRuns: 1000 },
  );
});

t.test('worked by hand: 8 products of 100 in 8 bits', async (t) => {
  const x = matrix([[10, 10, 10, 10, 10, 10, 10, 10]]);
  const w = matrix([[10, 10, -10, -10, 10, 10, -10, -10]]);
  const run = (given: Summation, accumulatorBits = 8) => {
    const { y, overflows, sums } = accumulateLinear(x, w, { accumulatorBits, overflow: 'saturate', summation: given });
    return { y: y.data[0], overflows, sums };
  };
  // 100, 127!, 27, −73, 27, 127, 27, −73
  t.same(run('sequential'), { y: -73, overflows: 1, sums: 8 });
  // 127!, −128!, 127!, −128! → −1, −1 → −2
  t.same(run('pairwise'), { y: -2, overflows: 4, sums: 15 });
  // 100, 127!, 27, −73, twice; −73 − 73 = −146 → −128!
  t.same(run({ tile: 4 }), { y: -128, overflows: 3, sums: 9 });
  t.same(run({ tile: 4, innerBits: 8 }, outerAccumulatorBits(8, 8, 4)), { y: -146, overflows: 2, sums: 9 });
  t.same(run({ tile: 4, innerBits: 9 }, 10), { y: 0, overflows: 0, sums: 9 });
});

t.test('P_O = P_I + ⌈log2 ⌈K/T⌉⌉', async (t) => {
  t.equal(outerAccumulatorBits(8, 576, 64), 12);
  t.equal(outerAccumulatorBits(8, 577, 64), 12);
  t.equal(outerAccumulatorBits(8, 512, 64), 11);
  t.equal(outerAccumulatorBits(8, 10, 64), 8);
  t.equal(outerAccumulatorBits(8, 65, 64), 9);
  t.throws(() => outerAccumulatorBits(0, 1, 1), QuantError);
  t.throws(() => outerAccumulatorBits(8, 0, 1), ArgumentError);
  t.throws(() => outerAccumulatorBits(8, 8, 1.5), ArgumentError);
});

t.test('bars are ranges of integers that need the same bits', async (t) => {
  const histogram = new SumHistogram();
  for (const sum of [-129, -128, -1, 0, 1, 127, 128, 128]) histogram.add(sum);
  const bars = histogram.bars();
  t.same(bars[0], { low: -256, high: -129, bits: 9, count: 1 });
  t.same(bars.at(-1), { low: 128, high: 255, bits: 9, count: 2 });
  t.same(
    bars.filter(({ count }) => count > 0).map(({ low, high, count }) => [low, high, count]),
    [
      [-256, -129, 1],
      [-128, -65, 1],
      [-1, -1, 1],
      [0, 0, 1],
      [1, 1, 1],
      [64, 127, 1],
      [128, 255, 2],
    ],
  );
  for (const [i, { low }] of bars.entries()) if (i > 0) t.equal(low, bars[i - 1].high + 1);
  t.equal(histogram.beyond(8), 3);
  t.equal(histogram.beyond(9), 0);
  t.same(new SumHistogram().bars(), []);
  histogram.add(2 ** 52);
  histogram.add(-(2 ** 40));
  t.equal(histogram.beyond(41), 1, '−2^40 fits 41 bits');
  t.equal(histogram.beyond(53), 1, '2^52 needs 54');
});

t.test('bad summations are refused', async (t) => {
  const x = matrix([[1, 2]]);
  const options = { accumulatorBits: 8, overflow: 'wrap' } as const;
  const run = (given: unknown) => () => accumulateLinear(x, x, { ...options, summation: given as Summation });
  t.throws(run('random'), { message: /sequential, pairwise or tiles; got the string 'random'/ });
  t.throws(run(null), QuantError);
  t.throws(run(3), QuantError);
  t.throws(run([2]), ArgumentError);
  t.throws(run({ tile: 0 }), ArgumentError);
  t.throws(run({ tile: 2, innerBits: 9 }), { message: /outer register of 8 bits cannot add up those of 9/ });
  t.throws(run({ tile: 2, innerBits: 0 }), QuantError);
});
