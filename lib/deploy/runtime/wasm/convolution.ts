import type { ChannelRange } from '../../graph/ranges.js';
import { extremesOf } from '../../graph/ranges.js';
import type { Engine, Job, KernelName } from './engine.js';
import type { Finish } from './finish.js';
import { bytesOf, type Grid, type Place } from './places.js';
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

/** What the kernel of a convolution needs besides its weights. */
interface Ends {
  readonly x: Place;
  readonly finish: Finish;
  readonly out: Place;
  /** Nanoseconds of sixteen pixels. */
  readonly cost: number;
}

/** The job of a convolution by a method. `x` holds all phases of the image, `[phase][channel]`. */
export function convolutionJob(engine: Engine, method: Method, weights: TapWeights, ends: Ends): Job {
  const cost = ends.cost + weights.outputs * 2;
  if (method === 'pairs' || method === 'quads') return productJob(engine, method, weights, { ...ends, cost });
  if (method === 'additions') return additionJob(engine, weights, { ...ends, cost });
  const { x, out } = ends;
  const { lanes } = out.grid;
  const tables = tapTables(weights, out.grid, (plane, within) => plane * lanes + within);
  return {
    kernel: `${method.replace('ws', 'wSums')}${x.width === 'uint8' ? 'u' : ''}` as KernelName,
    units: lanes / TAP_BLOCK,
    cost: cost * (TAP_BLOCK / 16),
    scratch: TAP_BLOCK * 4,
    arguments: [x.address, engine.keep(tables), weights.outputs, ...resultArguments(ends)],
  };
}

/** Pixels that taps are summed for at once. */
const TAP_BLOCK = 32;

/** The last arguments of all kernels of sums. */
export function resultArguments({ finish, out }: Pick<Ends, 'finish' | 'out'>): readonly number[] {
  const plane = out.grid.lanes * bytesOf(out.width);
  return [finish.kind, finish.records, finish.step, out.grid.mask, out.address, plane];
}

/** Where a weight's input lies: a plane, and pixels from that of the result. */
type Locate = (plane: number, within: number) => number;

/** What the pixels of a block read: from the first pixel's first tap on, so many pixels of each plane. */
export function reach({ window }: TapWeights, { block, rowStep }: Grid): { first: number; span: number } {
  const within = window.taps.map(({ down, across }) => down * rowStep + across);
  const first = Math.min(...within);
  return { first, span: Math.ceil((block + Math.max(...within) - first) / 16) * 16 };
}

function additionJob(engine: Engine, weights: TapWeights, ends: Ends): Job {
  const { x, out, cost } = ends;
  const { lanes, block } = out.grid;
  const { first, span } = reach(weights, out.grid);
  const planes = weights.window.phases.length * weights.perGroup * weights.groups;
  const tables = additionTables(weights, x, out.grid, (plane, within) => plane * span + within - first);
  return {
    kernel: `additions${block / 16}` as KernelName,
    units: lanes / block,
    cost: cost * (block / 16),
    scratch: block * 2 + planes * span,
    arguments: [
      ...[x.address + first, lanes, planes, span],
      ...[engine.keep(tables), weights.outputs, ...resultArguments(ends)],
    ],
  };
}

/** Calls `visit` for each output with its weights and where the input of each lies. */
function eachOutput(
  { outputs, perGroup, groups, weights, window }: TapWeights,
  { rowStep }: Grid,
  place: Locate,
  visit: (weights: Int32Array, places: readonly number[]) => void,
): void {
  const length = perGroup * window.taps.length;
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / (outputs / groups)) * perGroup;
    const places: number[] = [];
    for (let c = first; c < first + perGroup; c++) {
      for (const { phase, down, across } of window.taps) {
        places.push(place(phase * perGroup * groups + c, down * rowStep + across));
      }
    }
    visit(weights.subarray(o * length, (o + 1) * length), places);
  }
}

/** The tables of assembly/additions.ts. */
function additionTables(weights: TapWeights, { low, high }: Place, grid: Grid, place: Locate): Int32Array {
  const words: number[] = [];
  eachOutput(weights, grid, place, (row, places) => {
    const groups = dealt(row, low, high);
    // No weights at all: one empty group, so that the sums become zeros.
    const all = groups.length > 0 ? groups : [{ plus: [], minus: [] }];
    words.push(all.length);
    for (const { plus, minus } of all) {
      words.push(plus.length * 4, (plus.length + minus.length) * 4);
      for (const k of plus) words.push(places[k]);
      for (const k of minus) words.push(places[k]);
    }
  });
  return Int32Array.from(words);
}

/** The tables of assembly/windows.ts. */
function tapTables(weights: TapWeights, grid: Grid, place: Locate): Int32Array {
  const words: number[] = [];
  eachOutput(weights, grid, place, (row, places) => {
    const at = words.push(0) - 1;
    for (const [k, weight] of row.entries()) {
      if (weight === 0) continue;
      words.push(places[k], weight);
      words[at]++;
    }
  });
  return Int32Array.from(words);
}

/** Output channels that assembly/products.ts sums at once. */
const ROWS = 6;

function productJob(engine: Engine, method: 'pairs' | 'quads', given: TapWeights, ends: Ends): Job {
  const { x, out, cost } = ends;
  const held = method === 'quads' ? 4 : 2;
  const { outputs, perGroup, weights, window } = given;
  const { lanes, block, rowStep } = out.grid;
  const channels = window.phases.length * perGroup;
  const { first, span } = reach(given, out.grid);
  // Words of a window: some planes at a shift that one of them reads with a weight.
  const words = new Map<number, number>();
  const length = perGroup * window.taps.length;
  const reads = Array.from({ length }, (_, k) => {
    const { phase, down, across } = window.taps[k % window.taps.length];
    const plane = phase * perGroup + Math.floor(k / window.taps.length);
    const within = down * rowStep + across - first;
    return { offset: (Math.floor(plane / held) * span + within) * 4, lane: plane % held };
  });
  for (const [k, { offset }] of reads.entries()) {
    for (let o = 0; o < outputs && !words.has(offset); o++) {
      if (weights[o * length + k] !== 0) words.set(offset, words.size);
    }
  }
  const packed = new (held === 4 ? Int8Array : Int16Array)(Math.ceil(outputs / ROWS) * words.size * ROWS * held);
  for (const [k, { offset, lane }] of reads.entries()) {
    const word = words.get(offset);
    for (let o = 0; word !== undefined && o < outputs; o++) {
      const at = (Math.floor(o / ROWS) * words.size + word) * ROWS + (o % ROWS);
      if (weights[o * length + k] !== 0) packed[at * held + lane] = weights[o * length + k];
    }
  }
  const offsets = engine.keep(Int32Array.from(words.keys()));
  return {
    kernel: method === 'quads' ? 'productsOfQuads' : 'productsOfPairs',
    units: lanes / block,
    cost: cost * (block / 16),
    scratch: Math.ceil(channels / held) * span * 4 + ROWS * block * 4,
    arguments: [
      ...[x.address + first, lanes, channels, x.width === 'uint8' ? 1 : 0, span, block],
      ...[offsets, words.size, engine.keep(packed), outputs, ...resultArguments(ends)],
    ],
  };
}
