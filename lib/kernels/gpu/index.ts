import { BackendError } from '../../tensor/errors.js';
import type { Device } from '../../tensor/storage.js';
import type { Backend } from '../backend.js';
import { accumulatorKernels } from './accumulator.js';
import { type Content, Handle } from './content.js';
import { elementwiseKernels } from './elementwise.js';
import { fastPaths } from './fast.js';
import { type GpuJs, type KernelClass, loadGpuJs } from './gpujs.js';
import { GPU_MODES, type GpuMode } from './modes.js';
import { moveKernels } from './moves.js';
import { productKernels } from './product.js';
import { reductionKernels } from './reduction.js';
import { Runtime } from './runtime.js';
import { differ, finish, timeVariants } from './timeVariants.js';
import { type Choice, Tuner } from './tuner.js';
import { VARIANTS, type VariantChoice } from './variants.js';
import { type AdapterInfo, findAdapter, isSoftware } from './webgpu.js';
import { windowKernels } from './windows.js';

export { GPU_MODES, type GpuMode } from './modes.js';
export type { Choice } from './tuner.js';
export { VARIANTS, type Variant, type VariantChoice } from './variants.js';

export interface GpuOptions {
  /** Where kernels run. Nothing else stands in for it. */
  readonly mode: GpuMode;
  /** How products and convolutions are computed. Default: whichever is fastest, measured at the first use of each. */
  readonly variant?: VariantChoice;
}

/** What a gpu backend really runs on. */
export interface GpuDescription {
  readonly mode: GpuMode;
  /** Kernels compiled so far and kept. */
  readonly kernels: number;
  /** Arrays alive on the device, those that are being freed not among them. */
  readonly arrays: number;
  /** The variant of products and convolutions that was demanded, or that they are measured. */
  readonly variant: VariantChoice;
  /** What measurements have led to so far. */
  readonly choices: readonly Choice[];
  /** The adapter of WebGPU or WebGL2, and whether it computes on the CPU; absent in other modes, or if untold. */
  readonly adapter?: AdapterInfo;
  readonly software?: boolean;
}

export interface GpuBackend extends Backend {
  describe(): GpuDescription;
  /** Resolves when all work issued so far is done, and with it the measurements that it began. */
  finished(): Promise<void>;
  /** Why nothing here can be relied on any more (a lost device, no memory left); null while all is well. */
  readonly failure: BackendError | null;
}

/**
 * Starts the gpu.js backend `gpu:MODE`: one source per kernel, run by WebGPU, WebGL2, WebAssembly or plain JavaScript.
 * @throws BackendError if gpu.js is not installed, or the mode cannot be had here, with the reason
 */
export async function createGpuBackend({ mode, variant = 'measured' }: GpuOptions): Promise<GpuBackend> {
  if (!GPU_MODES.includes(mode)) {
    throw new BackendError('gpu', `there is no mode '${mode}'; choose one of ${GPU_MODES.join(', ')}`);
  }
  if (variant !== 'measured' && !VARIANTS.includes(variant)) {
    throw new BackendError('gpu', `there is no variant '${variant}'; choose one of measured, ${VARIANTS.join(', ')}`);
  }
  const gpuJs = await loadGpuJs();
  const { kernelClass, adapter: found } = await available(gpuJs, mode);
  const runtime = new Runtime(mode, new gpuJs.GPU({ mode }), kernelClass);
  const timer = {
    time: (variants: readonly (() => Content)[]) => timeVariants(runtime, variants),
    differ: (a: Content, b: Content) => differ(runtime, a, b),
  };
  const tuner = new Tuner(timer, variant);
  const backend: GpuBackend = {
    ...memoryOf(runtime),
    ...moveKernels(runtime),
    ...elementwiseKernels(runtime),
    ...reductionKernels(runtime),
    ...windowKernels(runtime),
    ...productKernels(runtime, tuner),
    ...accumulatorKernels(runtime),
    fast: fastPaths(runtime, tuner),
    describe: () => ({
      mode,
      kernels: runtime.kernelCount,
      arrays: runtime.arrayCount,
      variant,
      choices: tuner.choices,
      ...(adapter ? { adapter, software: isSoftware(adapter) } : {}),
    }),
    async finished() {
      await tuner.settled();
      await finish(runtime);
    },
    get failure() {
      return runtime.failure;
    },
  };
  runtime.device = backend as Device<Handle>;
  await probe(runtime);
  const adapter = found ?? runtime.adapter;
  return backend;
}

/** The class whose kernels run in a mode. @throws BackendError if the mode cannot be had here */
async function available(gpuJs: GpuJs, mode: GpuMode): Promise<{ kernelClass: KernelClass; adapter?: AdapterInfo }> {
  switch (mode) {
    case 'webgpu':
      return { kernelClass: gpuJs.WebGPUKernel, adapter: await findAdapter() };
    case 'webgl2':
      if (!gpuJs.WebGL2Kernel.isSupported)
        throw new BackendError('gpu:webgl2', 'there is no WebGL2 here; browsers have it');
      return { kernelClass: gpuJs.WebGL2Kernel };
    case 'webasm':
      if (!gpuJs.WebAssemblyKernel.isSupported)
        throw new BackendError('gpu:webasm', 'WebAssembly is not to be had here');
      return { kernelClass: gpuJs.WebAssemblyKernel };
    case 'cpu':
      if (!runsStrings()) {
        throw new BackendError(
          'gpu:cpu',
          "this page's content security policy forbids code from strings (unsafe-eval); choose another backend",
        );
      }
      return { kernelClass: gpuJs.CPUKernel };
  }
}

/** Whether code may be made from strings here. */
function runsStrings(): boolean {
  try {
    return new Function('return true')() as boolean;
  } catch {
    return false;
  }
}

/** Runs one kernel end to end: a mode that compiles but does not compute is no mode. */
async function probe(runtime: Runtime): Promise<void> {
  const five = runtime.upload(Float32Array.of(1, 2, 3, 4, 5));
  const squares = runtime.run('function (a) { return a[this.thread.x] * a[this.thread.x]; }', 5, [five]);
  const got = await runtime.read(squares, 5);
  if (got.join() !== '1,4,9,16,25')
    throw new BackendError(runtime.name, `squares of 1 to 5 come back as ${got.join(', ')}`);
  five.release();
  squares.release();
}

function memoryOf(runtime: Runtime): Device<Handle> {
  return {
    name: runtime.name,
    dtypes: ['float32'],
    alloc(length) {
      runtime.checkLength(length);
      return new Handle(length);
    },
    upload(handle, data) {
      handle.replace(runtime.upload(data as Float32Array));
    },
    async read(handle, length) {
      return handle.content === null ? new Float32Array(length) : runtime.read(handle.content, length);
    },
    free: (handle) => handle.free(),
  };
}
