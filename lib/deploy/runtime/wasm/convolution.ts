import type { ChannelRange } from '../../graph/ranges.js';
import { extremesOf } from '../../graph/ranges.js';
import type { Engine, Job, KernelName } from './engine.js';
import type { Finish } from './finish.js';
import type { Grid, Place } from './places.js';
import type { TapWeights } from './taps.js';
import { dealt, unitsOfGroup } from './units.js';

/** How a convolution's sums are made. */
export type Method = 'additions' | 'quads' | 'pairs' | 'windows16' | 'windows32';

/** What people read. */
export const METHOD_NAMES: Readonly<Record<Method, string>> = {
  additions: 'additions int8',
  quads: 'relaxed dot int8',
  pairs: 'dot int16',
  windows16: 'taps in int16 lanes',
  windows32: 'taps in int32 lanes',
};

/** Bits of a method's sums. */
export function bitsOf(method: Method): 16 | 32 {
  return method === 'additions' || method === 'windows16' ? 16 : 32;
}

/** Nanoseconds that sixteen pixels of one output take: for each unit, word or tap, and besides. Measured. */
const COSTS: Readonly<Record<Method, number>> = {
  additions: 0.25,
  quads: 0.7,
  pairs: 1,
  windows16: 0.8,
  windows32: 2.4,
};

/** Planes of one group's channels, with shifts in bytes: `taps` of each channel, and their weights. */
interface Problem {
  readonly x: Place;
  readonly weights: TapWeights;
  /** Bytes from a pixel of the result to what a tap reads, in channel 0 of a group. */
  readonly shifts: readonly number[];
}

/** The cheapest method that is exact here; null if there is none. */
export function methodFor(
  simd: 'plain' | 'relaxed',
  x: Place,
  weights: TapWeights,
  range: ChannelRange,
  only?: Method,
): { readonly method: Method; readonly cost: number } | null {
  if (x.width === 'int32') return null;
  const { low, high } = extremesOf(range);
  const is16 = low >= -(2 ** 15) && high < 2 ** 15;
  let [largest, taps, units] = [0, 0, 0];
  for (const weight of weights.weights) {
    const size = Math.abs(weight);
    largest = Math.max(largest, size);
    units += size;
    if (size > 0) taps++;
  }
  if (largest >= 2 ** 15) return null;
  const { outputs, perGroup, groups, window } = weights;
  const words = (channels: number) => outputs * Math.ceil(perGroup / channels) * window.taps.length;
  const { each, both } = unitsOfGroup(x.low, x.high);
  const costs: Partial<Record<Method, number>> = { windows32: taps };
  if (is16) costs.windows16 = taps;
  if (is16 && each > 0) costs.additions = units * (1 + 8 / (both + 1));
  if (groups === 1) costs.pairs = words(2);
  if (groups === 1 && simd === 'relaxed' && x.width === 'int8' && x.low >= 0 && largest < 128) costs.quads = words(4);
  const ranked = (Object.keys(costs) as Method[])
    .map((method) => ({ method, cost: (costs[method] ?? 0) * COSTS[method] }))
    .sort((a, b) => a.cost - b.cost);
  return ranked.find(({ method }) => only === undefined || method === only) ?? null;
}

/** The jobs of a convolution by a method. `x` holds all phases of the image, `[phase][channel]`. */
export function convolutionJobs(
  engine: Engine,
  { method, cost }: { readonly method: Method; readonly cost: number },
  x: Place,
  weights: TapWeights,
  finish: Finish,
  out: Place,
): readonly Job[] {
  const { grid } = out;
  const channels = weights.perGroup * weights.groups;
  const shifts = weights.window.taps.map(
    ({ phase, down, across }) => phase * channels * grid.lanes + down * grid.rowStep + across,
  );
  const problem = { x, weights, shifts };
  const result = [finish.kind, finish.records, finish.step, grid.mask, out.address];
  const plane = grid.lanes * (out.width === 'int32' ? 4 : 1);
  if (method === 'pairs' || method === 'quads') return [productJob(engine, method, cost, problem, result, plane, out)];
  if (method === 'additions') return [additionJob(engine, cost, problem, result, plane, out)];
  return [
    {
      kernel: `${method.replace('ws', 'wSums')}${x.width === 'uint8' ? 'u' : ''}` as KernelName,
      units: grid.lanes / TAP_BLOCK,
      cost: (cost + weights.outputs * 2) * (TAP_BLOCK / 16),
      scratch: TAP_BLOCK * 4,
      arguments: [x.address, engine.keep(tapTables(problem)), weights.outputs, ...result, plane],
    },
  ];
}

/** Pixels that windows sum at once. */
const TAP_BLOCK = 32;

/** What the pixels of a block read: from the first pixel's first tap on, so many pixels of each plane. */
function reach({ weights: { window } }: Problem, { block, rowStep }: Grid): { first: number; span: number } {
  const within = window.taps.map(({ down, across }) => down * rowStep + across);
  const first = Math.min(...within);
  return { first, span: Math.ceil((block + Math.max(...within) - first) / 16) * 16 };
}

