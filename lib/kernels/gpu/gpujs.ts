import { BackendError } from '../../tensor/errors.js';
import type { GpuMode } from './modes.js';

/** The part of gpu.js 2.24 that is used, typed here (its typings lack settings); only `loadGpuJs` loads it. */

/** Numbers that stay on a device between kernels: a WebGPU buffer (read asynchronously) or a WebGL texture. */
export interface DeviceArray {
  toArray(): Float32Array | Promise<Float32Array>;
  delete(): void;
}

/** What a kernel is called with: arrays on host or device, and scalars. */
export type KernelArgument = Float32Array | DeviceArray | number;

export type KernelResult = Float32Array | DeviceArray | Promise<DeviceArray>;

/** The class of a kernel, by which one tells where it runs. */
export interface KernelClass {
  readonly name: string;
}

/** A compiled kernel. `kernel` is what really runs: gpu.js may put another in its place. */
export interface CompiledKernel {
  (...args: readonly KernelArgument[]): KernelResult;
  readonly kernel: { readonly constructor: KernelClass; readonly fallbackReason?: string | null };
  destroy(): void;
}

export interface KernelSettings {
  readonly output: readonly number[];
  readonly precision: 'single';
  readonly tactic: 'precision';
  readonly pipeline: boolean;
  readonly immutable: boolean;
  readonly loopMaxIterations: number;
}

export interface Gpu {
  createKernel(source: string, settings: KernelSettings): CompiledKernel;
  destroy(): Promise<void>;
}

export interface GpuJs {
  readonly GPU: {
    new (settings: { readonly mode: GpuMode }): Gpu;
  };
  readonly WebGPUKernel: KernelClass;
  readonly WebGL2Kernel: KernelClass & { readonly isSupported: boolean };
  readonly WebAssemblyKernel: KernelClass & { readonly isSupported: boolean };
  readonly CPUKernel: KernelClass;
}

/** Loads gpu.js. @throws BackendError if the package is not installed */
export async function loadGpuJs(): Promise<GpuJs> {
  try {
    const loaded: object = await import('gpu.js');
    // Node names the exports of a CommonJS package; bundlers may have them under `default` only.
    return ('WebGPUKernel' in loaded ? loaded : (loaded as { default: unknown }).default) as GpuJs;
  } catch (cause) {
    throw new BackendError('gpu', 'these backends run on the package gpu.js, which is not here; npm i gpu.js', {
      cause,
    });
  }
}
