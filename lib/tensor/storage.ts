import { ArgumentError, BackendError, DTypeError, TapeError } from './errors.js';

/** `float64` lives on the reference backend only, for gradient checks; `int32` holds integer weights and sums. */
export type DType = 'float32' | 'float64' | 'int32';

/** Host memory of one dtype. */
export type TypedArray = Float32Array | Float64Array | Int32Array;

/** Host memory of the named dtype. */
export type ArrayOf<D extends DType> = { float32: Float32Array; float64: Float64Array; int32: Int32Array }[D];

const CONSTRUCTORS = { float32: Float32Array, float64: Float64Array, int32: Int32Array } as const;

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int32: 4 };

/** A zeroed host array of `length` elements. @throws BackendError when memory is exhausted */
export function hostArray(dtype: DType, length: number): TypedArray {
  try {
    return new CONSTRUCTORS[dtype](length);
  } catch (cause) {
    throw new BackendError('host', `there is no memory for ${length} elements of ${dtype}`, { cause });
  }
}

/** The dtype a host array holds; undefined for arrays no tensor can hold. */
export function dtypeOf(array: unknown): DType | undefined {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int32Array) return 'int32';
  return undefined;
}

/** The memory of a backend. What a handle is (a typed array, an address, a GPU buffer) is the device's own affair. */
export interface Device<Handle = unknown> {
  /** What really runs, for example `reference`, `wasm`, `gpu:webgpu`. */
  readonly name: string;
  readonly dtypes: readonly DType[];
  /** An uninitialised block. @throws BackendError when memory is exhausted */
  alloc(length: number, dtype: DType): Handle;
  /** Fills the whole block from host memory; `data` has the block's length and dtype. */
  upload(handle: Handle, data: TypedArray): void;
  /** A copy of the whole block in host memory. */
  read(handle: Handle, length: number, dtype: DType): Promise<TypedArray>;
  free(handle: Handle): void;
  /** The block itself where it is host memory (no copy; invalid once freed). */
  host?(handle: Handle, length: number, dtype: DType): TypedArray;
  /** Takes over a host array as a block without copying it, where the device can. */
  adopt?(data: TypedArray): Handle;
}

/** What the memory of a device holds right now. */
export interface MemoryUse {
  /** Bytes of live tensors. */
  bytes: number;
  /** Number of live storages. */
  storages: number;
  /** Highest value `bytes` has had since `resetPeak`. */
  peakBytes: number;
}

const use = new Map<Device, MemoryUse>();
const activeScopes: Set<Storage>[] = [];
const kept = new WeakSet<Storage>();
let made = 0;
const collector = new FinalizationRegistry<() => void>((release) => release());

/** Live tensor memory of a device. @throws ArgumentError if that is none */
export function memory(device: Device): Readonly<MemoryUse> {
  checkDevice('memory', device);
  return use.get(device) ?? { bytes: 0, storages: 0, peakBytes: 0 };
}

/** Starts a new peak measurement at the current level. */
export function resetPeak(device: Device): void {
  checkDevice('resetPeak', device);
  const entry = use.get(device);
  if (entry) entry.peakBytes = entry.bytes;
}

function checkDevice(op: string, device: Device): void {
  if (typeof device?.alloc === 'function') return;
  throw new ArgumentError(op, 'wants a device, such as currentBackend()');
}

/** One block of device memory, shared by all tensors that are views of it. */
export class Storage {
  /** Counts storages in the order they were made, over all devices. */
  readonly serial = made++;
  readonly device: Device;
  readonly length: number;
  readonly dtype: DType;
  #handle: unknown;
  #release: (() => void) | null;
  /** Whether the collector knows this storage. */
  #watched = false;
  #version = 0;