function additionJob(
  engine: Engine,
  cost: number,
  problem: Problem,
  result: readonly number[],
  plane: number,
  { grid }: Place,
): Job {
  const { x, weights } = problem;
  const { lanes, block } = grid;
  const { first, span } = reach(problem, grid);
  const planes = weights.window.phases.length * weights.perGroup * weights.groups;
  // Shifts in planes become shifts in what is gathered of them.
  const gathered = (shift: number) => {
    const at = shift - first;
    return Math.floor(at / lanes) * span + (at % lanes);
  };
  const tables = engine.keep(additionTables(problem, gathered));
  return {
    kernel: `additions${block / 16}` as KernelName,
    units: lanes / block,
    cost: (cost + weights.outputs * 2) * (block / 16),
    scratch: block * 2 + planes * span,
    arguments: [x.address + first, lanes, planes, span, tables, weights.outputs, ...result, plane],
  };
}

/** Calls `visit` for each output with its weights and the place in memory of each. */
function eachOutput(
  { weights: given, x, shifts }: Problem,
  visit: (weights: Int32Array, shifts: number[]) => void,
): void {
  const { outputs, perGroup, groups, weights, window } = given;
  const length = perGroup * window.taps.length;
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / (outputs / groups)) * perGroup;
    const places: number[] = [];
    for (let c = 0; c < perGroup; c++) for (const shift of shifts) places.push((first + c) * x.grid.lanes + shift);
    visit(weights.subarray(o * length, (o + 1) * length), places);
  }
}

function additionTables(problem: Problem, gathered: (shift: number) => number): Int32Array {
  const words: number[] = [];
  eachOutput(problem, (weights, shifts) => {
    const groups = dealt(weights, problem.x.low, problem.x.high);
    // No weights at all: one empty group, so that the sums become zeros.
    const all = groups.length > 0 ? groups : [{ plus: [], minus: [] }];
    words.push(all.length);
    for (const { plus, minus } of all) {
      words.push(plus.length * 4, (plus.length + minus.length) * 4);
      for (const k of plus) words.push(gathered(shifts[k]));
      for (const k of minus) words.push(gathered(shifts[k]));
    }
  });
  return Int32Array.from(words);
}

function tapTables(problem: Problem): Int32Array {
  const words: number[] = [];
  eachOutput(problem, (weights, shifts) => {
    const at = words.push(0) - 1;
    for (const [k, weight] of weights.entries()) {
      if (weight === 0) continue;
      words.push(shifts[k], weight);
      words[at]++;
    }
  });
  return Int32Array.from(words);
}

/** Output channels that a kernel sums at once. */
const ROWS = 6;

function productJob(
  engine: Engine,
  method: 'pairs' | 'quads',
  cost: number,
  { x, weights: given, shifts }: Problem,
  result: readonly number[],
  plane: number,
  out: Place,
): Job {
  const held = method === 'quads' ? 4 : 2;
  const { outputs, perGroup, weights, window } = given;
  const { lanes, block, rowStep } = out.grid;
  const channels = window.phases.length * perGroup;
  const within = window.taps.map(({ down, across }) => down * rowStep + across);
  const { first, span } = reach({ x, weights: given, shifts }, out.grid);
  // Words of a window: some planes at a shift that one of them reads with a weight.
  const places = new Map<number, number>();
  const length = perGroup * shifts.length;
  const reads = Array.from({ length }, (_, k) => {
    const tap = k % shifts.length;
    const channel = window.taps[tap].phase * perGroup + Math.floor(k / shifts.length);
    return { offset: (Math.floor(channel / held) * span + within[tap] - first) * 4, lane: channel % held };
  });
  for (let o = 0; o < outputs; o++) {
    for (let k = 0; k < length; k++) {
      const { offset } = reads[k];
      if (weights[o * length + k] !== 0 && !places.has(offset)) places.set(offset, places.size);
    }
  }
  const words = places.size;
  const packed = new (held === 4 ? Int8Array : Int16Array)(Math.ceil(outputs / ROWS) * words * ROWS * held);
  for (let o = 0; o < outputs; o++) {
    for (let k = 0; k < length; k++) {
      const word = places.get(reads[k].offset);
      if (word === undefined || weights[o * length + k] === 0) continue;
      packed[((Math.floor(o / ROWS) * words + word) * ROWS + (o % ROWS)) * held + reads[k].lane] =
        weights[o * length + k];
    }
  }
  const offsets = engine.keep(Int32Array.from(places.keys()));
  return {
    kernel: method === 'quads' ? 'productsOfQuads' : 'productsOfPairs',
    units: lanes / block,
    cost: (cost + outputs * 2) * (block / 16),
    scratch: Math.ceil(channels / held) * span * 4 + ROWS * block * 4,
    arguments: [
      ...[x.address + first, lanes, channels, x.width === 'uint8' ? 1 : 0, span, block],
      ...[offsets, words, engine.keep(packed), outputs, ...result, plane],
    ],
  };
}
