import type { Device } from '../../tensor/storage.js';
import { scope } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import { reshape } from '../value.js';

/** What the defaults are written with. */
export type Kernels = Device & RequiredKernels;

/** A kernel made of other kernels: whatever it does not return is freed when it is done. */
export function compose<Arguments extends unknown[], Result>(
  kernel: (...args: Arguments) => Result,
): (...args: Arguments) => Result {
  return (...args) => scope(() => kernel(...args));
}

/** A vector `[C]` shaped to broadcast along axis 1 of `like`. */
export function perChannel(vector: View, like: View): View {
  return reshape(
    vector,
    like.shape.map((extent, axis) => (axis === 1 ? extent : 1)),
  );
}

/** All axes of `x` but axis 1. */
export function axesButChannel(x: View): number[] {
  return x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}
