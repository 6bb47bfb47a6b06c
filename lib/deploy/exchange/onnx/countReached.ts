import type { RequantizeNode } from '../../graph/graph.js';
import type { Staircase } from '../staircase.js';
import { type Context, channelShape, type Value } from './encode.js';
import { TYPE_CODES } from './tensors.js';

/** Thresholds compared at once: what a comparison holds is so many times its input. */
const AT_ONCE = 16;

/**
 * A requantization by comparisons that are counted: exact, in int32 or float32 as its input is.
 * @returns the name of the results
 */
export function countReached(
  { shapes, builder }: Context,
  node: RequantizeNode,
  { name: x, type }: Value,
  { rows, steps, low, sign, thresholds }: Staircase,
): string {
  const rank = (shapes.get(node.inputs[0]) as readonly number[]).length;
  const constant = (name: string, values: ArrayLike<number>) =>
    builder.tensor(`${node.name}/${name}`, type, channelShape(values.length, rank), values);
  const a = sign.includes(-1) ? builder.node(`${node.name}/signed`, 'Mul', [x, constant('sign', sign)]) : x;
  const axes = builder.tensor(`${node.name}/axes`, 'int64', [1], [2]);
  const column = builder.node(`${node.name}/column`, 'Unsqueeze', [a, axes]);
  const counts: string[] = [];
  for (let from = 0; from < steps; from += AT_ONCE) {
    const part = Math.min(AT_ONCE, steps - from);
    const cuts = Int32Array.from({ length: rows * part }, (_, i) => {
      return thresholds[Math.floor(i / part) * steps + from + (i % part)];
    });
    const shape = [rows, part, ...new Array<number>(rank - 2).fill(1)];
    const cut = builder.tensor(`${node.name}/thresholds`, type, shape, cuts);
    const reached = builder.node(`${node.name}/reached`, 'GreaterOrEqual', [column, cut]);
    const ones = builder.node(`${node.name}/ones`, 'Cast', [reached], { to: TYPE_CODES[type] });
    counts.push(builder.node(`${node.name}/count`, 'ReduceSum', [ones, axes], { keepdims: 0 }));
  }
  const total = counts.reduce((sum, count) => builder.node(`${node.name}/total`, 'Add', [sum, count]));
  return low === 0 ? total : builder.node(`${node.name}/based`, 'Add', [total, constant('low', [low])]);
}
