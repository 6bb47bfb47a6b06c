import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Nested } from '../../lib/tensor/gather.js';
import { Random } from '../../lib/tensor/random.js';
import type { DType } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import '../../lib/autograd/index.js';

/** The backend of all gradient checks; importing this module makes it current. */
export const reference = setBackend(await startBackend('reference'));

/** A float64 tensor. */
export function f64(values: Nested, shape?: readonly number[]): Tensor {
  return tensor(values, shape, { dtype: 'float64', device: reference });
}

/** Row-major numbers and a shape: an argument of an operation, not yet a tensor. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Numbers as written down: with a shape, as a vector, or as a scalar. */
export type Written = Numbers | readonly number[] | number;

/** Numbers of a shape, row-major. */
export function shaped(shape: readonly number[], data: readonly number[]): Numbers {
  return { shape, data };
}

/** What was written, with its shape. */
export function numbers(written: Written): Numbers {
  if (typeof written === 'number') return { shape: [], data: [written] };
  return 'shape' in written ? written : { shape: [written.length], data: written };
}

function filled(shape: readonly number[], next: (i: number) => number): Numbers {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { shape, data: Array.from({ length: size }, (_, i) => next(i)) };
}

/** Uniform numbers in [low, high). */
export function between(low: number, high: number, shape: readonly number[], seed = 1): Numbers {
  const random = new Random(seed);
  return filled(shape, () => random.uniform(low, high));
}

/** Numbers of both signs, all at least 0.1 away from 0. */
export function awayFromZero(shape: readonly number[], seed = 1): Numbers {
  const random = new Random(seed);
  return filled(shape, () => (random.uniform() < 0.5 ? -1 : 1) * random.uniform(0.1, 2));
}

/** Numbers of both signs in random order, 0.5 apart, 0.17 above multiples of 0.5. */
export function distinct(shape: readonly number[], seed = 1): Numbers {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const order = new Random(seed).permutation(size);
  return filled(shape, (i) => 0.5 * (order[i] - Math.floor(size / 2)) + 0.17);
}

/** Tensors of the given dtype on the reference backend. */
export function tensorsOf(inputs: readonly Written[], dtype: DType = 'float64'): Tensor[] {
  return inputs.map(numbers).map(({ shape, data }) => tensor([...data], shape, { dtype, device: reference }));
}

/** What `backward` left on a leaf; null if nothing. */
export async function gradOf(leaf: Tensor): Promise<number[] | null> {
  return leaf.grad ? [...(await leaf.grad.data())] : null;
}
