import type { ChannelRange } from '../../graph/ranges.js';
import { extremesOf } from '../../graph/ranges.js';
import type { Engine, Job, KernelName } from './engine.js';
import type { Grid, Place } from './places.js';
import { productJob } from './products.js';
import { type Ends, reach, resultArguments } from './sums.js';
import type { TapWeights } from './taps.js';
import { dealt, unitsOfGroup } from './units.js';
import { winogradJob } from './winograd.js';

/** How a convolution's sums are made. */
export type Method = 'additions' | 'winograd' | 'quads' | 'pairs' | 'windows16' | 'windows32';

/** What people read. */
export const METHOD_NAMES: Readonly<Record<Method, string>> = {
  additions: 'additions int8',
  winograd: 'winograd int8',
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
const COSTS: Readonly<Record<Exclude<Method, 'winograd'>, number>> = {
  additions: 0.25,
  quads: 0.7,
  pairs: 1,
  windows16: 0.8,
  windows32: 2.4,
};

/** The cheapest method that is exact here; null if there is none. */
export function methodFor(
  simd: 'plain' | 'relaxed',
  x: Pick<Place, 'low' | 'high' | 'width'>,
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
  const read = outputs * window.taps.length - unreadTaps(weights);
  const words = (channels: number) => read * Math.ceil(perGroup / channels);
  const { each, both } = unitsOfGroup(x.low, x.high);
  const costs: Partial<Record<keyof typeof COSTS, number>> = { windows32: taps };
  if (is16) costs.windows16 = taps;
  if (is16 && each > 0) costs.additions = units * (1 + 8 / (both + 1));
  if (groups === 1) costs.pairs = words(2);
  if (groups === 1 && simd === 'relaxed' && x.width === 'int8' && x.low >= 0 && largest < 128) costs.quads = words(4);
  const ranked = (Object.keys(costs) as (keyof typeof COSTS)[])
    .map((method) => ({ method, cost: (costs[method] ?? 0) * COSTS[method] }))
    .sort((a, b) => a.cost - b.cost);
  return ranked.find(({ method }) => only === undefined || method === only) ?? null;
}

/** Taps of outputs that are zero in all channels, as many are where an image is resized. */
function unreadTaps({ outputs, perGroup, window, weights }: TapWeights): number {
  const taps = window.taps.length;
  let unread = 0;
  for (let o = 0; o < outputs; o++) {
    for (let tap = 0; tap < taps; tap++) {
      let c = 0;
      while (c < perGroup && weights[(o * perGroup + c) * taps + tap] === 0) c++;
      if (c === perGroup) unread++;
    }
  }
  return unread;
}

/** The job of a convolution by a method. `x` holds all phases of the image, `[phase][channel]`. */
export function convolutionJob(engine: Engine, method: Method, weights: TapWeights, ends: Ends): Job {
  const cost = ends.cost + weights.outputs * 2;
  if (method === 'winograd') return winogradJob(engine, weights, { ...ends, cost });
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

/** Where a weight's input lies: a plane, and pixels from that of the result. */
type Locate = (plane: number, within: number) => number;

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
