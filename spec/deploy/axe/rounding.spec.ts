import '../../startReference.js';
import fc from 'fast-check';
import t from 'tap';
import { ChannelRegisters, tileBits } from '../../../lib/deploy/axe/registers.js';
import { type Moments, ROUNDINGS, rowRounder, upperFactor } from '../../../lib/deploy/axe/rounding.js';
import { testAccumulator } from '../../../lib/quant/accumulator.js';
import { ArgumentError, QuantError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';

/** Rows of x̃ and x: activations, and the same on a coarse grid. */
function activations(count: number, length: number, seed: number) {
  const random = new Random(seed);
  const rows = (of: (value: number) => number) => (x: number[][]) => x.map((row) => row.map(of));
  const floats = Array.from({ length: count }, () => {
    const shared = random.normal();
    return Array.from({ length }, () => Math.max(0, shared + random.normal()));
  });
  return { floats, quantized: rows((value) => Math.round(value * 2) / 2)(floats) };
}

/** By the definition. */
function momentsOf({ floats, quantized }: ReturnType<typeof activations>): Moments {
  const length = floats[0].length;
  const product = (a: number[][], b: number[][]) =>
    Float64Array.from({ length: length * length }, (_, i) => {
      const [row, column] = [Math.floor(i / length), i % length];
      return a.reduce((sum, each, n) => sum + each[row] * b[n][column], 0);
    });
  return { quantized: product(quantized, quantized), cross: product(quantized, floats) };
}

/** GPFQ as it is published: a residual u in data space, one column after the other. */
function gpfq({ floats, quantized }: ReturnType<typeof activations>, w: number[], limit: number): number[] {
  const energy = (k: number) => quantized.reduce((sum, row) => sum + row[k] ** 2, 0);
  const order = w.map((_, k) => k).sort((a, b) => energy(b) - energy(a) || a - b);
  const u = floats.map(() => 0);
  const q = w.map(() => 0);
  for (const k of order) {
    const wanted = u.map((value, n) => value + w[k] * floats[n][k]);
    const exact = wanted.reduce((sum, value, n) => sum + value * quantized[n][k], 0) / energy(k);
    q[k] = Math.min(limit, Math.max(-limit, Math.round(exact)));
    for (const n of u.keys()) u[n] = wanted[n] - q[k] * quantized[n][k];
  }
  return q;
}

function errorOf({ floats, quantized }: ReturnType<typeof activations>, w: number[], q: ArrayLike<number>): number {
  const dot = (row: number[], weights: ArrayLike<number>) => row.reduce((sum, x, k) => sum + x * weights[k], 0);
  return floats.reduce((sum, row, n) => sum + (dot(quantized[n], q) - dot(row, w)) ** 2, 0);
}

t.test('GPFQ from moments is GPFQ on the data', async (t) => {
  for (const seed of [1, 2, 3]) {
    const data = activations(40, 12, seed);
    const random = new Random(seed);
    const w = Array.from({ length: 12 }, () => 3 * random.normal());
    const q = rowRounder('gpfq', momentsOf(data)).round(Float64Array.from(w), 7, null);
    t.same([...q], gpfq(data, w, 7));
  }
});

t.test('the factor is that of R·Rᵀ, and GPTQ without a limit meets each conditional minimum', async (t) => {
  const h = Float64Array.of(4, 2, 1, 2, 5, 3, 1, 3, 6);
  const lower = upperFactor(h);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      let sum = 0;
      for (let k = 0; k < 3; k++) sum += lower[k * 3 + i] * lower[k * 3 + j];
      t.ok(Math.abs(sum - h[i * 3 + j]) < 1e-12);
      if (j > i) t.equal(lower[i * 3 + j], 0);
    }
  }
});

t.test('both err less on the data than rounding to the nearest, and say by how much', async (t) => {
  const totals = [0, 0, 0];
  for (let seed = 4; seed < 24; seed++) {
    const data = activations(100, 24, seed);
    const random = new Random(seed);
    const w = Array.from({ length: 24 }, () => 2 * random.normal());
    const moments = momentsOf(data);
    for (const [i, rounding] of ROUNDINGS.entries()) {
      const rounder = rowRounder(rounding, moments);
      const q = rounder.round(Float64Array.from(w), 7, null);
      const zero = errorOf(data, w, new Float64Array(24));
      const said = rounder.error(Float64Array.from(w), q) + zero;
      const error = errorOf(data, w, q);
      t.ok(Math.abs(said - error) < 1e-6 * zero, `${rounding}: ${said} is ${error}`);
      totals[i] += error;
    }
  }
  t.ok(totals[0] < 0.8 * totals[2], `gpfq ${totals}`);
  t.ok(totals[1] < 0.8 * totals[2], `gptq ${totals}`);
});

t.test('no weights, inputs, tiles or order overflow the registers they are rounded for', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 3, max: 14 }),
      fc.integer({ min: 1, max: 50 }),
      fc.constantFrom({ low: 0, high: 15 }, { low: -8, high: 7 }, { low: 0, high: 1 }, { low: -128, high: 0 }),
      fc.constantFrom(...ROUNDINGS),
      fc.integer({ min: 0, max: 9 }),
      (w, bits, tile, input, rounding, seed) => {
        const weights = Float64Array.from(w);
        const rounder = rowRounder(rounding, momentsOf(activations(5, w.length, seed)));
        const q = rounder.round(weights, 7, new ChannelRegisters({ bits, tile, input }, weights));
        const tiles = Math.ceil(w.length / tile);
        const outer = bits + Math.ceil(Math.log2(tiles));
        return (
          q.every((value) => Number.isInteger(value) && Math.abs(value) <= 7) &&
          tileBits(q, 1, { tile, input }) <= bits &&
          testAccumulator(q, 1, input, outer).safe
        );
      },
    ),
    { numRuns: 500, seed: 1 },
  );
  t.pass('500 channels');
});

t.test('a budget that suffices changes nothing, one that does not is spent', async (t) => {
  const weights = Float64Array.of(3.2, -2.9, 1.4, -0.2, 6.6, 0);
  const input = { low: 0, high: 15 };
  const nearest = rowRounder('nearest', null);
  const round = (bits: number) => nearest.round(weights, 7, new ChannelRegisters({ bits, tile: 6, input }, weights));
  t.same([...round(12)], [3, -3, 1, 0, 7, 0]);
  // P = 7: 63 / 15 = 4 positive units, 64 / 15 = 4 negative ones; the threshold has taken the small ones.
  const tight = round(7);
  const alpha = tight.reduce((sum, q) => sum + Math.max(q, 0), 0);
  t.ok(alpha <= 4 && alpha > 0, `${tight}`);
  t.equal(nearest.error(weights, Float64Array.of(3, -3, 1, 0, 7, 0)) < nearest.error(weights, tight), true);
});

t.test('inputs that never come leave a weight as it is', async (t) => {
  const zero = { quantized: new Float64Array(4), cross: new Float64Array(4) };
  for (const rounding of ROUNDINGS) {
    t.same([...rowRounder(rounding, zero).round(Float64Array.of(1.2, -3.7), 7, null)], [1, -4], rounding);
  }
});

t.test('registers that are none', async (t) => {
  const input = { low: 0, high: 15 };
  const w = Float64Array.of(1);
  t.throws(() => new ChannelRegisters({ bits: 33, tile: 1, input }, w), QuantError);
  t.throws(() => new ChannelRegisters({ bits: 8, tile: 0, input }, w), ArgumentError);
  t.throws(() => new ChannelRegisters({ bits: 8, tile: 1, input: { low: 1, high: 2 } }, w), QuantError);
});
