import type { Shape } from './shape.js';
import type { TypedArray } from './storage.js';

/** One entry of a state dict or of a file, in host memory. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: TypedArray;
}
