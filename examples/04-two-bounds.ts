/**
 * Lesson 4. How many bits must an accumulator have, so that no input can overflow it?
 *
 * The idea. It depends on how much is known of the K weights q of a dot product with N-bit inputs in [c, d]:
 *
 *     their type      P* = ⌈a + log2(1 + 2^−a) + 1⌉,  a = log2 K + N + M − 1 − 1s      (A2Q, arXiv 2308.13504, eq. 9)
 *     their l1 norm   ‖q‖₁ ≤ T  = (2^(P−1) − 1) / 2^(N−1s)                             (A2Q, eq. 15)
 *     the same, of    ‖q‖₁ ≤ T₊ = (2^P − 2) / (2^N − 1)                                (A2Q+, arXiv 2401.10432, eq. 10)
 *       centred ones
 *     each sign       d·α + c·β ≤ 2^(P−1) − 1  and  c·α + d·β ≥ −2^(P−1)               (exact)
 *
 * with α = Σ of positive q and β = Σ of negative q. Centred weights spend half their norm on each sign, and no unsigned
 * input can make both halves pull the same way: that doubles the budget. The last line is the only *proof*, since it
 * asks nothing of how the weights came about; the input that attains the extreme is its witness.
 *
 * What you should see: the budgets of the papers; three channels of equal type whose bits differ with what is known of
 * them; and a real P-bit accumulator that the witness fills to the last integer, and overflows with one bit less.
 */
import {
  accumulateLinear,
  budgetGain,
  dataTypeAccumulatorBits,
  type IntegerFormat,
  inputRange,
  l1Budget,
  minAccumulatorBits,
  Random,
  testAccumulator,
  witness,
} from '../lib/index.js';
import { claim, heading, table } from './story.js';

const unsigned = (bits: number): IntegerFormat => ({ bits, signed: false });

heading('The l1 budget of one channel');
const settings = [
  [16, 4],
  [14, 4],
  [12, 3],
  [16, 8],
] as const;
const budgets = settings.map(([P, N]) => ({
  P,
  N,
  a2q: l1Budget('a2q', P, unsigned(N)),
  plus: l1Budget('a2q+', P, unsigned(N)),
}));
table(
  ['P', 'N', 'A2Q: T', 'A2Q+: T₊', 'gain'],
  budgets.map(({ P, N, a2q, plus }) => [P, N, tenth(a2q), tenth(plus), (plus / a2q).toFixed(3)]),
);
const published = '2047.9/4368.9 511.9/1092.1 255.9/584.9 128.0/257.0';
claim(
  budgets.map(({ a2q, plus }) => `${tenth(a2q)}/${tenth(plus)}`).join(' ') === published,
  'as the papers have them',
);
claim(
  budgets.every(
    ({ N, a2q, plus }) => near(plus / a2q, 2 ** (N + 1) / (2 ** N - 1)) && near(budgetGain(unsigned(N)), plus / a2q),
  ),
  'the gain is 2^(N+1)/(2^N − 1), whatever P',
);

heading('The bits of a type alone');
const networks = [
  ['ResNet18', 4608, 3, 3, 19],
  ['ResNet18', 4608, 3, 4, 20],
  ['MobileNetV1', 1024, 3, 3, 17],
  ['MobileNetV1', 1024, 3, 6, 20],
  ['ESPCN', 576, 3, 5, 18],
] as const;
const bits = networks.map(([, K, M, N]) => dataTypeAccumulatorBits(K, M, unsigned(N)));
table(
  ['network', 'K', 'M', 'N', 'P*'],
  networks.map(([name, K, M, N], i) => [name, K, M, N, bits[i]]),
);
claim(
  bits.every((P, i) => P === networks[i][4]),
  'the widths the papers start from',
);

