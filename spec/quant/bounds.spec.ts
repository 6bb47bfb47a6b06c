import fc from 'fast-check';
import t from 'tap';
import {
  BOUND_KINDS,
  type BoundKind,
  budgetGain,
  checkedL1Budget,
  dataTypeAccumulatorBits,
  l1Budget,
  minAccumulatorBits,
  smallestAccumulatorBits,
} from '../../lib/quant/bounds.js';
import { answerBounds } from '../../lib/quant/boundsAnswer.js';
import { integerRange } from '../../lib/quant/integerRange.js';
import { QuantError } from '../../lib/tensor/errors.js';
import { readGolden } from '../goldenFile.js';

interface GoldenBounds {
  l1_bounds: { P: number; N: number; signed: boolean; T_a2q: number; T_a2q_plus: number }[];
  min_acc_bits: { l1: number; N: number; signed: boolean; a2q: number; a2q_plus: number }[];
  min_acc_bits_float32_edge: {
    l1: number;
    N: number;
    signed: boolean;
    exact_a2q: number;
    exact_a2q_plus: number;
  }[];
  min_acc_bits_data_type: { K: number; M: number; N: number; signed: boolean; P: number }[];
}

const golden = readGolden<GoldenBounds>('bounds');
const unsigned = (bits: number) => ({ bits, signed: false });
const signed = (bits: number) => ({ bits, signed: true });
const arbitraryInput = fc.record({ bits: fc.integer({ min: 1, max: 32 }), signed: fc.boolean() });

/** The defining inequality of each bound, in integers. */
function fits(kind: BoundKind, P: number, l1: number, input: { bits: number; signed: boolean }): boolean {
  const two = 2n;
  return kind === 'a2q'
    ? two ** BigInt(P - 1) - 1n >= BigInt(l1) * two ** BigInt(input.bits - (input.signed ? 1 : 0))
    : two ** BigInt(P) - 2n >= BigInt(l1) * (two ** BigInt(input.bits) - 1n);
}

t.test('budgets printed in the papers (unsigned inputs)', async (t) => {
  const cases = [
    [16, 4, 2047.9, 4368.9],
    [14, 4, 511.9, 1092.1],
    [12, 3, 255.9, 584.9],
    [16, 8, 128, 257],
  ];
  for (const [P, N, a2q, a2qPlus] of cases) {
    t.equal(Math.round(l1Budget('a2q', P, unsigned(N)) * 10) / 10, a2q, `A2Q P=${P} N=${N}`);
    t.equal(Math.round(l1Budget('a2q+', P, unsigned(N)) * 10) / 10, a2qPlus, `A2Q+ P=${P} N=${N}`);
  }
  t.equal(l1Budget('a2q', 16, unsigned(4)), 32767 / 16);
  t.equal(l1Budget('a2q', 16, signed(4)), 32767 / 8, 'a signed input has half the magnitude');
  t.equal(l1Budget('a2q+', 16, signed(4)), 65534 / 15);
  t.equal(l1Budget('a2q+', 16, unsigned(4)), 65534 / 15, 'the sign plays no part in A2Q+');
});

t.test('the gain of A2Q+ is 2^(N+1−1s) / (2^N − 1) whatever P', async (t) => {
  t.equal(budgetGain(unsigned(1)), 4);
  t.equal(budgetGain(signed(1)), 2);
  t.equal(budgetGain(unsigned(4)), 32 / 15);
  t.equal(budgetGain(signed(4)), 16 / 15);
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 32 }), arbitraryInput, (P, input) => {
      const ratio = l1Budget('a2q+', P, input) / l1Budget('a2q', P, input);
      return Math.abs(ratio / budgetGain(input) - 1) < 1e-12;
    }),
  );
});

