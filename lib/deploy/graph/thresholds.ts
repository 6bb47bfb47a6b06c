import { asFunction, asInstance, asOptions } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';
import { type IntegerTensor, integerTensor } from './graph.js';
import type { ChannelRange } from './ranges.js';
import { countReached } from './requantize.js';

/**
 * What a network computes between an accumulator and the next grid, of `n` accumulators of each channel.
 * @param a `[n, C]`, row-major integers @returns integers of the grid, `[n, C]`
 */
export type Transfer = (a: Float64Array, n: number) => ArrayLike<number>;

/** The thresholds that stand for a transfer: see `ThresholdNode`. */
export interface Thresholds {
  /** `[C, T]`, with T = high − low of the grid. */
  readonly thresholds: IntegerTensor;
  /** `[C]` */
  readonly sign: IntegerTensor;
  /** `[C]`: the grid's low where results rise, its high where they fall. */
  readonly base: IntegerTensor;
}

/** Most steps of a grid that thresholds are found for: of 12 bits. */
const MOST_STEPS = 4095;
/** So many values, over all channels, are all looked at; of more, a sample. */
const EXHAUSTIVE = 2 ** 21;
const SAMPLES = 257;

/**
 * The thresholds of a transfer that is monotone in each channel, found by asking it: whatever it rounds, they do alike,
 * for every accumulator that can be reached. Bisects all steps of all channels at once.
 *
 * @param reach `[C]`, what each channel's accumulator can be @param grid of the results
 * @throws QuantError if the grid has more than 4095 steps, or results leave it or do not rise or fall throughout
 */
export function findThresholds(
  transfer: Transfer,
  reach: ChannelRange,
  grid: { readonly low: number; readonly high: number },
): Thresholds {
  asFunction('findThresholds', 'transfer', transfer);
  const { low: from, high: to } = asOptions('findThresholds', reach, 'the reach');
  asInstance('findThresholds', 'the low ends', from, Float64Array);
  asInstance('findThresholds', 'the high ends', to, Float64Array);
  const channels = from.length;
  if (channels === 0 || to.length !== channels || from.some((low, c) => !(low <= to[c] && to[c] < 2 ** 31 - 1))) {
    throw new QuantError(
      'findThresholds',
      'each channel needs a low end that is not above its high end, below 2^31 − 1',
    );
  }
  const steps = asOptions('findThresholds', grid, 'the grid').high - grid.low;
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS) {
    throw new QuantError('findThresholds', `${steps} steps are not 1 … ${MOST_STEPS}: use fixed-point requantization`);
  }
  const ask = (a: Float64Array) => checked(transfer(a, a.length / channels), grid);
  const first = ask(Float64Array.from(from));
  const last = ask(Float64Array.from(to));
  const sign = Int8Array.from(first, (base, c) => (last[c] < base ? -1 : 1));
  const base = Float64Array.from(sign, (up) => (up === 1 ? grid.low : grid.high));
  const reached = (c: number, result: number) => sign[c] * (result - base[c]);

  // For step k of channel c, `above` reaches it and `below` does not, or is less than any: to + 1 stands for never.
  const below = new Float64Array(steps * channels);
  const above = new Float64Array(steps * channels);
  let open = false;
  for (let i = 0; i < below.length; i++) {
    const [k, c] = [Math.floor(i / channels) + 1, i % channels];
    const [always, ever] = [first, last].map((results) => k <= reached(c, results[c]));
    below[i] = always ? from[c] - 1 : ever ? from[c] : to[c];
    above[i] = always ? from[c] : ever ? to[c] : to[c] + 1;
    open ||= above[i] - below[i] > 1;
  }
  const middle = new Float64Array(below.length);
  while (open) {
    for (let i = 0; i < middle.length; i++) {
      middle[i] = Math.max(from[i % channels], Math.floor((below[i] + above[i]) / 2));
    }
    const results = ask(middle);
    open = false;
    for (let i = 0; i < middle.length; i++) {
      if (above[i] - below[i] <= 1) continue;
      if (reached(i % channels, results[i]) > Math.floor(i / channels)) above[i] = middle[i];
      else below[i] = middle[i];
      open ||= above[i] - below[i] > 1;
    }
  }
  const thresholds = new Float64Array(channels * steps);
  for (let i = 0; i < above.length; i++) thresholds[(i % channels) * steps + Math.floor(i / channels)] = above[i];
  const found = {
    thresholds: integerTensor([channels, steps], thresholds),
    sign: integerTensor([channels], sign),
    base: integerTensor([channels], base),
  };
  compare(ask, reach, found);
  return found;
}

/** @throws QuantError if a result is no integer of the grid */
function checked(results: ArrayLike<number>, { low, high }: { readonly low: number; readonly high: number }) {
  const copy = Float64Array.from(results, (value) => value + 0);
  const bad = copy.find((value) => !(Number.isInteger(value) && value >= low && value <= high));
  if (bad === undefined) return copy;
  throw new QuantError('findThresholds', `a result is ${bad}, which is no integer of ${low} … ${high}`);
}

/** Holds thresholds to the transfer: at every value where there are few, else at many. @throws QuantError */
function compare(
  ask: (a: Float64Array) => Float64Array,
  { low: from, high: to }: ChannelRange,
  { thresholds, sign, base }: Thresholds,
): void {
  const [channels, steps] = thresholds.shape;
  const widest = from.reduce((most, low, c) => Math.max(most, to[c] - low + 1), 1);
  const count = widest * channels <= EXHAUSTIVE ? widest : SAMPLES;
  const block = Math.max(1, Math.floor(2 ** 18 / channels));
  for (let start = 0; start < count; start += block) {
    const rows = Math.min(block, count - start);
    const a = new Float64Array(rows * channels);
    for (let i = 0; i < a.length; i++) {
      const c = i % channels;
      const row = start + Math.floor(i / channels);
      const span = to[c] - from[c];
      a[i] = from[c] + (count === widest ? Math.min(row, span) : Math.floor((row / (count - 1)) * span));
    }
    const results = ask(a);
    for (let i = 0; i < a.length; i++) {
      const c = i % channels;
      const count = countReached(thresholds.data, a[i], c * steps, (c + 1) * steps);
      if (results[i] === base.data[c] + sign.data[c] * count) continue;
      throw new QuantError(
        'findThresholds',
        `what follows the accumulator neither rises nor falls throughout (channel ${c}, at ${a[i]})`,
      );
    }
  }
}
