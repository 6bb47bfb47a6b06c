import type { NdArray } from 'ndarray';
import { asInstance, asOptions, asTensor, kindOf } from './argument.js';
import { currentDevice } from './current.js';
import { ArgumentError, BackendError, DTypeError, ShapeError } from './errors.js';
import type { Nested } from './gather.js';
import { printed } from './print.js';
import { Random } from './random.js';
import { checkShape, contiguousStrides, type Shape, sizeOf } from './shape.js';
import { type Device, type DType, dtypeOf, hostArray, Storage, type TypedArray } from './storage.js';
import { Tensor } from './tensor.js';
import { contiguousView, type View } from './view.js';

/** Nesting beyond this is a circle, or no data. */
const MOST_AXES = 64;

/** Where and how a new tensor is made. */
export interface TensorOptions {
  /** Default float32. */
  readonly dtype?: DType;
  /** Default: the current backend. */
  readonly device?: Device;
}

/** Options that ask for int32, as the type of the tensor then says. */
export type Int32Options = TensorOptions & { readonly dtype: 'int32' };

/**
 * A tensor from a number, nested arrays or a typed array.
 *
 * @param values nested arrays (their depth gives the shape), or a flat typed array, which is copied
 * @param shape for flat data; default one axis
 * @throws ArgumentError for values of another kind
 * @throws ShapeError if the arrays are ragged or the shape does not hold that many elements
 * @example
 * tensor([[1, 2], [3, 4]]).shape; // [2, 2]
 */
export function tensor(values: Int32Array, shape?: Shape, options?: Int32Options): Tensor<'int32'>;
export function tensor(values: Nested | TypedArray, shape: Shape | undefined, options: Int32Options): Tensor<'int32'>;
export function tensor(values: Nested | TypedArray, shape?: Shape, options?: TensorOptions): Tensor;
export function tensor(values: Nested | TypedArray, shape?: Shape, options: TensorOptions = {}): Tensor<DType> {
  const flat = ArrayBuffer.isView(values) ? heldArray(values) : flatten(values);
  const wanted = shape ?? flat.shape;
  checkShape('tensor', wanted);
  const { length } = flat.data;
  if (sizeOf(wanted) !== length) throw new ShapeError('tensor', `${length} elements do not fill the shape`, [wanted]);
  const dtype = asOptions('tensor', options).dtype ?? flat.dtype;
  return make('tensor', wanted, { ...options, dtype }, (data) => {
    data.set(flat.data);
    if (dtype === 'int32') checkHeld('tensor', data, flat.data);
  });
}

/** Numbers in order, with the shape and dtype they have if nothing else is asked for. */
interface Flat {
  readonly data: ArrayLike<number>;
  readonly shape: Shape;
  readonly dtype: DType;
}

function heldArray(data: TypedArray): Flat {
  const dtype = dtypeOf(data);
  if (dtype === undefined)
    throw new DTypeError('tensor', 'typed arrays must be Float32Array, Float64Array or Int32Array');
  return { data, shape: [data.length], dtype };
}

function flatten(values: Nested): Flat {
  const data: number[] = [];
  return { data, shape: flattenInto(values, data, 0), dtype: 'float32' };
}

/** Appends the numbers of nested arrays and returns their shape. */
function flattenInto(values: Nested, into: number[], depth: number): number[] {
  if (typeof values === 'number') {
    into.push(values);
    return [];
  }
  if (!Array.isArray(values) || depth > MOST_AXES) {
    throw new ArgumentError('tensor', `values must be numbers, nested arrays or a typed array; got ${typeof values}`);
  }
  if (values.length === 0) return [0];
  let inner: number[] | undefined;
  for (const item of values) {
    const shape = flattenInto(item, into, depth + 1);
    if (inner === undefined) inner = shape;
    else if (inner.length !== shape.length || inner.some((extent, i) => extent !== shape[i])) {
      throw new ShapeError('tensor', 'the nested arrays are ragged', [inner, shape]);
    }
  }
  return [values.length, ...(inner ?? [])];
}

/** @throws DTypeError unless int32 memory holds just the numbers it was given */
function checkHeld(op: string, data: TypedArray, given: ArrayLike<number>): void {
  const lost = data.findIndex((value: number, i: number) => value !== given[i]);
  if (lost >= 0) throw new DTypeError(op, `int32 cannot hold ${given[lost]}; round or cast it first`);
}

/** A new tensor, written by `write` once the device has granted the memory. */
function make(op: string, shape: Shape, options: TensorOptions, write: (data: TypedArray) => void): Tensor {
  checkShape(op, shape);
  const { dtype = 'float32', device = currentDevice() } = asOptions(op, options);
  if (typeof device?.alloc !== 'function') throw new BackendError(op, `device is no backend; got ${kindOf(device)}`);
  const storage = Storage.alloc(device, sizeOf(shape), dtype);
  const data = hostArray(dtype, storage.length);
  write(data);
  storage.write(data);
  return new Tensor(contiguousView(storage, [...shape]));
}