t.test('data-type bounds of the papers’ networks', async (t) => {
  const cases = [
    [4608, 3, 3, 19],
    [4608, 3, 4, 20],
    [1024, 3, 3, 17],
    [1024, 3, 6, 20],
    [576, 3, 3, 16],
    [576, 3, 5, 18],
  ];
  for (const [K, M, N, P] of cases) t.equal(dataTypeAccumulatorBits(K, M, unsigned(N)), P, `K=${K} M=${M} N=${N}`);
  t.equal(dataTypeAccumulatorBits(4608, 3, signed(3)), 18);
  t.equal(dataTypeAccumulatorBits(2 ** 52, 32, unsigned(32)), 117, 'exact beyond 2^53');
});

t.test('the smallest P is the smallest that satisfies the inequality', async (t) => {
  for (const kind of BOUND_KINDS) {
    t.equal(minAccumulatorBits(kind, 0, unsigned(8)), 1, `${kind}: no weights need one bit`);
    fc.assert(
      fc.property(fc.maxSafeNat(), arbitraryInput, (l1, input) => {
        const P = minAccumulatorBits(kind, l1, input);
        return fits(kind, P, l1, input) && (P === 1 || !fits(kind, P - 1, l1, input));
      }),
    );
  }
  t.equal(minAccumulatorBits('a2q', 2047, unsigned(4)), 16);
  t.equal(minAccumulatorBits('a2q', 2048, unsigned(4)), 17);
  t.equal(minAccumulatorBits('a2q+', 4368, unsigned(4)), 16);
  t.equal(minAccumulatorBits('a2q+', 4369, unsigned(4)), 17);
});

t.test('an accumulator too small for any weight is refused with the cure', async (t) => {
  t.equal(smallestAccumulatorBits('a2q', unsigned(8)), 10);
  t.equal(smallestAccumulatorBits('a2q', signed(8)), 9);
  t.equal(smallestAccumulatorBits('a2q+', unsigned(8)), 9);
  t.equal(smallestAccumulatorBits('a2q+', signed(8)), 9);
  t.throws(() => checkedL1Budget('a2qPlus', 'a2q+', 8, unsigned(8)), {
    name: 'QuantError',
    op: 'a2qPlus',
    message:
      'a2qPlus: an accumulator of 8 bits cannot hold any weight under a2q+ with unsigned 8-bit inputs ' +
      '(l1 budget 0.996 < 1); use P ≥ 9',
  });
  for (const kind of BOUND_KINDS)
    for (let N = 1; N <= 30; N++)
      for (const input of [unsigned(N), signed(N)]) {
        const P = smallestAccumulatorBits(kind, input);
        t.equal(checkedL1Budget('op', kind, P, input), l1Budget(kind, P, input));
        t.throws(() => checkedL1Budget('op', kind, P - 1, input), QuantError);
        if (kind === 'a2q+') t.equal(l1Budget(kind, P, input), 2, 'A2Q+ needs, and gets, one for either sign');
      }
});

t.test('the answer to a layer of K = 576 at W4A4, P = 13', async (t) => {
  const answer = answerBounds({ length: 576, weightBits: 4, input: unsigned(4), accumulatorBits: 13 });
  t.equal(answer.dataTypeBits, 18);
  t.equal(answer.gain, 32 / 15);
  t.same(answer.kinds.a2q, {
    smallestBits: 6,
    // 576·7·16 = 64512 ≤ 2^16 − 1
    unconstrainedBits: 17,
    atP: { budget: 4095 / 16, meanMagnitude: 4095 / 16 / 576, minSparsity: 1 - 255 / 576 },
  });
  t.same(answer.kinds['a2q+'], {
    smallestBits: 5,
    // 576·7·15 = 60480 ≤ 2^16 − 2
    unconstrainedBits: 16,
    atP: { budget: 8190 / 15, meanMagnitude: 8190 / 15 / 576, minSparsity: 1 - 546 / 576 },
  });
});

t.test('answers without P, with a roomy P and with a hopeless one', async (t) => {
  const question = { length: 9, weightBits: 8, input: signed(8) };
  t.equal(answerBounds(question).kinds.a2q.atP, null);
  t.equal(answerBounds({ ...question, accumulatorBits: 32 }).kinds.a2q.atP?.minSparsity, 0);
  t.equal(answerBounds({ ...question, accumulatorBits: 8 }).kinds['a2q+'].atP, null);
});

