import { formatShape } from '../../../tensor/errors.js';
import { axesOf, constantAt, type Inputs, type Reader } from './importArguments.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import type { Column, Traced } from './importValues.js';

/**
 * Thresholds in ONNX's own operators: a value gets an axis (Unsqueeze), is compared along it (GreaterOrEqual, or
 * Greater), and what is reached is counted (Cast, ReduceSum); counts of one value are added.
 */

const compare: Reader = (node, inputs) => {
  const [column] = inputs;
  if (column?.kind !== 'column' || column.rows !== null) {
    return node.fail('compares values; it is read where it counts thresholds along an axis of their own');
  }
  const { shape, data } = constantAt(node, inputs, 1, 'table of thresholds');
  const [channels, count, ...rest] = shape.slice(shape.length - column.shape.length + 1);
  const isTable = shape.length >= column.shape.length - 1 && rest.every((extent) => extent === 1);
  if (!isTable || data.length !== channels * count || (channels !== 1 && channels !== column.shape[1])) {
    node.fail(`has thresholds of shape ${formatShape(shape)} for ${formatShape(column.shape)}`);
  }
  const isStrict = node.op === 'Greater';
  const rows = Array.from({ length: channels }, (_, c) =>
    Float64Array.from({ length: count }, (_, k) => (isStrict ? nextAbove(data[c * count + k]) : data[c * count + k])),
  );
  return { ...column, rows };
};

/** The next larger float64. */
function nextAbove(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  bits.setBigInt64(0, bits.getBigInt64(0) + (x > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

/** How many thresholds of a column are reached. */
export function counted(node: ImportNode, inputs: Inputs, importer: Importer, { of, shape, rows }: Column): Traced {
  const axes = axesOf(node, inputs, shape.length);
  if (rows === null || axes?.join() !== '2' || node.int('keepdims', 1) !== 0) {
    return node.fail('sums along the axis of thresholds in a way that is not read');
  }
  return importer.count(node, of, rows);
}

export const COLUMNS = { GreaterOrEqual: compare, Greater: compare } as const satisfies Record<string, Reader>;
