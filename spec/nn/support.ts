import '../startReference.js';
import { backward } from '../../lib/autograd/tape.js';
import { BACKEND_NAMES, backendNamed, setBackend } from '../../lib/kernels/registry.js';
import type { Module } from '../../lib/nn/module.js';
import { tensor } from '../../lib/tensor/create.js';
import { A2QError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import type { DType } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import type { GoldenArray } from '../goldenFile.js';
import '../../lib/autograd/index.js';

/** For layers in gradient checks: float64, on the reference backend once `useReference` was called. */
export const float64 = { dtype: 'float64' } as const;

/** Makes the reference backend current; gradient checks need it. */
export function useReference(): void {
  setBackend(backendNamed('reference'));
}

/** Every backend by name, or why it cannot run here. */
export const backends: readonly { readonly name: string; readonly skip: string | false }[] = BACKEND_NAMES.map(
  (name) => {
    try {
      backendNamed(name);
      return { name, skip: false };
    } catch (error) {
      if (!(error instanceof A2QError)) throw error;
      return { name, skip: error.message };
    }
  },
);

/** A tensor of the numbers of a golden array. */
export function fromGolden({ data, shape }: GoldenArray): Tensor {
  return tensor(Float32Array.from(data), shape);
}

/** Uniform numbers in [−1, 1). */
export function randomTensor(shape: readonly number[], seed: number, dtype: DType = 'float32'): Tensor {
  const random = new Random(seed);
  const size = shape.reduce((product, extent) => product * extent, 1);
  return tensor(
    Array.from({ length: size }, () => random.uniform(-1, 1)),
    shape,
    { dtype },
  );
}

/**
 * A module as a function of its input and its parameters, for `checkGrads`: the parameters are swapped for the leaves
 * under test while it runs.
 */
export function functional(module: Module): { fn: (...inputs: Tensor[]) => Tensor; parameters: Tensor[] } {
  const places = [...module.namedModules()].flatMap(([, part]) =>
    Object.entries(part)
      .filter(([, value]) => module.parameters().includes(value))
      .map(([key, value]) => ({ part, key, value })),
  );
  return {
    parameters: places.map(({ value }) => value as Tensor),
    fn: (x, ...values) => {
      for (const [i, { part, key }] of places.entries()) Object.assign(part, { [key]: values[i] });
      try {
        return module.forward(x);
      } finally {
        for (const { part, key, value } of places) Object.assign(part, { [key]: value });
      }
    },
  };
}

/** Runs backward and reads the gradient of each leaf. */
export async function gradients(y: Tensor, upstream: Tensor, leaves: readonly Tensor[]): Promise<ArrayLike<number>[]> {
  backward(y, upstream);
  return Promise.all(leaves.map(async (leaf) => (leaf.grad ? leaf.grad.data() : [])));
}
