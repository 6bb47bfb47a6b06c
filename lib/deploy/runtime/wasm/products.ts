import type { Engine, Job } from './engine.js';
import { type Ends, reach, resultArguments } from './sums.js';
import type { TapWeights } from './taps.js';

/** Output channels that assembly/products.ts sums at once. */
const ROWS = 6;

/** A word of channels at a shift, and the channel's place in it. */
interface Read {
  readonly offset: number;
  readonly lane: number;
}

/** A dense convolution in words of two or of four channels. */
export function productJob(engine: Engine, method: 'pairs' | 'quads', weights: TapWeights, ends: Ends): Job {
  const { x, out, cost } = ends;
  const held = method === 'quads' ? 4 : 2;
  const { perGroup, window } = weights;
  const { lanes, block, rowStep } = out.grid;
  const channels = window.phases.length * perGroup;
  const { first, span } = reach(weights, out.grid);
  const reads = Array.from({ length: perGroup * window.taps.length }, (_, k) => {
    const { phase, down, across } = window.taps[k % window.taps.length];
    const plane = phase * perGroup + Math.floor(k / window.taps.length);
    const within = down * rowStep + across - first;
    return { offset: (Math.floor(plane / held) * span + within) * 4, lane: plane % held };
  });
  const { tables, packed, groups } = packedGroups(weights, reads, held);
  return {
    kernel: method === 'quads' ? 'productsOfQuads' : 'productsOfPairs',
    units: lanes / block,
    cost: cost * (block / 16),
    scratch: Math.ceil(channels / held) * span * 4 + ROWS * block * 4,
    arguments: [
      ...[x.address + first, lanes, channels, x.width === 'uint8' ? 1 : 0, span, block],
      ...[engine.keep(tables), engine.keep(packed), groups, ...resultArguments(ends)],
    ],
  };
}

/** Outputs six by six, those together that read the same taps: with the words that one of them reads, and weights. */
function packedGroups(weights: TapWeights, reads: readonly Read[], held: 2 | 4) {
  const rows = Array.from({ length: weights.outputs }, (_, o) => rowOf(weights, o, reads));
  const order = [...rows.keys()].sort((a, b) =>
    rows[a].pattern < rows[b].pattern ? -1 : rows[a].pattern > rows[b].pattern ? 1 : a - b,
  );
  const tables: number[] = [];
  const packed: number[][] = [];
  for (let at = 0; at < order.length; at += ROWS) {
    const group = order.slice(at, at + ROWS);
    const words = new Map<number, number>();
    for (const [k, { offset }] of reads.entries()) {
      if (!words.has(offset) && group.some((o) => rows[o].weights[k] !== 0)) words.set(offset, words.size);
    }
    const values = new Array<number>(words.size * ROWS * held).fill(0);
    for (const [r, o] of group.entries()) {
      for (const [k, weight] of rows[o].weights.entries()) {
        const word = words.get(reads[k].offset);
        if (weight !== 0 && word !== undefined) values[(word * ROWS + r) * held + reads[k].lane] = weight;
      }
    }
    const outputs = Array.from({ length: ROWS }, (_, r) => group[r] ?? -1);
    tables.push(words.size, ...outputs, ...words.keys());
    packed.push(values);
  }
  const all = new (held === 4 ? Int8Array : Int16Array)(packed.reduce((sum, { length }) => sum + length, 0));
  let next = 0;
  for (const values of packed) {
    all.set(values, next);
    next += values.length;
  }
  return { tables: Int32Array.from(tables), packed: all, groups: packed.length };
}

/** The weights of an output, and which taps it reads. */
function rowOf({ perGroup, window, weights }: TapWeights, o: number, reads: readonly Read[]) {
  const row = weights.subarray(o * reads.length, (o + 1) * reads.length);
  const taps = window.taps.length;
  const pattern = window.taps.map((_, tap) => {
    for (let c = 0; c < perGroup; c++) if (row[c * taps + tap] !== 0) return '1';
    return '0';
  });
  return { weights: row, pattern: pattern.join('') };
}
