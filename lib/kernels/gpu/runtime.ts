import { BackendError } from '../../tensor/errors.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type Device, Storage } from '../../tensor/storage.js';
import { contiguousView, type View } from '../../tensor/view.js';
import { inBuffers } from './buffers.js';
import { Content, type Handle } from './content.js';
import type { Executor, Reservation } from './executor.js';
import { failureOf } from './failure.js';
import type { CompiledKernel, Gpu, KernelClass } from './gpujs.js';
import { onHost } from './host.js';
import { KernelCache, MAX_ELEMENTS } from './kernelCache.js';
import type { GpuMode } from './modes.js';
import { address, input, kernelSource } from './source.js';
import { inTextures } from './textures.js';
import type { AdapterInfo } from './webgpu.js';

const EXECUTORS: Readonly<Record<GpuMode, () => Executor>> = {
  webgpu: inBuffers,
  webgl2: inTextures,
  webasm: onHost,
  cpu: onHost,
};

/** Arrays shorter than this are filled on the host. */
const SHORT = 256;

/** Compiles kernels once per source and result length, runs them, and wraps results as storages of `device`. */
export class Runtime {
  readonly mode: GpuMode;
  device!: Device<Handle>;
  #kernelClass: KernelClass;
  #executor: Executor;
  #kernels: KernelCache;
  #empty: Content | null = null;
  #arrays = 0;

  /** Kernels of any other class than `kernelClass` are refused. */
  constructor(mode: GpuMode, gpu: Gpu, kernelClass: KernelClass) {
    this.mode = mode;
    this.#kernelClass = kernelClass;
    this.#executor = EXECUTORS[mode]();
    this.#kernels = new KernelCache(gpu, mode, this.#executor.resident);
  }

  /** Kernels compiled and not dropped. */
  get kernelCount(): number {
    return this.#kernels.size;
  }

  /** Contents made and not freed. */
  get arrayCount(): number {
    return this.#arrays;
  }

  /** Runs a kernel that makes `length` numbers, `perThread` (1, or up to 4 as an array) each. Inputs stay held. */
  run(
    source: string,
    length: number,
    inputs: readonly Content[],
    scalars: readonly number[] = [],
    perThread = 1,
  ): Content {
    if (length === 0) return this.#nothing().hold();
    const lengths = inputs.map((each) => each.length);
    const values = inputs.map(({ value }) => value);
    const call = () => {
      const kernel = this.#compiled(source, length / perThread, lengths);
      const value = this.#executor.run(kernel, values, scalars, perThread);
      this.#checkMode(kernel);
      return value;
    };
    return this.#guard(() => {
      const value = this.#makingRoom(call);
      const content = this.#content(value, length);
      return perThread > 1 && this.#executor.piecewise ? this.#flat(content, perThread) : content;
    });
  }

  /** Copies a host array to the device. */
  upload(data: Float32Array): Content {
    if (data.length === 0) return this.#nothing().hold();
    const kernel = this.#executor.resident
      ? this.#compiled(kernelSource(1, 0, 'return a[this.thread.x];'), data.length, [data.length])
      : null;
    return this.#guard(() => this.#content(this.#executor.upload(kernel as CompiledKernel, data), data.length));
  }

  /** `length` times `value`, which may be infinite or NaN. */
  filled(length: number, value: number): Content {
    if (length <= SHORT || !this.#executor.resident) return this.upload(new Float32Array(length).fill(value));
    const one = this.upload(Float32Array.of(value));
    const all = this.run(kernelSource(1, 0, `return a[${address({ strides: [], offset: 0 }, [])}];`), length, [one]);
    one.release();
    return all;
  }

  /** A host copy of `length` numbers. */
  async read(content: Content, length: number): Promise<Float32Array> {
    if (length === 0) return new Float32Array(0);
    if (this.#executor.failure) throw this.#executor.failure;
    const data = await this.#executor.read(content.value);
    if (data.length !== length)
      throw new BackendError(this.name, `read ${data.length} numbers where ${length} were due`);
    return data;
  }

  /** The device for oneself, for a while. */
  reserve(): Reservation {
    return this.#executor.reserve();
  }

  get name(): string {
    return `gpu:${this.mode}`;
  }

  /** What a view's storage holds; zeros if nothing was written yet. */
  contentOf(view: View): Content {
    const handle = view.storage.handle as Handle;
    if (handle.content === null) handle.replace(this.filled(handle.length, 0));
    return handle.content as Content;
  }

  /** A fresh contiguous view that holds `content`. */
  result(content: Content, shape: Shape): View {
    const storage = Storage.alloc(this.device, sizeOf(shape), 'float32');
    (storage.handle as Handle).replace(content);
    return contiguousView(storage, shape);
  }

  /** Whether indices into that many numbers are exact. */
  fits(length: number): boolean {
    return length <= MAX_ELEMENTS;
  }

  /** Why nothing here can be relied on any more; null while all is well. */
  get failure(): BackendError | null {
    return this.#executor.failure;
  }

  /** What computes, where only the device itself can tell. */
  get adapter(): AdapterInfo | undefined {
    return this.#executor.adapter;
  }

  /** @throws BackendError if indices into that many numbers would not be exact */
  checkLength(length: number): void {
    if (!this.fits(length)) {
      throw new BackendError(
        this.name,
        `a tensor of ${length} elements is too large, at most ${MAX_ELEMENTS}; use a smaller batch`,
      );
    }
  }

  /** Stands for arrays of no elements, which no kernel can be given. */
  #nothing(): Content {
    this.#empty ??= this.upload(new Float32Array(1));
    return this.#empty;
  }

  #content(value: unknown, length: number): Content {
    this.#arrays++;
    return new Content(value, length, (freed) => {
      this.#arrays--;
      this.#executor.free(freed);
    });
  }

  #compiled(source: string, length: number, inputs: readonly number[]): CompiledKernel {
    return this.#guard(() => this.#kernels.get(source, length, inputs));
  }

  /** Pages get address space for fewer WebAssembly memories than Node: a full cache keeps half as many from then on. */
  #makingRoom<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      if (this.mode !== 'webasm' || !/memory/i.test(String(cause)) || !this.#kernels.halve()) throw cause;
      return this.#makingRoom(call);
    }
  }

  /** gpu.js moves a kernel it cannot compile to plain JavaScript; here that is an error. */
  #checkMode({ kernel }: CompiledKernel): void {
    if (kernel.constructor === this.#kernelClass) return;
    const reason = kernel.fallbackReason ?? 'no reason given';
    throw new BackendError(this.name, `a kernel ran as ${kernel.constructor.name} instead: ${reason}`);
  }

  /** The same numbers one by one, where a device keeps those of a thread together. Takes the content over. */
  #flat(content: Content, perThread: number): Content {
    const parts = Array.from({ length: perThread - 1 }, (_, n) => `if (part == ${n + 1}) { y = numbers[${n + 1}]; }`);
    const source = kernelSource(
      1,
      0,
      `const thread = Math.floor((i + 0.5) / ${perThread});
const part = i - thread * ${perThread};
const numbers = ${input(0)}[thread];
let y = numbers[0];
${parts.join('\n')}
return y;`,
    );
    const flat = this.run(source, content.length, [content]);
    content.release();
    return flat;
  }

  #guard<T>(work: () => T): T {
    if (this.#executor.failure) throw this.#executor.failure;
    try {
      return work();
    } catch (cause) {
      throw failureOf(this.name, cause);
    }
  }
}
