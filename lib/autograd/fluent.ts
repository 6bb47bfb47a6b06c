import type { Shape } from '../tensor/shape.js';
import type { DType } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import * as ops from './ops.js';
import { backward } from './tape.js';

/** The functions of `ops.ts` as methods: `a.matmul(b)` is `matmul(a, b)`. Importing this module adds them. */
const methods = {
  neg: (x: Tensor) => ops.neg(x),
  abs: (x: Tensor) => ops.abs(x),
  exp: (x: Tensor) => ops.exp(x),
  log: (x: Tensor) => ops.log(x),
  sqrt: (x: Tensor) => ops.sqrt(x),
  square: (x: Tensor) => ops.square(x),
  relu: (x: Tensor) => ops.relu(x),
  tanh: (x: Tensor) => ops.tanh(x),
  sigmoid: (x: Tensor) => ops.sigmoid(x),
  add: (x: Tensor, other: ops.TensorLike) => ops.add(x, other),
  sub: (x: Tensor, other: ops.TensorLike) => ops.sub(x, other),
  mul: (x: Tensor, other: ops.TensorLike) => ops.mul(x, other),
  div: (x: Tensor, other: ops.TensorLike) => ops.div(x, other),
  clip: (x: Tensor, low: ops.TensorLike, high: ops.TensorLike) => ops.clip(x, low, high),
  matmul: (x: Tensor, other: Tensor) => ops.matmul(x, other),
  reshape: (x: Tensor, shape: Shape) => ops.reshape(x, shape),
  permute: (x: Tensor, axes?: readonly number[]) => ops.permute(x, axes),
  transpose: (x: Tensor, a?: number, b?: number) => ops.transpose(x, a, b),
  expand: (x: Tensor, shape: Shape) => ops.expand(x, shape),
  slice: (x: Tensor, axis: number, start: number, end?: number, step?: number) => ops.slice(x, axis, start, end, step),
  sum: (x: Tensor, options?: ops.ReduceOptions) => ops.sum(x, options),
  mean: (x: Tensor, options?: ops.ReduceOptions) => ops.mean(x, options),
  max: (x: Tensor, options?: ops.ReduceOptions) => ops.max(x, options),
  backward: (x: Tensor, gradient?: Tensor, options?: { readonly retain?: boolean }) => backward(x, gradient, options),
};

type Methods = {
  [Name in keyof typeof methods]: (typeof methods)[Name] extends (x: Tensor, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

/** Those that move numbers, and so keep any dtype. */
type Moving = 'reshape' | 'permute' | 'transpose' | 'expand' | 'slice';

type Moves<D extends DType> = { [Name in Moving]: (...rest: Parameters<Methods[Name]>) => Tensor<D> };

declare module '../tensor/tensor.js' {
  // The interface merges with the class: every method above becomes a method of Tensor.
  interface Tensor<D extends DType = 'float32'> extends Omit<Methods, Moving>, Moves<D> {}
}

for (const [name, method] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (method as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}
