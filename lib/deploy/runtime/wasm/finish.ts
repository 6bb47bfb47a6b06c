import type { IntegerTensor, RequantizeNode } from '../../graph/graph.js';
import type { ChannelRange } from '../../graph/ranges.js';
import type { Engine } from './engine.js';
import { lineOf, type Steps, stepsOf, wideLineOf } from './steps.js';

/** Kinds of assembly/finish.ts. */
const KINDS = { raw: 0, line: 1, compare: 2, search: 3, 'wide line': 4 } as const;

/** What follows an accumulator, as kernels are told. */
export interface Finish {
  readonly kind: number;
  /** For people. */
  readonly name: keyof typeof KINDS;
  readonly records: number;
  /** Bytes from one channel's record to the next. */
  readonly step: number;
}

/** Sums as they are. */
export const RAW: Finish = { kind: KINDS.raw, name: 'raw', records: 0, step: 0 };

const RECORD_WORDS = 8;
/** Most thresholds that are compared one after the other. */
const MOST_COMPARED = 32;

/**
 * Puts a requantization of `channels` channels, with `copies` planes each, into the records of kernels.
 * @param bits of the sums, 16 or 32 @returns null if only the reference can do it
 */
export function finishOf(
  engine: Engine,
  node: RequantizeNode,
  tensors: ReadonlyMap<string, IntegerTensor>,
  range: ChannelRange,
  channels: number,
  copies: number,
  bits: 16 | 32,
): Finish | null {
  const all: Steps[] = [];
  for (let c = 0; c < channels; c++) {
    const at = range.low.length === 1 ? 0 : c;
    const steps = stepsOf(node, tensors, c, range.low[at], range.high[at]);
    if (steps === null) return null;
    all.push(steps);
  }
  const lines = forAll(all, (steps) => lineOf(steps, bits === 16 ? 2 ** 15 - 1 : 2 ** 31 - 1));
  if (lines !== null) {
    const records = lines.map(({ factor, constant, shift, low, high }) => [factor, constant, shift, low, high]);
    return { ...kept(engine, records, copies), kind: KINDS.line, name: 'line' };
  }
  const wide = bits === 32 ? forAll(all, wideLineOf) : null;
  if (wide !== null) {
    const records = wide.map(({ factor, constant, low, high }) => [
      ...new Int32Array(Float64Array.of(factor, constant).buffer),
      low,
      high,
    ]);
    return { ...kept(engine, records, copies), kind: KINDS['wide line'], name: 'wide line' };
  }
  const offsets: number[] = [];
  const values: number[] = [];
  for (const { thresholds } of all) {
    offsets.push(values.length);
    for (const threshold of thresholds) values.push(threshold);
  }
  const address = engine.keep(Int32Array.from(values));
  const records = all.map(({ sign, base, thresholds }, c) => [
    sign,
    base,
    ...[0, 0, 0, address + offsets[c] * 4, thresholds.length],
  ]);
  const few = bits === 16 && all.every(({ thresholds }) => thresholds.length <= MOST_COMPARED);
  return {
    ...kept(engine, records, copies),
    kind: few ? KINDS.compare : KINDS.search,
    name: few ? 'compare' : 'search',
  };
}

/** What is found for all channels; null if it is not for one. */
function forAll<T>(all: readonly Steps[], find: (steps: Steps) => T | null): readonly T[] | null {
  const found: T[] = [];
  for (const steps of all) {
    const each = find(steps);
    if (each === null) return null;
    found.push(each);
  }
  return found;
}

function kept(
  engine: Engine,
  records: readonly (readonly number[])[],
  copies: number,
): { records: number; step: number } {
  const words = new Int32Array(records.length * copies * RECORD_WORDS);
  for (const [channel, record] of records.entries()) {
    for (let copy = 0; copy < copies; copy++) words.set(record, (channel * copies + copy) * RECORD_WORDS);
  }
  return { records: engine.keep(words), step: RECORD_WORDS * 4 };
}
