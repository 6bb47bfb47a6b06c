import type { FixedPointNode, IntegerTensor } from '../../graph/graph.js';
import { staircaseOf } from '../staircase.js';
import type { Context } from './encode.js';

/** `[O, K]` as `[K, O]`. */
export function transposed<T extends Int8Array | Int16Array | Int32Array>({
  shape: [rows, columns],
  data,
}: {
  readonly shape: readonly number[];
  readonly data: T;
}): { readonly shape: readonly number[]; readonly data: T } {
  const out = data.slice() as T;
  for (let i = 0; i < data.length; i++) out[i] = data[(i % rows) * columns + Math.floor(i / rows)];
  return { shape: [columns, rows], data: out };
}

/**
 * A fixed-point requantization by a division that truncates: `(a·multiplier + added) / divisor − lift`, what is
 * divided being nowhere negative.
 */
export function byDivision(node: FixedPointNode, context: Context) {
  const { graph, ranges } = context;
  const numbers = (key: string) => BigInt64Array.from((graph.tensors.get(key) as IntegerTensor).data, BigInt);
  const [multiplier, offset, shift] = [numbers(node.multiplier), numbers(node.offset), numbers(node.shift)];
  const { reach } = staircaseOf(node, graph, ranges);
  const divisor = shift.map((bits) => 2n ** bits);
  const rounded = offset.map((value, row) => value * 2n ** BigInt(node.lift) + divisor[row] / 2n);
  const lift = divisor.map((unit, row) => {
    // sign·a is least where the product is.
    const slope = multiplier[row] < 0n ? -multiplier[row] : multiplier[row];
    const least = slope * BigInt(reach.low[row]) + rounded[row];
    return least < 0n ? (unit - 1n - least) / unit : 0n;
  });
  return { multiplier, divisor, lift, added: rounded.map((value, row) => value + lift[row] * divisor[row]) };
}