heading('The more is known, the fewer bits');
// Three channels of 64 weights of M = 4 bits, met by unsigned inputs of N = 4 bits.
const [K, M, N] = [64, 4, 4];
const input = inputRange(unsigned(N));
const channels: Record<string, Int32Array> = {
  'one sign  +4 +4 +4 +4 …': Int32Array.from({ length: K }, () => 4),
  'centred   +4 −4 +4 −4 …': Int32Array.from({ length: K }, (_, k) => (k % 2 === 0 ? 4 : -4)),
  'sparse    +4  0  0  0 …': Int32Array.from({ length: K }, (_, k) => (k % 4 === 0 ? 4 : 0)),
};
const known = Object.entries(channels).map(([name, q]) => {
  const [test] = testAccumulator(q, 1, input, 12).channels;
  return {
    name,
    q,
    test,
    byType: dataTypeAccumulatorBits(K, M, unsigned(N)),
    byNorm: minAccumulatorBits('a2q', test.l1, unsigned(N)),
    exact: test.safeBits,
  };
});
table(
  ['weights', 'α', 'β', '‖q‖₁', 'P by type', 'P by ‖q‖₁', 'P exactly', 'largest sum', 'at P = 12'],
  known.map(({ name, test, byType, byNorm, exact }) => [
    name,
    test.alpha,
    test.beta,
    test.l1,
    byType,
    byNorm,
    exact,
    test.max,
    test.safe ? 'safe' : 'overflows',
  ]),
);
const [oneSign, centred, sparse] = known;
claim(
  known.every(({ byType, byNorm, exact }) => byType >= byNorm && byNorm >= exact),
  'each bound is at most the one before',
);
const T = { a2q: l1Budget('a2q', 12, unsigned(N)), plus: l1Budget('a2q+', 12, unsigned(N)) };
claim(
  centred.test.l1 > T.a2q && centred.test.l1 <= T.plus && centred.test.safe,
  `centred: ‖q‖₁ = 256 is over A2Q's ${tenth(T.a2q)} and under A2Q+'s ${tenth(T.plus)}, and 12 bits are enough`,
);
claim(
  oneSign.test.l1 <= T.plus && !oneSign.test.safe,
  'one sign: the same norm, and 12 bits are not: T₊ is for centred weights only',
);
claim(sparse.test.l1 <= T.a2q && sparse.test.safe, 'sparse: within T, safe whatever the signs');

heading('The witness, on a P-bit accumulator that wraps around');
const runs = known.flatMap(({ name, q, test, exact }) =>
  [exact, exact - 1].map((P) => ({ name, test, P, exact, ...drive(q, witness(q, input).max, P) })),
);
table(
  ['weights', 'P', 'accumulator holds up to', 'true sum', 'its result', 'overflows'],
  runs.map(({ name, test, P, sum, overflows }) => [name, P, 2 ** (P - 1) - 1, test.max, sum, overflows]),
);
const proved = runs.filter(({ P, exact }) => P === exact);
const short = runs.filter(({ P, exact }) => P < exact);
claim(
  proved.every(({ sum, test, overflows }) => sum === test.max && overflows === 0),
  'with the proved P it attains the extreme exactly',
);
claim(
  short.every(({ sum, test, overflows }) => sum !== test.max && overflows > 0),
  'with one bit less it wraps',
);

heading('Any input, in any order');
const random = new Random(4);
const trials = 300;
const tally = { sums: 0, overflows: 0 };
for (let trial = 0; trial < trials; trial++) {
  const { q, exact } = known[trial % known.length];
  const extremes = witness(q, input);
  const anything = Int32Array.from({ length: K }, () => random.integer(input.high + 1));
  for (const x of [anything, extremes.max, extremes.min]) {
    const { sums, overflows } = drive(q, x, exact, random.permutation(K));
    tally.sums += sums;
    tally.overflows += overflows;
  }
}
claim(tally.overflows === 0, `${tally.sums} partial sums in ${3 * trials} random orders, none outside the register`);

/** One dot product on a P-bit two's complement accumulator. */
function drive(q: Int32Array, x: Int32Array, accumulatorBits: number, order?: Uint32Array) {
  const row = (data: Int32Array) => ({ data, shape: [1, data.length] });
  const options = { accumulatorBits, overflow: 'wrap', ...(order && { order }) } as const;
  const { y, sums, overflows } = accumulateLinear(row(x), row(q), options);
  return { sum: y.data[0], sums, overflows };
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) < 1e-12 * Math.abs(b);
}

function tenth(x: number): string {
  return x.toFixed(1);
}
