import type { Row } from '../../autograd/row.js';
import { add, div, maximum, minimum, mul, relu, sub } from '../../autograd/rows/elementwise.js';
import type { View } from '../../tensor/view.js';
import { at, type Program } from './program.js';

const ELEMENTWISE = new Set<unknown>([add.row, sub.row]);
const SCALING = new Set<unknown>([mul.row, div.row]);
const RISING = new Set<unknown>([relu.row, maximum.row, minimum.row]);

/** Whether a row rises with its data, so that it may change places with a maximum. */
export function rises(row: Row<never>, traced: readonly unknown[], programs: readonly Program[]): boolean {
  if (RISING.has(row)) return true;
  const data = traced.findIndex((x) => x !== null);
  if (traced.filter((x) => x !== null).length > 1) return false;
  if (ELEMENTWISE.has(row)) return row === (add.row as unknown) || data === 0;
  const other = programs[1 - data];
  if (!SCALING.has(row) || other?.kind !== 'constant') return false;
  const positive = Array.from(other.values).every((_, c) => at(other, c) > 0);
  return positive && (row === (mul.row as unknown) || data === 0);
}

/** Whether `x` reads what `view` does, repeated axes aside. */
export function shows(x: View, view: View): boolean {
  if (x.offset !== view.offset) return false;
  const lead = x.shape.length - view.shape.length;
  if (lead < 0) return false;
  return x.shape.every((extent, axis) => {
    const own = view.shape[axis - lead] ?? 1;
    const stride = view.strides[axis - lead] ?? 0;
    return extent === own ? extent === 1 || x.strides[axis] === stride : own === 1 && x.strides[axis] === 0;
  });
}