  private constructor(device: Device, length: number, dtype: DType, handle: unknown) {
    this.device = device;
    this.length = length;
    this.dtype = dtype;
    this.#handle = handle;
    const bytes = length * BYTES_PER_ELEMENT[dtype];
    const entry = use.get(device) ?? { bytes: 0, storages: 0, peakBytes: 0 };
    use.set(device, entry);
    entry.bytes += bytes;
    entry.storages += 1;
    entry.peakBytes = Math.max(entry.peakBytes, entry.bytes);
    this.#release = () => {
      entry.bytes -= bytes;
      entry.storages -= 1;
      device.free(handle);
    };
    const owner = activeScopes.at(-1);
    if (owner) owner.add(this);
    else Storage.leaveToCollector(this);
  }

  /** Makes the garbage collector free a storage that no scope owns. Those a scope owns need no such net. */
  static leaveToCollector(storage: Storage): void {
    if (storage.#release === null || storage.#watched) return;
    storage.#watched = true;
    collector.register(storage, storage.#release, storage);
  }

  /** The serial of the next storage: what a piece of work makes has at least the value read before it. */
  static get nextSerial(): number {
    return made;
  }

  /** A new block, uninitialised or filled from `data`. */
  static alloc(device: Device, length: number, dtype: DType, data?: TypedArray): Storage {
    if (!device.dtypes.includes(dtype)) {
      throw new DTypeError('alloc', `backend ${device.name} holds ${device.dtypes.join(', ')}, not ${dtype}`);
    }
    const storage = new Storage(device, length, dtype, device.alloc(length, dtype));
    if (data) device.upload(storage.#handle, data);
    return storage;
  }

  /** Wraps a host array without a copy where the device can, else copies it. */
  static adopt(device: Device, data: TypedArray, dtype: DType): Storage {
    if (device.adopt && device.dtypes.includes(dtype))
      return new Storage(device, data.length, dtype, device.adopt(data));
    return Storage.alloc(device, data.length, dtype, data);
  }

  /** The device's handle; null once disposed. */
  get handleOrNull(): unknown {
    return this.#release === null ? null : this.#handle;
  }

  /** The device's handle. @throws TapeError once disposed */
  get handle(): unknown {
    if (this.#release === null) {
      throw new TapeError('storage', 'this tensor was freed; return it from its scope() or keep() it to use it later');
    }
    return this.#handle;
  }

  /** How often the block has been overwritten: the tape compares it with what it was when a value was saved. */
  get version(): number {
    return this.#version;
  }

  /** Counts an overwriting that a kernel did in place. */
  overwritten(): void {
    this.#version += 1;
  }

  /** Overwrites the block. Only owners of state (parameters, buffers) may call this: values are otherwise immutable. */
  write(data: TypedArray): void {
    if (data?.length !== this.length || dtypeOf(data) !== this.dtype) {
      throw new BackendError('write', `block holds ${this.length} ${this.dtype}; got ${data?.length} ${dtypeOf(data)}`);
    }
    this.device.upload(this.handle, data);
    this.overwritten();
  }

  dispose(): void {
    if (this.#release === null) return;
    if (this.#watched) collector.unregister(this);
    this.#release();
    this.#release = null;
  }
}

/** Anything that holds storages: a tensor, or an array or plain object of such. */
export type Held = { readonly storage: Storage } | readonly unknown[] | { readonly [key: string]: unknown } | unknown;

function eachStorage(held: Held, visit: (storage: Storage) => void): void {
  if (held === null || typeof held !== 'object') return;
  if ('storage' in held && held.storage instanceof Storage) {
    visit(held.storage);
    const { grad } = held as { grad?: Held };
    if (grad) eachStorage(grad, visit);
  } else if (Array.isArray(held)) {
    for (const item of held) eachStorage(item, visit);
  } else if (Object.getPrototypeOf(held) === Object.prototype) {
    for (const item of Object.values(held)) eachStorage(item, visit);
  }
}

/**
 * Runs `work` and frees every tensor made inside it, except those it returns (alone, or in arrays and plain objects)
 * and those handed to `keep`. Scopes nest; what an inner scope returns belongs to the outer one.
 *
 * @throws TapeError if `work` is asynchronous: memory could then be freed while still in use
 */
export function scope<T>(work: () => T): T {
  if (typeof work !== 'function') throw new ArgumentError('scope', 'the work must be a function');
  const own = new Set<Storage>();
  activeScopes.push(own);
  let result: T | undefined;
  try {
    result = work();
    if (result instanceof Promise) throw new TapeError('scope', 'the callback must not be async; await outside of it');
  } finally {
    activeScopes.pop();
    const outer = activeScopes.at(-1);
    eachStorage(result, (storage) => {
      if (!own.delete(storage)) return;
      if (outer) outer.add(storage);
      else Storage.leaveToCollector(storage);
    });
    for (const storage of own) if (!kept.has(storage)) storage.dispose();
  }
  return result;
}

/** Lets tensors outlive every enclosing scope; free them with `dispose`. Returns its argument. */
export function keep<T>(held: T): T {
  eachStorage(held, (storage) => {
    kept.add(storage);
    for (const active of activeScopes) active.delete(storage);
    Storage.leaveToCollector(storage);
  });
  return held;
}

/** Undoes `keep`: the innermost scope owns the tensors again. Returns its argument. */
export function unkeep<T>(held: T): T {
  eachStorage(held, (storage) => {
    if (kept.delete(storage)) activeScopes.at(-1)?.add(storage);
  });
  return held;
}

/** Frees the memory of tensors now, instead of when the garbage collector finds them. */
export function dispose(...held: Held[]): void {
  for (const item of held) eachStorage(item, (storage) => storage.dispose());
}
