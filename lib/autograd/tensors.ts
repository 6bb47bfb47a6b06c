/**
 * Tensors as users make them. Importing this gives them what they need and programs without tensors do without: a
 * backend to live on, and the methods.
 */
import '../kernels/current.js';
import './fluent.js';

export {
  arange,
  format,
  fromNdarray,
  full,
  type Int32Options,
  normal,
  ones,
  type TensorOptions,
  tensor,
  toNdarray,
  uniform,
  zeros,
} from '../tensor/create.js';
export type { Nested } from '../tensor/gather.js';
export { Tensor } from '../tensor/tensor.js';
