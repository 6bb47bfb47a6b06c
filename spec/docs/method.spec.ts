import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  a2q,
  a2qPlus,
  inputRange,
  l1Budget,
  tensor,
  testAccumulator,
  type WeightQuantizerFactory,
} from '../../lib/index.js';

const page = await readFile(fileURLToPath(new URL('../../../docs/method.md', import.meta.url)), 'utf8');

/** The rows of the table of one channel, by their first cell: what stands in the columns of A2Q and of A2Q+. */
const rows = new Map(
  (/\| step \| A2Q \| A2Q\+ \|\n([\s\S]*?)\n\n/.exec(page)?.[1] ?? '').split('\n').map((line) => {
    const [, name, ...cells] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return [name, cells.slice(0, 2)];
  }),
);

/** A cell as numbers. */
const numbers = (name: string, column: number) =>
  (rows.get(name)?.[column] ?? '').split(/[ ,]+/).map((text) => Number(text.replace('−', '-')));

/** Two decimals, as the page writes them. */
const rounded = (values: readonly number[]) => values.map((value) => Math.round(100 * value) / 100 + 0);

const BITS = { weight: 4, input: { bits: 4, signed: false }, accumulator: 8 };

const channels: readonly (readonly [kind: 'a2q' | 'a2q+', make: WeightQuantizerFactory])[] = [
  ['a2q', a2q({ bits: BITS.weight, accumulatorBits: BITS.accumulator })],
  ['a2q+', a2qPlus({ bits: BITS.weight, accumulatorBits: BITS.accumulator })],
];

for (const [column, [kind, make]] of channels.entries()) {
  t.test(`docs/method.md: one channel under ${kind}`, async (t) => {
    const w = numbers('w', 0);
    t.equal(w.length, 8);
    const weights = tensor(w, [1, 8]);
    const { value, scale } = make(weights, BITS.input).quantize(weights);
    const [s] = await scale.data();
    const q = Array.from(await value.data(), (x) => Math.round(x / s) + 0);
    t.same(numbers('q = clip(trunc(…), −7, 7)', column), q, 'the integers are those of the library');

    // The steps between, by hand.
    const mean = kind === 'a2q' ? 0 : w.reduce((sum, x) => sum + x, 0) / w.length;
    const v = w.map((x) => x - mean);
    if (kind === 'a2q+') t.same(numbers('v', column), rounded(v));
    const l1 = (values: readonly number[]) => values.reduce((sum, x) => sum + Math.abs(x), 0);
    const r = Math.min(l1(w) / (Math.max(...w.map(Math.abs)) / 7), l1Budget(kind, BITS.accumulator, BITS.input));
    t.same(numbers('r = min(g/s, T)', column), rounded([r]));
    t.same(numbers('v/‖v‖₁ · r', column), rounded(v.map((x) => (x / l1(v)) * r)));

    const test = testAccumulator(Int32Array.from(q), 1, inputRange(BITS.input), BITS.accumulator);
    const [{ alpha, beta, max, min }] = test.channels;
    t.same(numbers('α, β', column), [alpha, beta]);
    t.same(numbers('‖q‖₁', column), [alpha - beta]);
    t.same(numbers('largest and smallest sum', column), [max, min]);
    t.same(numbers('smallest safe P', column), [test.safeBits]);
  });
}
