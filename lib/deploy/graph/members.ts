/** What each member of a network's description must be: it may come from a file, where it can be anything. */

export type Kind = (value: unknown) => boolean;

export const whole =
  (low: number, high: number): Kind =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high;

export const list =
  (of: Kind, fewest: number, most: number): Kind =>
  (value) =>
    Array.isArray(value) && value.length >= fewest && value.length <= most && value.every(of);

const orNull =
  (kind: Kind): Kind =>
  (value) =>
    value === null || kind(value);

/** A name that others refer to. */
export const text: Kind = (value) => typeof value === 'string' && value.length > 0 && value.length <= 500;
/** Words for people. */
export const words: Kind = (value) => typeof value === 'string' && value.length <= 2 ** 16;
export const int32 = whole(-(2 ** 31), 2 ** 31 - 1);
/** A finite float32, or one that rounds to it. */
export const finite: Kind = (value) => typeof value === 'number' && Number.isFinite(Math.fround(value));
/** One above 0, before and after rounding: a scale. */
export const positive: Kind = (value) => finite(value) && Math.fround(value as number) > 0;
/** Of pixel repeats and sub-pixels. */
export const factor = whole(1, 64);

const EXTENT = 2 ** 16;
const pairOf = (low: number) => list(whole(low, EXTENT), 2, 2);
const windows = { stride: pairOf(1), padding: pairOf(0), dilation: pairOf(1) };
const one = list(text, 1, 1);
const several = list(text, 1, 1000);
const product = { inputs: one, weights: text, weightBits: whole(1, 32), accumulatorBits: orNull(whole(2, 32)) };
const requantized = { inputs: one, low: int32, high: int32, scale: positive };

/** The members of each kind of node beside its name, by operation; of a requantization, by mode. */
export const MEMBERS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  conv: { ...product, ...windows, groups: whole(1, EXTENT), resize: factor },
  linear: product,
  add: { inputs: several },
  maxPool: { inputs: one, ...windows, kernel: pairOf(1) },
  sumPool: { inputs: one, ...windows, kernel: orNull(pairOf(1)) },
  upsample: { inputs: one, factor },
  pixelShuffle: { inputs: one, factor },
  concat: { inputs: several },
  reshape: { inputs: one, shape: list((extent) => extent === -1 || whole(1, 2 ** 31 - 1)(extent), 1, 7) },
  permute: { inputs: one, axes: list(whole(0, 7), 2, 8) },
  thresholds: { ...requantized, thresholds: text, sign: text, base: text },
  fixed: {
    ...requantized,
    ...{ lift: whole(0, 52), multiplier: text, offset: text, shift: text },
    error: (value) => finite(value) && (value as number) >= 0,
  },
};

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value is, in a few words, however deep or odd it is. */
export function told(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  const words = typeof value === 'string' ? `'${value}'` : String(value);
  return words.length > 80 ? `${words.slice(0, 77)}…` : words;
}
