import { DTypeError, formatShape, ShapeError, TapeError } from './errors.js';
import { gatherView, type Nested, nest } from './gather.js';
import { printed } from './print.js';
import { fixed, isContiguous, type Shape, sizeOf } from './shape.js';
import type { ArrayOf, Device, DType, Storage, TypedArray } from './storage.js';
import { asView, type View } from './view.js';

/**
 * An immutable value: numbers in a storage, read through shape and strides.
 *
 * Arithmetic lives in `lib/autograd` (functions such as `add(a, b)`, and methods of the same names). The three mutable
 * fields belong to the tape and say nothing about the value.
 */
export class Tensor<D extends DType = 'float32'> implements View {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
  /** Whether `backward` should reach this tensor. */
  requiresGrad = false;
  /** On leaves, the accumulated gradient of the last `backward` calls; shape of the tensor. */
  grad: Tensor | null = null;
  /** How the tape made this tensor; null for leaves. */
  node: object | null = null;

  constructor(view: View) {
    this.storage = asView('Tensor', view).storage;
    this.shape = fixed(view.shape);
    this.strides = fixed(view.strides);
    this.offset = view.offset;
  }

  get dtype(): DType {
    return this.storage.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  get device(): Device {
    return this.storage.device;
  }

  /** Marks this leaf as one that collects gradients. Returns itself. @throws TapeError on computed tensors */
  withGrad(): this {
    if (this.node !== null)
      throw new TapeError('withGrad', 'only leaves collect gradients; detach() this tensor first');
    if (this.dtype === 'int32') throw new DTypeError('withGrad', 'int32 tensors have no gradient');
    this.requiresGrad = true;
    return this;
  }

  /** The same value (same memory) without its history. */
  detach(): Tensor<D> {
    return new Tensor<D>(this);
  }

  /** A row-major copy of the elements in host memory. The only way to read, and the only wait. */
  async data(): Promise<ArrayOf<D>> {
    const { device, handle, length, dtype } = this.storage;
    const block = await device.read(handle, length, dtype);
    if (this.offset === 0 && length === this.size && isContiguous(this.shape, this.strides)) return block as ArrayOf<D>;
    return gatherView(this, block) as ArrayOf<D>;
  }

  /** The one number of a tensor of size 1. @throws ShapeError for other sizes */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError('item', 'only a tensor of one element is a number', [this.shape]);
    return (await this.data())[0];
  }

  /** The elements as nested arrays. */
  async toArray(): Promise<Nested> {
    return nest(await this.data(), this.shape);
  }

  /** Overwrites the memory of a leaf (a parameter, a running statistic); every view of it sees the new numbers. */
  write(data: TypedArray): void {
    if (this.node !== null) throw new TapeError('write', 'computed tensors are immutable');
    if (this.offset !== 0 || this.storage.length !== this.size || !isContiguous(this.shape, this.strides)) {
      throw new ShapeError('write', 'only a whole, contiguous tensor can be overwritten', [this.shape]);
    }
    this.storage.write(data);
  }

  /** Frees the memory now (also that of other views of it). */
  dispose(): void {
    this.storage.dispose();
  }

  /** What it is, without its numbers; `format` of the package has both. */
  toString(): string {
    return `Tensor(${this.dtype} ${formatShape(this.shape)} on ${this.device.name})`;
  }

  /** What `console.log` shows in Node: the numbers too, where memory can be read at once. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const { device, handleOrNull: handle, length, dtype } = this.storage;
    if (handle === null) return `${this}, freed`;
    return device.host ? printed(this, device.host(handle, length, dtype)) : this.toString();
  }
}
