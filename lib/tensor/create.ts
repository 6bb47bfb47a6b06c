import type { NdArray } from 'ndarray';
import { currentDevice } from './current.js';
import { DTypeError, ShapeError } from './errors.js';
import type { Random } from './random.js';
import { checkShape, contiguousStrides, type Shape, sizeOf } from './shape.js';
import { type Device, type DType, dtypeOf, hostArray, Storage, type TypedArray } from './storage.js';
import { type Nested, Tensor } from './tensor.js';
import { contiguousView } from './view.js';

/** Where and how a new tensor is made. */
export interface TensorOptions {
  /** Default float32. */
  readonly dtype?: DType;
  /** Default: the current backend. */
  readonly device?: Device;
}

/**
 * A tensor from a number, nested arrays or a typed array.
 *
 * @param values nested arrays (their depth gives the shape), or a flat typed array, which is copied
 * @param shape for flat data; default one axis
 * @throws ShapeError if the arrays are ragged or the shape does not hold that many elements
 * @example
 * tensor([[1, 2], [3, 4]]).shape; // [2, 2]
 */
export function tensor(values: Nested | TypedArray, shape?: Shape, options: TensorOptions = {}): Tensor {
  if (typeof values !== 'number' && !Array.isArray(values)) {
    const dtype = dtypeOf(values);
    if (dtype === undefined)
      throw new DTypeError('tensor', 'typed arrays must be Float32Array, Float64Array or Int32Array');
    const wanted = options.dtype ?? dtype;
    const data = wanted === dtype ? values : hostArray(wanted, values.length);
    if (data !== values) data.set(values);
    return fromData(data, shape ?? [values.length], wanted, options.device);
  }
  const flat: number[] = [];
  const found = flatten(values, flat);
  const data = hostArray(options.dtype ?? 'float32', flat.length);
  data.set(flat);
  return fromData(data, shape ?? found, options.dtype ?? 'float32', options.device);
}

function flatten(values: Nested, into: number[]): number[] {
  if (typeof values === 'number') {
    into.push(values);
    return [];
  }
  if (values.length === 0) return [0];
  let inner: number[] | undefined;
  for (const item of values) {
    const shape = flatten(item, into);
    if (inner === undefined) inner = shape;
    else if (inner.length !== shape.length || inner.some((extent, i) => extent !== shape[i])) {
      throw new ShapeError('tensor', 'the nested arrays are ragged', [inner, shape]);
    }
  }
  return [values.length, ...(inner ?? [])];
}

function fromData(data: TypedArray, shape: Shape, dtype: DType, device: Device = currentDevice()): Tensor {
  checkShape('tensor', shape);
  if (sizeOf(shape) !== data.length)
    throw new ShapeError('tensor', `${data.length} elements do not fill the shape`, [shape]);
  return new Tensor(contiguousView(Storage.alloc(device, data.length, dtype, data), shape));
}

/** A tensor of one repeated number. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  checkShape('full', shape);
  const dtype = options.dtype ?? 'float32';
  return fromData(hostArray(dtype, sizeOf(shape)).fill(value), shape, dtype, options.device);
}

export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** `0, 1, …, n−1` as a vector. */
export function arange(n: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'float32';
  const data = hostArray(dtype, n);
  for (let i = 0; i < n; i++) data[i] = i;
  return fromData(data, [n], dtype, options.device);
}

/** Independent draws, uniform in [low, high); the same numbers on every backend. */
export function uniform(shape: Shape, random: Random, low = 0, high = 1, options: TensorOptions = {}): Tensor {
  return draw(shape, () => random.uniform(low, high), options);
}

/** Independent normal draws; the same numbers on every backend. */
export function normal(shape: Shape, random: Random, mean = 0, deviation = 1, options: TensorOptions = {}): Tensor {
  return draw(shape, () => random.normal(mean, deviation), options);
}

function draw(shape: Shape, next: () => number, options: TensorOptions): Tensor {
  checkShape('random', shape);
  const dtype = options.dtype ?? 'float32';
  const data = hostArray(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = next();
  return fromData(data, shape, dtype, options.device);
}

/** A tensor over an `ndarray`: shared, strides and all, by a backend that adopts arrays (reference), else copied. */
export function fromNdarray(array: NdArray<TypedArray>, options: { readonly device?: Device } = {}): Tensor {
  const dtype = dtypeOf(array.data);
  if (dtype === undefined) throw new DTypeError('fromNdarray', `cannot hold an ndarray of dtype ${array.dtype}`);
  const storage = Storage.adopt(options.device ?? currentDevice(), array.data, dtype);
  return new Tensor({ storage, shape: [...array.shape], strides: [...array.stride], offset: array.offset });
}

/** An `ndarray` of the elements: a live view where the storage is host memory, else a row-major copy. */
export async function toNdarray(x: Tensor): Promise<NdArray<TypedArray>> {
  const { device, handle, length, dtype } = x.storage;
  const { default: ndarray } = await import('ndarray');
  const host = device.host?.(handle, length, dtype);
  if (host) return ndarray(host, [...x.shape], [...x.strides], x.offset);
  return ndarray(await x.data(), [...x.shape], contiguousStrides(x.shape));
}
