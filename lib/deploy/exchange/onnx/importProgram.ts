import type { DecodeStep } from '../../graph/graph.js';
import type { Transfer } from '../../graph/thresholds.js';

/** One float64 operation on each number of a value, with numbers of its own: one, or one for each channel. */
export interface Step {
  /** For errors. */
  readonly label: string;
  /** Whether its results never fall where its argument rises, whatever the channel. */
  readonly rises: boolean;
  /** How many channels its numbers tell apart; 1: none. */
  readonly channels: number;
  at(x: number, channel: number): number;
  /** The same as steps of a network's output; null if it has no such form. */
  readonly decode: readonly DecodeStep[] | null;
  /** Of a limit: where it is. */
  readonly limits?: { readonly low: number; readonly high: number };
  /** Of a multiplication by one number: which, and of a division. */
  readonly factor?: number;
  readonly divisor?: number;
}

/** What a file computes with the integers of a value, in the file's own order. */
export type Program = readonly Step[];

const of = (values: ArrayLike<number>, channel: number) => values[values.length === 1 ? 0 : channel];
const every = (values: ArrayLike<number>, test: (value: number) => boolean) => Array.from(values).every(test);
const listed = (values: ArrayLike<number>) => Array.from(values);

export function multiply(values: ArrayLike<number>): Step {
  return {
    ...{ label: 'Mul', channels: values.length, rises: every(values, (value) => value >= 0) },
    at: (x, c) => x * of(values, c),
    decode: [{ op: 'multiply', values: listed(values) }],
    ...(values.length === 1 ? { factor: values[0] } : {}),
  };
}

export function divide(values: ArrayLike<number>): Step {
  return {
    ...{ label: 'Div', channels: values.length, rises: every(values, (value) => value > 0) },
    at: (x, c) => x / of(values, c),
    decode: [{ op: 'divide', values: listed(values) }],
    ...(values.length === 1 ? { divisor: values[0] } : {}),
  };
}

/** The division of integers, toward 0. */
export function truncate(values: ArrayLike<number>): Step {
  const rises = every(values, (value) => value > 0);
  return {
    ...{ label: 'Div', channels: values.length, rises, decode: null },
    at: (x, c) => Math.trunc(x / of(values, c)),
  };
}

export function add(values: ArrayLike<number>): Step {
  return {
    ...{ label: 'Add', channels: values.length, rises: true },
    at: (x, c) => x + of(values, c),
    decode: [{ op: 'add', values: listed(values) }],
  };
}

/** `clip(x, low, high)`: a ReLU with 0 and ∞. */
export function limit(low: number, high: number): Step {
  return {
    ...{ label: 'Clip', channels: 1, rises: true, limits: { low, high } },
    at: (x) => Math.min(high, Math.max(low, x)),
    decode: high === Number.POSITIVE_INFINITY ? [{ op: 'maximum', values: [low] }] : null,
  };
}

/** `x < 0 ? slope·x : x`. */
export function leak(slope: ArrayLike<number>): Step {
  return {
    ...{ label: 'LeakyRelu', channels: slope.length, rises: every(slope, (value) => value >= 0) },
    at: (x, c) => (x < 0 ? of(slope, c) * x : x),
    decode: null,
  };
}

/** Any function of one number; thresholds are found only if it is monotone where it is reached. */
export function unary(label: string, at: (x: number) => number, rises: boolean): Step {
  return { label, channels: 1, rises, at, decode: null };
}

/** Batch normalisation with known statistics, one number a channel each. */
export interface BatchNorm {
  readonly scale: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly mean: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
  readonly epsilon: number;
}

export function batchNorm({ scale, bias, mean, variance, epsilon }: BatchNorm): Step {
  const channels = scale.length;
  const deviation = Float64Array.from(variance, (value) => Math.sqrt(value + epsilon));
  const slope = Array.from(scale, (value, c) => value / deviation[c]);
  return {
    ...{ label: 'BatchNormalization', channels, rises: every(scale, (value) => value >= 0) },
    at: (x, c) => ((x - mean[c]) / deviation[c]) * scale[c] + bias[c],
    decode: [
      { op: 'add', values: Array.from(mean, (value) => -value) },
      { op: 'multiply', values: slope },
      { op: 'add', values: listed(bias) },
    ],
  };
}

/** A quantizer: the integers, and what each is worth. */
export interface Rounding {
  readonly scale: ArrayLike<number>;
  readonly low: number;
  readonly high: number;
  readonly round: (x: number) => number;
  /** Whether the result is the integer, or the integer times the scale. */
  readonly keepsIntegers: boolean;
}

/** The clamp first, then the rounding, as QONNX has it. */
export function quantize({ scale, low, high, round, keepsIntegers }: Rounding): Step {
  return {
    ...{ label: 'Quant', channels: scale.length, rises: true },
    at(x, c) {
      const s = of(scale, c);
      const q = round(Math.min(high, Math.max(low, x / s)));
      return keepsIntegers ? q : q * s;
    },
    decode: null,
  };
}

/** `outScale · #{t : x ≥ t} + outBias`, with thresholds `[C, T]` or `[1, T]`. */
export function countThresholds(
  rows: readonly Float64Array[],
  { outScale, outBias }: { readonly outScale: number; readonly outBias: number },
): Step {
  const sorted = rows.map((row) => row.slice().sort());
  return {
    ...{ label: 'MultiThreshold', channels: rows.length, rises: outScale >= 0 },
    at(x, c) {
      const row = sorted[sorted.length === 1 ? 0 : c];
      let low = 0;
      let high = row.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (x >= row[middle]) low = middle + 1;
        else high = middle;
      }
      return outScale * low + outBias;
    },
    decode: null,
  };
}

/** How many channels a program tells apart. */
export function channelsOf(program: Program): number {
  return program.reduce((most, { channels }) => Math.max(most, channels), 1);
}

/** A program, then the division by the step of a grid: its integers; NaN for what lies beside the grid. */
export function transferOf(program: Program, step: number, channels: number): Transfer {
  return (a) => {
    const out = new Float64Array(a.length);
    for (let i = 0; i < a.length; i++) {
      let x = a[i];
      for (const each of program) x = each.at(x, i % channels);
      const q = Math.round(x / step);
      out[i] = Math.abs(x / step - q) < 1e-6 ? q : Number.NaN;
    }
    return out;
  };
}
