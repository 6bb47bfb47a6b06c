import { type BoundKind, l1Budget } from '../../lib/quant/bounds.js';
import type { IntegerFormat } from '../../lib/quant/integerRange.js';
import type { Random } from '../../lib/tensor/random.js';

/** Parameters of a layer, and of which kind each channel is. */
export interface Hostile {
  readonly w: Float32Array<ArrayBuffer>;
  readonly d: Float32Array<ArrayBuffer>;
  readonly t: Float32Array<ArrayBuffer>;
  readonly kinds: readonly string[];
}

type Write = (random: Random, row: Float32Array) => void;

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

/** The next float32 away from 0. */
function next(x: number, steps: number): number {
  const bits = new Int32Array(1);
  const value = new Float32Array(bits.buffer);
  value[0] = x;
  bits[0] += steps;
  return value[0];
}

const sign = (random: Random) => (random.uniform() < 0.5 ? -1 : 1);
const each =
  (draw: (random: Random) => number): Write =>
  (random, row) => {
    for (let k = 0; k < row.length; k++) row[k] = draw(random);
  };
const magnitude = (random: Random) => 10 ** random.uniform(-6, 6);

/** Rows that rounding finds hard. */
const ROWS: Readonly<Record<string, Write>> = {
  ordinary: each((random) => random.normal()),
  equal: (random, row) => row.fill(sign(random) * magnitude(random)),
  'nearly equal': (random, row) => {
    const c = sign(random) * magnitude(random);
    for (let k = 0; k < row.length; k++) row[k] = next(c, random.integer(3));
  },
  'equal but one': (random, row) => {
    row.fill(magnitude(random));
    row[random.integer(row.length)] *= random.uniform(-2, 2);
  },
  'one-signed': (random, row) => {
    const side = sign(random);
    for (let k = 0; k < row.length; k++) row[k] = side * random.uniform();
  },
  'two sizes': (random, row) => {
    const [a, b] = [random.normal(), random.normal()];
    for (let k = 0; k < row.length; k++) row[k] = random.uniform() < 0.5 ? a : b;
  },
  alternating: (random, row) => {
    const c = magnitude(random);
    for (let k = 0; k < row.length; k++) row[k] = k % 2 === 0 ? c : -c;
  },
  offset: (random, row) => {
    const mean = 10 ** random.uniform(0, 7);
    for (let k = 0; k < row.length; k++) row[k] = mean + random.normal();
  },
  tiny: each((random) => random.normal() * 1e-30),
  subnormal: each((random) => sign(random) * random.integer(1000) * 2 ** -149),
  huge: each((random) => sign(random) * random.uniform() * 3.4e38),
  'mixed magnitudes': each((random) => sign(random) * 10 ** random.uniform(-38, 38)),
  sparse: each((random) => (random.uniform() < 0.9 ? 0 : random.normal())),
  spike: (random, row) => {
    for (let k = 0; k < row.length; k++) row[k] = random.normal() * 1e-3;
    row[random.integer(row.length)] = random.normal() * 100;
  },
  zeros: (_, row) => row.fill(0),
  'negative zeros': (_, row) => row.fill(-0),
  'a NaN': (random, row) => {
    for (let k = 0; k < row.length; k++) row[k] = random.normal();
    row[random.integer(row.length)] = nan;
  },
  'an infinity': (random, row) => {
    for (let k = 0; k < row.length; k++) row[k] = random.normal();
    row[random.integer(row.length)] = sign(random) * inf;
  },
  'a power of two': (random, row) => row.fill(sign(random) * 2 ** (random.integer(20) - 10)),
};

const NAMES = Object.keys(ROWS);

/** log2 of the scale. */
function drawScale(random: Random): number {
  const kind = random.integer(20);
  if (kind === 0) return [nan, inf, -inf, 127.5, -150, 120, 1e30, -1e30][random.integer(8)];
  if (kind < 6) return random.integer(20) - 12;
  return random.uniform(-20, 8);
}

/** log2 of the norm: under, on and over the cap. */
function drawNorm(random: Random, d: number, budget: number): number {
  const kind = random.integer(20);
  if (kind === 0) return [nan, inf, -inf, 127.9, -150][random.integer(5)];
  const cap = d + Math.log2(budget);
  if (kind < 4) return random.uniform(-30, 30);
  if (kind < 8) return next(Math.fround(cap), random.integer(5) - 2);
  return cap + random.uniform(-1, 6);
}

/** Weights, and parameters that let them spend their budget. */
export function drawWeights(
  random: Random,
  {
    method,
    accumulatorBits,
    input,
    channels,
    length,
  }: {
    readonly method: BoundKind;
    readonly accumulatorBits: number;
    readonly input: IntegerFormat;
    readonly channels: number;
    readonly length: number;
  },
): Hostile {
  const budget = l1Budget(method, accumulatorBits, input);
  const w = new Float32Array(channels * length);
  const d = Float32Array.from({ length: channels }, () => drawScale(random));
  const t = d.map((scale) => drawNorm(random, scale, budget));
  const kinds = Array.from({ length: channels }, (_, channel) => {
    const row = w.subarray(channel * length, (channel + 1) * length);
    const exact = random.uniform() < 0.15;
    const name = exact ? 'exact budget' : NAMES[random.integer(NAMES.length)];
    if (exact) spendExactly(random, row, budget, channel, d, t);
    else ROWS[name](random, row);
    return name;
  });
  return { w, d, t, kinds };
}

/** Integer weights whose norm is the whole budget, above the cap: quotients fall on integers, or next to them. */
function spendExactly(
  random: Random,
  row: Float32Array,
  budget: number,
  channel: number,
  d: Float32Array,
  t: Float32Array,
): void {
  const share = Math.max(1, Math.round(budget / row.length));
  for (let k = 0; k < row.length; k++) row[k] = sign(random) * share;
  row[0] += Math.sign(row[0]) * (Math.floor(budget) - share * row.length);
  d[channel] = random.integer(8) - 4;
  t[channel] = d[channel] + Math.ceil(Math.log2(budget)) + 1;
}
