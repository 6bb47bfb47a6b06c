import type { CompiledKernel, Gpu } from './gpujs.js';
import type { GpuMode } from './modes.js';

/** Indices are float32 in kernels: whole numbers beyond this are not all there. */
export const MAX_ELEMENTS = 2 ** 24;

/**
 * Compiled kernels kept. In WebAssembly each reserves much address space; WebGL kernels own textures and always stay.
 */
const SIZE: Readonly<Record<GpuMode, number>> = { webgpu: 4096, webgl2: Infinity, webasm: 256, cpu: 4096 };

/** With fewer kernels than that, what is full is full of something else. */
const FEWEST = 8;

/** Kernels by their source and the lengths they were compiled for; the ones used last are kept. */
export class KernelCache {
  readonly #gpu: Gpu;
  readonly #resident: boolean;
  readonly #kernels = new Map<string, CompiledKernel>();
  #most: number;

  /** @param resident whether results stay on the device */
  constructor(gpu: Gpu, mode: GpuMode, resident: boolean) {
    this.#gpu = gpu;
    this.#resident = resident;
    this.#most = SIZE[mode];
  }

  get size(): number {
    return this.#kernels.size;
  }

  /** gpu.js fixes the sizes of a kernel's arrays at its first call, so they are part of what tells kernels apart. */
  get(source: string, length: number, inputs: readonly number[]): CompiledKernel {
    const key = `${length} ${inputs} ${source}`;
    const known = this.#kernels.get(key);
    if (known) {
      this.#kernels.delete(key);
      this.#kernels.set(key, known);
      return known;
    }
    const made = this.#gpu.createKernel(source, {
      output: [length],
      precision: 'single',
      tactic: 'precision',
      pipeline: this.#resident,
      immutable: this.#resident,
      loopMaxIterations: MAX_ELEMENTS,
    });
    this.#kernels.set(key, made);
    this.#keep(this.#most);
    return made;
  }

  /** Drops all kernels and keeps half as many from now on. @returns false if that would be too few to be of use */
  halve(): boolean {
    if (this.#kernels.size < FEWEST) return false;
    this.#most = this.#kernels.size >> 1;
    this.#keep(0);
    return true;
  }

  #keep(count: number): void {
    for (const [key, kernel] of this.#kernels) {
      if (this.#kernels.size <= count) return;
      this.#kernels.delete(key);
      kernel.destroy();
    }
  }
}
