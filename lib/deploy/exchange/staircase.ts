import { DataError } from '../../tensor/errors.js';
import type { FixedPointNode, IntegerGraph, IntegerTensor, RequantizeNode, ThresholdNode } from '../graph/graph.js';
import type { ChannelRange, GraphRanges } from '../graph/ranges.js';

/**
 * A requantization of either mode in one form, equal to it for every `a` that can be reached:
 * `out = low + #{k : sign·a ≥ threshold_k}`, with as many thresholds as the grid has steps.
 */
export interface Staircase {
  /** 1, or the number of channels (axis 1). */
  readonly rows: number;
  /** high − low of the grid, but at least 1. */
  readonly steps: number;
  readonly low: number;
  readonly high: number;
  /** `[rows]`, ±1: −1 where results fall as `a` rises. */
  readonly sign: Int8Array;
  /** `[rows, steps]`, ascending; the least of `sign·a` where always reached, the largest + 1 where never. */
  readonly thresholds: Int32Array;
  /** `[rows]`, the least and largest `sign·a`. */
  readonly reach: ChannelRange;
}

/**
 * The staircase of a requantization.
 * @throws DataError if its inputs reach the ends of int32, where thresholds would not fit
 */
export function staircaseOf(node: RequantizeNode, graph: IntegerGraph, ranges: GraphRanges): Staircase {
  const tensor = (key: string) => graph.tensors.get(key) as IntegerTensor;
  const { low, high } = node;
  const steps = Math.max(1, high - low);
  const row = node.mode === 'thresholds' ? thresholdRow(node, tensor) : fixedPointRow(node, tensor);
  const [rows] = tensor(node.mode === 'thresholds' ? node.base : node.offset).shape;
  const sign = new Int8Array(rows);
  const thresholds = new Int32Array(rows * steps);
  const reach = { low: new Float64Array(rows), high: new Float64Array(rows) };
  const input = ranges.get(node.inputs[0]) as ChannelRange;
  for (let r = 0; r < rows; r++) {
    const { falls, reaches } = row(r);
    const [least, most] = extent(input, rows === 1 ? null : r);
    if (least <= -(2 ** 31) || most >= 2 ** 31 - 1) {
      throw new DataError('export', `${node.name}: its inputs are ${least} … ${most}, up to the ends of int32`);
    }
    sign[r] = falls ? -1 : 1;
    [reach.low[r], reach.high[r]] = falls ? [-most, -least] : [least, most];
    const never = reach.high[r] + 1;
    for (let k = 0; k < steps; k++) {
      thresholds[r * steps + k] = k < high - low ? Math.min(Math.max(reaches(k), reach.low[r]), never) : never;
    }
  }
  return { rows, steps, low, high, sign, thresholds, reach };
}

/** What one row is: whether it falls, and from which `sign·a` on results are more than `low + k`. */
interface Row {
  readonly falls: boolean;
  reaches(k: number): number;
}

function extent({ low, high }: ChannelRange, channel: number | null): readonly [number, number] {
  if (channel !== null) return [low[low.length === 1 ? 0 : channel], high[high.length === 1 ? 0 : channel]];
  return [low.reduce((a, b) => Math.min(a, b)), high.reduce((a, b) => Math.max(a, b))];
}

function thresholdRow(node: ThresholdNode, tensor: (key: string) => IntegerTensor): (row: number) => Row {
  const { shape, data } = tensor(node.thresholds);
  const [, count] = shape;
  const [sign, base] = [tensor(node.sign).data, tensor(node.base).data];
  return (row) => {
    const falls = sign[row] === -1;
    // Below its first threshold (rising) or beyond its last (falling), the row gives this.
    const first = falls ? base[row] - count : base[row];
    return {
      falls,
      reaches: (k) => {
        const i = k - (first - node.low);
        if (i < 0) return Number.NEGATIVE_INFINITY;
        if (i >= count) return Number.POSITIVE_INFINITY;
        // a < t is −a ≥ 1 − t.
        return falls ? 1 - data[row * count + count - 1 - i] : data[row * count + i];
      },
    };
  };
}

function fixedPointRow(node: FixedPointNode, tensor: (key: string) => IntegerTensor): (row: number) => Row {
  const [multiplier, offset, shift] = [node.multiplier, node.offset, node.shift].map((key) => tensor(key).data);
  return (row) => {
    const unit = 2n ** BigInt(shift[row]);
    const added = BigInt(offset[row]) * 2n ** BigInt(node.lift) + (shift[row] === 0 ? 0n : unit / 2n);
    const slope = BigInt(Math.abs(multiplier[row]));
    return {
      falls: multiplier[row] < 0,
      reaches: (k) => {
        const missing = BigInt(node.low + k + 1) * unit - added;
        if (slope === 0n) return missing <= 0n ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
        return Number(missing > 0n ? (missing + slope - 1n) / slope : missing / slope);
      },
    };
  };
}
