import { isContiguous, type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';

/** A tensor in memory that need not be a view: packed values, say. Strides in elements. */
export interface Operand {
  readonly address: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
}

/** A view as kernels read it: address, rank, extents, byte strides, with mergeable axes merged. */
export function operandWords(memory: { address(view: View): number }, view: View): number[] {
  if (isContiguous(view.shape, view.strides)) return [memory.address(view), 1, sizeOf(view.shape), 4];
  const axes = mergeAxes(view.shape.map((extent, axis) => ({ extent, stride: view.strides[axis] })));
  const scalar = axes.every(({ stride }) => stride === 0);
  if (scalar) return [memory.address(view), 0];
  return [
    memory.address(view),
    axes.length,
    ...axes.map(({ extent }) => extent),
    ...axes.map(({ stride }) => stride * 4),
  ];
}

/** One axis of a loop nest; stride in elements. */
export interface Axis {
  readonly extent: number;
  readonly stride: number;
}

/** The same elements in the same order by the fewest axes. */
export function mergeAxes(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const last = merged.at(-1);
    if (last && last.stride === axis.stride * axis.extent) {
      merged[merged.length - 1] = { extent: last.extent * axis.extent, stride: axis.stride };
    } else {
      merged.push(axis);
    }
  }
  return merged;
}