t.test('bad questions are refused', async (t) => {
  t.throws(() => l1Budget('a2q', 0, unsigned(4)), { message: /accumulator bits P .* got 0/ });
  t.throws(() => l1Budget('a2q', 33, unsigned(4)), QuantError);
  t.throws(() => l1Budget('a2q+', 16, unsigned(0)), { message: /input bits N .* got 0/ });
  t.throws(() => budgetGain(signed(2.5)), QuantError);
  t.throws(() => minAccumulatorBits('a2q', -1, unsigned(4)), QuantError);
  t.throws(() => minAccumulatorBits('a2q', 1.5, unsigned(4)), { message: /l1 norm of integer weights .* got 1.5/ });
  t.throws(() => dataTypeAccumulatorBits(0, 4, unsigned(4)), { message: /dot product length K .* got 0/ });
  t.throws(() => dataTypeAccumulatorBits(9, 33, unsigned(4)), { message: /weight bits M/ });
  t.throws(() => answerBounds({ length: 9, weightBits: 1, input: unsigned(4) }), QuantError);
});

t.test('golden bounds', { skip: golden.skip }, async (t) => {
  const { l1_bounds, min_acc_bits, min_acc_bits_float32_edge, min_acc_bits_data_type } = golden.content!;
  const near = (got: number, want: number) => Math.abs(got - want) <= 1e-6 * Math.abs(want);
  for (const { P, N, signed, T_a2q, T_a2q_plus } of l1_bounds) {
    const input = { bits: N, signed };
    t.ok(near(l1Budget('a2q', P, input), T_a2q), `T of A2Q, P=${P} N=${N} signed=${signed}`);
    t.ok(near(l1Budget('a2q+', P, input), T_a2q_plus), `T of A2Q+, P=${P} N=${N} signed=${signed}`);
  }
  const exact = min_acc_bits_float32_edge.map((edge) => ({
    ...edge,
    a2q: edge.exact_a2q,
    a2q_plus: edge.exact_a2q_plus,
  }));
  for (const { l1, N, signed, a2q, a2q_plus } of [...min_acc_bits, ...exact]) {
    const got = BOUND_KINDS.map((kind) => minAccumulatorBits(kind, l1, { bits: N, signed }));
    t.same(got, [a2q, a2q_plus], `bits for l1=${l1} N=${N} signed=${signed}`);
  }
  for (const { K, M, N, signed, P } of min_acc_bits_data_type)
    t.equal(dataTypeAccumulatorBits(K, M, { bits: N, signed }), P, `P* for K=${K} M=${M} N=${N} signed=${signed}`);
});

t.test('a kind of bound that does not exist, and a sign that is neither true nor false, are refused', async (t) => {
  const input = { bits: 4, signed: false };
  for (const kind of ['A2Q', 'foo', undefined, null, 1] as unknown as BoundKind[]) {
    const refused = { name: 'ArgumentError', message: /the kind of bound must be 'a2q' or 'a2q\+'; got/ };
    t.throws(() => l1Budget(kind, 16, input), refused);
    t.throws(() => checkedL1Budget('test', kind, 16, input), refused);
    t.throws(() => minAccumulatorBits(kind, 10, input), refused);
    t.throws(() => smallestAccumulatorBits(kind, input), refused);
  }
  for (const signed of ['false', 0, undefined] as unknown as boolean[]) {
    const refused = { name: 'ArgumentError', message: /signed.* must be true or false; got/ };
    t.throws(() => l1Budget('a2q', 16, { bits: 4, signed }), refused);
    t.throws(() => budgetGain({ bits: 4, signed }), refused);
    t.throws(() => dataTypeAccumulatorBits(9, 4, { bits: 4, signed }), refused);
    t.throws(() => integerRange(4, { signed }), refused);
  }
});
