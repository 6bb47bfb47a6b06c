import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { TypedArray } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';
import type { Machine } from './machine.js';

/**
 * int32 in kernels that know float32 only: a number is `low + 65536·high`, with 0 ≤ low < 65536 and −32768 ≤ high <
 * 32768, all low halves first, then all high ones. Moving numbers is then moving twice as many.
 */

const BASE = 65536;

/** Host integers as halves. */
export function split(data: TypedArray): Float32Array {
  const halves = new Float32Array(2 * data.length);
  for (let i = 0; i < data.length; i++) {
    halves[i] = data[i] & (BASE - 1);
    halves[data.length + i] = data[i] >> 16;
  }
  return halves;
}

/** Halves as host integers. */
export function join(halves: Float32Array): Int32Array {
  const length = halves.length / 2;
  const data = new Int32Array(length);
  for (let i = 0; i < length; i++) data[i] = halves[i] + BASE * halves[length + i];
  return data;
}

/** The numbers of a view as kernels see them: both halves as a leading axis of extent 2 where it is int32. */
export function numbers(view: View): View {
  if (view.storage.dtype !== 'int32') return view;
  const { storage, shape, strides, offset } = view;
  return { storage, shape: [2, ...shape], strides: [storage.length, ...strides], offset };
}

/** One integer everywhere. */
export function fillIntegers(machine: Machine, shape: Shape, value: number): View {
  const content = machine.upload(split(new Int32Array(sizeOf(shape)).fill(value)));
  return machine.result(content, shape, 'int32');
}
