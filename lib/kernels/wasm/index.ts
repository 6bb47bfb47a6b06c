import { BackendError } from '../../tensor/errors.js';
import type { Device, DType, TypedArray } from '../../tensor/storage.js';
import type { BackendImplementation } from '../backend.js';
import type { Block } from './allocator.js';
import { hasRelaxedSimd, hasSharedMemory, kernelBinary } from './binaries.js';
import { convolutionKernels } from './convolution.js';
import { elementwiseKernels } from './elementwise.js';
import { Machine } from './machine.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizers.js';
import { poolingKernels } from './pooling.js';
import { productKernels } from './product.js';
import { reductionKernels } from './reduction.js';

export interface WasmOptions {
  /** Threads that share the work of a kernel, this one included; 1 unless given. */
  readonly threads?: number;
  /**
   * Fused multiply-add where the engine has it (`auto`, the default), or as told. It is faster and differs from the plain
   * build in the last bits.
   */
  readonly relaxedSimd?: 'auto' | boolean;
  /** Upper limit of linear memory in bytes; 4 GiB unless given. */
  readonly maximumBytes?: number;
}

/** What a wasm backend really runs on. */
export interface WasmDescription {
  readonly simd: 'plain' | 'relaxed';
  readonly threads: number;
  /** True if memory is a SharedArrayBuffer: host views then survive growth. */
  readonly sharedMemory: boolean;
  /** Bytes of linear memory: reserved now, and in blocks handed out. */
  readonly memoryBytes: number;
  readonly usedBytes: number;
}

export interface WasmBackend extends BackendImplementation {
  /** What was chosen: instruction set, threads, memory. */
  describe(): WasmDescription;
}

/**
 * Creates a backend on WebAssembly SIMD kernels over one linear memory; float32 and int32.
 * @throws BackendError if the engine lacks WebAssembly SIMD, or relaxed SIMD is demanded and missing
 */
export function createWasmBackend(options: WasmOptions = {}): WasmBackend {
  return backendOn(new Machine({ simd: chooseSimd(options.relaxedSimd ?? 'auto'), ...limits(options) }));
}

/** As `createWasmBackend`, compiled asynchronously, for pages whose main thread may not compile modules at once. */
export async function loadWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const simd = chooseSimd(options.relaxedSimd ?? 'auto');
  const module = await WebAssembly.compile(kernelBinary(simd, hasSharedMemory()));
  return backendOn(new Machine({ simd, module, ...limits(options) }));
}

function limits(options: WasmOptions): { maximumBytes: number } {
  return { maximumBytes: options.maximumBytes ?? 2 ** 32 };
}

function backendOn(machine: Machine): WasmBackend {
  const backend: WasmBackend = {
    ...memoryOf(machine),
    ...elementwiseKernels(machine),
    ...reductionKernels(machine),
    ...productKernels(machine),
    ...convolutionKernels(machine),
    ...poolingKernels(machine),
    ...normalizationKernels(machine),
    ...optimizerKernels(machine),
    describe: () => ({
      simd: machine.simd,
      threads: 1,
      sharedMemory: machine.shared,
      memoryBytes: machine.memory.buffer.byteLength,
      usedBytes: machine.allocator.used,
    }),
  };
  machine.device = backend as Device<Block>;
  return backend;
}

function chooseSimd(wanted: 'auto' | boolean): 'plain' | 'relaxed' {
  if (wanted === false) return 'plain';
  if (hasRelaxedSimd()) return 'relaxed';
  if (wanted === true) throw new BackendError('wasm', 'this engine has no relaxed SIMD');
  return 'plain';
}

function memoryOf(machine: Machine): Device<Block> {
  const elements = (block: Block, length: number, dtype: DType): TypedArray => {
    const { buffer } = machine.memory;
    return dtype === 'int32'
      ? new Int32Array(buffer as ArrayBuffer, block.address, length)
      : new Float32Array(buffer as ArrayBuffer, block.address, length);
  };
  return {
    name: 'wasm',
    dtypes: ['float32', 'int32'],
    alloc: (length) => machine.allocator.allocate(length * 4),
    free: (block) => machine.allocator.release(block),
    upload(block, data) {
      if (data instanceof Int32Array) machine.integers.set(data, block.address / 4);
      else machine.floats.set(data, block.address / 4);
    },
    read: (block, length, dtype) => Promise.resolve(elements(block, length, dtype).slice()),
    host: elements,
  };
}
