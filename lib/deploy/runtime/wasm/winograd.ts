import type { ConvNode, IntegerTensor } from '../../graph/graph.js';
import { type ChannelRange, extremesOf } from '../../graph/ranges.js';
import type { Engine, Job } from './engine.js';
import { type Ends, resultArguments } from './sums.js';
import type { TapWeights } from './taps.js';

/** Minimal filtering F(2×2, 3×3) in integers (Lavin and Gray 2016): filters scaled by 4, so that none has fractions. */

/** Outputs that assembly/winograd.ts sums at once. */
const ROWS = 6;
const FREQUENCIES = 16;
/** Tiles of a block. */
const BLOCK = 32;

/** 2G. */
const FILTER = [
  [2, 0, 0],
  [1, 1, 1],
  [1, -1, 1],
  [0, 0, 2],
];

/**
 * Whether sums of tiles are exact for a convolution: inputs added up four by four in int8, filters nine times as large
 * in int16, results four times as large in int32.
 */
export function allowsWinograd(
  node: ConvNode,
  { shape, data }: IntegerTensor,
  x: { readonly low: number; readonly high: number },
  range: ChannelRange,
): boolean {
  const [, , kh, kw] = shape;
  const ones = [...node.stride, ...node.padding, ...node.dilation, node.groups, node.resize];
  if (kh !== 3 || kw !== 3 || ones.some((value) => value !== 1)) return false;
  const { low, high } = extremesOf(range);
  const fits = Math.max(-low, high) < 2 ** 29 && Math.max(-x.low, x.high) * 4 <= 127;
  return fits && data.every((weight) => Math.abs(weight) * 9 < 2 ** 15);
}

/** Nanoseconds of a word of weights and sixteen tiles. Measured. */
const WORD_COST = 1.1;

/** Nanoseconds that sixteen results of each output take. */
export function tiledCost({ outputs, perGroup }: TapWeights): number {
  return outputs * Math.ceil(perGroup / 2) * (FREQUENCIES / 4) * WORD_COST;
}

/** The products of a tile, for each of its four results: 16 in place of 36. */
export function winogradJob(engine: Engine, { outputs, perGroup, window, weights }: TapWeights, ends: Ends): Job {
  const { x, out, cost } = ends;
  const { lanes, rowStep } = out.grid;
  const pairs = Math.ceil(perGroup / 2);
  const packed = new Int16Array(Math.ceil(outputs / ROWS) * FREQUENCIES * pairs * ROWS * 2);
  const filter = new Int32Array(FREQUENCIES);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < perGroup; c++) {
      transformFilter(weights, (o * perGroup + c) * 9, filter);
      for (let f = 0; f < FREQUENCIES; f++) {
        const word = (Math.floor(o / ROWS) * FREQUENCIES + f) * pairs + (c >> 1);
        packed[(word * ROWS + (o % ROWS)) * 2 + (c % 2)] = filter[f];
      }
    }
  }
  // Phases lie in the order in which the taps of a tile meet them: odd rows and columns first.
  const phase = perGroup * lanes;
  const last = x.address + (window.phases.length - 1) * phase;
  const offsets = engine.keep(Int32Array.from({ length: pairs }, (_, pair) => pair * BLOCK * 4));
  return {
    kernel: 'winograd',
    units: lanes / BLOCK,
    cost: (cost * BLOCK) / 4,
    scratch: FREQUENCIES * pairs * BLOCK * 4 + ROWS * FREQUENCIES * BLOCK * 4 + 4 * BLOCK * 4 + 1024,
    arguments: [
      ...[last, lanes, -phase, rowStep, perGroup, BLOCK, offsets, engine.keep(packed), outputs],
      ...resultArguments(ends),
    ],
  };
}

/** (2G) g (2G)ᵀ, by rows, of the nine weights from a place on. */
function transformFilter(weights: Int32Array, at: number, to: Int32Array): void {
  for (let i = 0; i < 4; i++) {
    const [a, b, c] = FILTER[i];
    const [p, q, r] = [0, 1, 2].map((k) => a * weights[at + k] + b * weights[at + 3 + k] + c * weights[at + 6 + k]);
    for (let j = 0; j < 4; j++) to[4 * i + j] = FILTER[j][0] * p + FILTER[j][1] * q + FILTER[j][2] * r;
  }
}
