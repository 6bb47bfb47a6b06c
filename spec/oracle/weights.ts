import { fitAccumulator, type Register } from './accumulator.js';
import type { NumberArray } from './array.js';

interface Bound {
  readonly limit: number;
  readonly centred: boolean;
}

/** One channel of accumulator-aware weights: v, ‖v‖₁, the pre-scale and v over it. */
function channel(w: readonly number[], norm: number, { centred }: Bound) {
  let mean = 0;
  if (centred) for (const x of w) mean += x / w.length;
  const v = w.map((x) => x - mean);
  let l1 = 0;
  for (const x of v) l1 += Math.abs(x);
  const p = Math.max(l1 / norm, 1e-10);
  return { v, l1, p, u: v.map((x) => x / p) };
}

function clamp(q: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, q));
}

function row(w: NumberArray, c: number): number[] {
  const length = w.shape[1];
  return [...w.data].slice(c * length, (c + 1) * length);
}

/** Distance of the nearest v/p of any channel to an integer, where truncation jumps. */
export function distanceToJump(w: NumberArray, norm: NumberArray, bound: Bound): number {
  let nearest = 1;
  for (let c = 0; c < w.shape[0]; c++) {
    for (const u of channel(row(w, c), norm.data[c], bound).u) nearest = Math.min(nearest, Math.abs(u - Math.round(u)));
  }
  return nearest;
}

function integers(w: NumberArray, norm: NumberArray, bound: Bound): NumberArray {
  const data: number[] = [];
  for (let c = 0; c < w.shape[0]; c++) {
    const { u } = channel(row(w, c), norm.data[c], bound);
    for (const x of u) data.push(clamp(Math.trunc(x), bound.limit));
  }
  return { shape: w.shape, data };
}

/** By hand: u = v·r/‖v‖₁ differentiated in v and r, then through the mean. */
export function boundWeightsGrad(
  g: NumberArray,
  w: NumberArray,
  norm: NumberArray,
  scale: NumberArray,
  bound: Bound,
): Record<'w' | 'norm' | 'scale', NumberArray> {
  const [channels, length] = w.shape;
  const toW: number[] = [];
  const toNorm: number[] = [];
  const toScale: number[] = [];
  for (let c = 0; c < channels; c++) {
    const [r, s, gradient] = [norm.data[c], scale.data[c], row(g, c)];
    const { v, l1, u } = channel(row(w, c), r, bound);
    const inside = u.map((x) => Math.abs(Math.trunc(x)) <= bound.limit);
    const toU = gradient.map((x, i) => (inside[i] ? x * s : 0));
    let along = 0;
    for (let i = 0; i < length; i++) along += toU[i] * v[i];
    const toV = v.map((x, i) => (toU[i] * r) / l1 - (along * r * Math.sign(x)) / (l1 * l1));
    const mean = bound.centred ? toV.reduce((total, x) => total + x / length, 0) : 0;
    for (const x of toV) toW.push(x - mean);
    toNorm.push(along / l1);
    toScale.push(gradient.reduce((total, x, i) => total + x * clamp(Math.trunc(u[i]), bound.limit), 0));
  }
  return {
    w: { shape: w.shape, data: toW },
    norm: { shape: norm.shape, data: toNorm },
    scale: { shape: scale.shape, data: toScale },
  };
}

interface AccumulatorBound extends Bound {
  readonly budget: number;
  readonly accumulator: Register;
}

/** s, g and r = min(g/s, T) of each channel; norm and scale as columns. */
export function scaleAndNorm(d: NumberArray, t: NumberArray, budget: number) {
  const s = [...d.data].map((x) => Math.max(2 ** x, 1e-10));
  const g = [...t.data].map((x) => Math.max(2 ** x, 1e-10));
  const column = (data: number[]): NumberArray => ({ shape: [data.length, 1], data });
  return { s, g, scale: column(s), norm: column(s.map((step, c) => Math.min(g[c] / step, budget))) };
}

/** `w [O, …]` as rows. */
function rows(w: NumberArray): NumberArray {
  return { shape: [w.shape[0], w.data.length / Math.max(1, w.shape[0])], data: w.data };
}

export function a2qWeights(w: NumberArray, d: NumberArray, t: NumberArray, bound: AccumulatorBound): NumberArray {
  const { norm, scale } = scaleAndNorm(d, t, bound.budget);
  const q = fitAccumulator(integers(rows(w), norm, bound), bound.accumulator);
  return { shape: w.shape, data: q.data.map((x, i) => x * scale.data[Math.floor(i / q.shape[1])]) };
}

/** The chain rule through r = min(g/s, T), s = 2^d, g = 2^t, by hand. */
export function a2qWeightsGrad(
  gradient: NumberArray,
  w: NumberArray,
  d: NumberArray,
  t: NumberArray,
  bound: AccumulatorBound,
): Record<'w' | 'd' | 't', NumberArray> {
  const { s, g, norm, scale } = scaleAndNorm(d, t, bound.budget);
  const grads = boundWeightsGrad(rows(gradient), rows(w), norm, scale, bound);
  const toD: number[] = [];
  const toT: number[] = [];
  for (let c = 0; c < s.length; c++) {
    const toRatio = g[c] / s[c] <= bound.budget ? grads.norm.data[c] : 0;
    toD.push((grads.scale.data[c] - (toRatio * g[c]) / s[c] ** 2) * Math.LN2 * 2 ** d.data[c]);
    toT.push((toRatio / s[c]) * Math.LN2 * 2 ** t.data[c]);
  }
  return {
    w: { shape: w.shape, data: grads.w.data },
    d: { shape: d.shape, data: toD },
    t: { shape: t.shape, data: toT },
  };
}

export function a2qPenalty(d: NumberArray, t: NumberArray, budget: number): number {
  const { s, g } = scaleAndNorm(d, t, budget);
  return s.reduce((total, step, c) => total + Math.max(g[c] - budget * step, 0), 0);
}

export function a2qPenaltyGrad(
  gradient: number,
  d: NumberArray,
  t: NumberArray,
  budget: number,
): Record<'d' | 't', NumberArray> {
  const { s, g } = scaleAndNorm(d, t, budget);
  const exceeds = s.map((step, c) => (g[c] - budget * step > 0 ? gradient * Math.LN2 : 0));
  return {
    d: { shape: d.shape, data: exceeds.map((x, c) => -budget * x * 2 ** d.data[c]) },
    t: { shape: t.shape, data: exceeds.map((x, c) => x * 2 ** t.data[c]) },
  };
}