/** A tensor of one repeated number. @throws ShapeError if an extent is no count, or they ask for too much memory */
export function full(shape: Shape, value: number, options: Int32Options): Tensor<'int32'>;
export function full(shape: Shape, value: number, options?: TensorOptions): Tensor;
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor<DType> {
  if (typeof value !== 'number') throw new ArgumentError('full', `value must be a number; got ${kindOf(value)}`);
  return make('full', shape, options, (data) => {
    data.fill(value);
    if (data instanceof Int32Array) checkHeld('full', data.subarray(0, 1), [value]);
  });
}

export function zeros(shape: Shape, options: Int32Options): Tensor<'int32'>;
export function zeros(shape: Shape, options?: TensorOptions): Tensor;
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor<DType> {
  return full(shape, 0, options);
}

export function ones(shape: Shape, options: Int32Options): Tensor<'int32'>;
export function ones(shape: Shape, options?: TensorOptions): Tensor;
export function ones(shape: Shape, options: TensorOptions = {}): Tensor<DType> {
  return full(shape, 1, options);
}

/** `0, 1, …, n−1` as a vector. @throws ShapeError if the extent n is no count */
export function arange(n: number, options: Int32Options): Tensor<'int32'>;
export function arange(n: number, options?: TensorOptions): Tensor;
export function arange(n: number, options: TensorOptions = {}): Tensor<DType> {
  return make('arange', [n], options, (data) => {
    for (let i = 0; i < n; i++) data[i] = i;
  });
}

/** Independent draws, uniform in [low, high); the same numbers on every backend. */
export function uniform(shape: Shape, random: Random, low = 0, high = 1, options: TensorOptions = {}): Tensor {
  return draw('uniform', shape, options, random, (source) => source.uniform(low, high));
}

/** Independent normal draws; the same numbers on every backend. */
export function normal(shape: Shape, random: Random, mean = 0, deviation = 1, options: TensorOptions = {}): Tensor {
  return draw('normal', shape, options, random, (source) => source.normal(mean, deviation));
}

function draw(
  op: string,
  shape: Shape,
  options: TensorOptions,
  random: Random,
  next: (source: Random) => number,
): Tensor {
  asInstance(op, 'random', random, Random);
  return make(op, shape, options, (data) => {
    for (let i = 0; i < data.length; i++) data[i] = next(random);
  });
}

/** A tensor over an `ndarray`: shared, strides and all, by a backend that adopts arrays (reference), else copied. */
export function fromNdarray(array: NdArray<TypedArray>, options: { readonly device?: Device } = {}): Tensor {
  const dtype = dtypeOf(array?.data);
  if (dtype === undefined) throw new DTypeError('fromNdarray', `cannot hold an ndarray of dtype ${array?.dtype}`);
  const { device = currentDevice() } = asOptions('fromNdarray', options);
  const view = { shape: [...array.shape], strides: [...array.stride], offset: array.offset };
  checkShape('fromNdarray', view.shape);
  checkInside(view, array.data.length);
  return new Tensor({ storage: Storage.adopt(device, array.data, dtype), ...view });
}

/** @throws ShapeError if an element of a view is not among `length` ones */
function checkInside({ shape, strides, offset }: Omit<View, 'storage'>, length: number): void {
  const reach = shape.map((extent, axis) => (extent - 1) * strides[axis]);
  const low = reach.reduce((at, step) => at + Math.min(0, step), offset);
  const high = reach.reduce((at, step) => at + Math.max(0, step), offset);
  if (sizeOf(shape) === 0 || (low >= 0 && high < length)) return;
  throw new ShapeError('fromNdarray', `strides [${strides.join(', ')}] lead out of its ${length} elements`, [shape]);
}

/**
 * The numbers of a tensor as NumPy prints them, nested and aligned, and what it is; where there are more than a
 * thousand, the ends of each axis. `console.log(x)` of Node shows the same where memory can be read at once.
 *
 * @example
 * await format(tensor([1, 0.5, -3])); // 'tensor([ 1. ,  0.5, -3. ], float32 [3] on wasm)'
 */
export async function format(x: Tensor<DType>): Promise<string> {
  const { device, handle, length, dtype } = asTensor('format', 'x', x).storage;
  return printed(x, await device.read(handle, length, dtype));
}

/** An `ndarray` of the elements: a live view where the storage is host memory, else a row-major copy. */
export async function toNdarray(x: Tensor<DType>): Promise<NdArray<TypedArray>> {
  const { device, handle, length, dtype } = asTensor('toNdarray', 'x', x).storage;
  const { default: ndarray } = await import('ndarray');
  const host = device.host?.(handle, length, dtype);
  if (host) return ndarray(host, [...x.shape], [...x.strides], x.offset);
  return ndarray(await x.data(), [...x.shape], contiguousStrides(x.shape));
}
