import { formatShape } from '../../../tensor/errors.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import type { Constant, Traced, Value } from './importValues.js';

/** What a node is given. */
export type Inputs = readonly (Value | null)[];

/** What a node makes of its inputs. */
export type Reader = (node: ImportNode, inputs: Inputs, importer: Importer) => Value;

/** An input that depends on the network's. @param pads whether zeros that wait around it are welcome */
export function tracedAt(node: ImportNode, inputs: Inputs, i: number, pads = false): Traced {
  const x = inputs[i];
  if (x?.kind !== 'traced') return node.fail(`wants input ${i} to depend on the input of the network`);
  if (x.pads !== null && !pads) node.fail('follows a Pad, which only a convolution may');
  return x;
}

/** An input that the file knows. */
export function constantAt(node: ImportNode, inputs: Inputs, i: number, what: string): Constant {
  return optionalAt(node, inputs, i, what) ?? node.fail(`has no ${what}`);
}

/** An input that the file knows, or leaves out. */
export function optionalAt(node: ImportNode, inputs: Inputs, i: number, what: string): Constant | null {
  const x = inputs[i] ?? null;
  if (x !== null && x.kind !== 'constant') return node.fail(`has a ${what} that depends on the input of the network`);
  return x;
}

/** One number that the file knows. */
export function numberAt(node: ImportNode, inputs: Inputs, i: number, what: string): number {
  const { data, shape } = constantAt(node, inputs, i, what);
  if (data.length !== 1) node.fail(`has a ${what} of shape ${formatShape(shape)}; one number is read`);
  return data[0];
}

/** Axes, from the attribute that older versions have or the input that newer ones have; null if they are left out. */
export function axesOf(node: ImportNode, inputs: Inputs, rank: number): readonly number[] | null {
  const given = inputs[1] ? Array.from(constantAt(node, inputs, 1, 'list of axes').data) : null;
  const axes = given ?? (node.has('axes') ? node.ints('axes') : null);
  return axes === null ? null : axes.map((axis) => axisOf(node, axis, rank));
}

/** An axis counted from the front. */
export function axisOf(node: ImportNode, axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return node.fail(`has axis ${axis} of ${rank}`);
}

/** @throws DataError if a zero point is not 0 */
export function noZeroPoint(node: ImportNode, inputs: Inputs, i: number): void {
  const points = optionalAt(node, inputs, i, 'zero point');
  const odd = points && Array.from(points.data).find((value) => value !== 0);
  if (odd !== undefined && odd !== null) {
    node.fail(`has a zero point of ${odd}; only quantizers whose integer 0 is the number 0 are read`);
  }
}
