import { asOptions } from '../../tensor/argument.js';
import { BackendError } from '../../tensor/errors.js';
import { type Device, type DType, hostArray, type TypedArray } from '../../tensor/storage.js';
import type { Backend } from '../backend.js';
import { accumulatorKernels } from './accumulator.js';
import type { Block } from './allocator.js';
import { kernelBinary } from './binaries.js';
import { WINOGRAD_CHOICES, type WinogradChoice } from './choices.js';
import { elementwiseKernels } from './elementwise.js';
import { fastPaths } from './fast.js';
import { Machine } from './machine.js';
import { poolingKernels } from './pooling.js';
import { productKernels } from './product.js';
import { reductionKernels } from './reduction.js';
import { demandRelaxedSimd, hasRelaxedSimd, hasSharedMemory, notCompiled } from './unpack.js';

export interface WasmOptions {
  /**
   * Threads that share the work of a kernel, this one included; 1 unless given. Results do not depend on it. Where
   * there can be no more than one (pages that are not cross-origin isolated, policies against workers), a warning on
   * the console and `describe()` say why.
   */
  readonly threads?: number;
  /**
   * Fused multiply-add where the engine has it (`auto`, the default), never (false), or by all means (true): that sets
   * an experimental flag for the whole process on Node 20. It is faster and differs from the plain build in the last
   * bits.
   */
  readonly relaxedSimd?: 'auto' | boolean;
  /**
   * Minimal filtering for 3 × 3 convolutions with stride 1 where it pays: `off` (the default, wherever exactness
   * counts), `f2` (forward and input gradient; as accurate as direct) or `f4` (all passes; errors of about 1e-5 of the
   * output's rms).
   */
  readonly winograd?: WinogradChoice;
  /** Upper limit of linear memory in bytes; 4 GiB unless given. */
  readonly maximumBytes?: number;
}

/** What a wasm backend really runs on. */
export interface WasmDescription {
  readonly simd: 'plain' | 'relaxed';
  readonly winograd: WinogradChoice;
  /** Threads that take part now; helpers join some milliseconds after the start. */
  readonly threads: number;
  /** Threads that were asked for. */
  readonly threadsWanted: number;
  /** Why fewer take part than were asked for; null if all do, or are about to. */
  readonly whyFewerThreads: string | null;
  /** True if memory is a SharedArrayBuffer: host views then survive growth. */
  readonly sharedMemory: boolean;
  /** Bytes of linear memory: reserved now, and in blocks handed out. */
  readonly memoryBytes: number;
  readonly usedBytes: number;
}

export interface WasmBackend extends Backend {
  /** What was chosen: instruction set, threads, memory. */
  describe(): WasmDescription;
  /** Ends the helper threads; the backend goes on with one. They never keep the process alive. */
  close(): void;
}

/**
 * Creates a backend on WebAssembly SIMD kernels over one linear memory; float32 and int32.
 * Helper threads join when they are ready, some milliseconds later; until then kernels run without them.
 * @throws BackendError if the engine lacks WebAssembly SIMD, or relaxed SIMD is demanded and missing
 */
export function createWasmBackend(options: WasmOptions = {}): WasmBackend {
  const machine = new Machine({
    simd: chooseSimd(asOptions('wasm', options).relaxedSimd ?? 'auto'),
    ...checkOptions(options),
  });
  return backendOn(machine, options);
}

/**
 * As `createWasmBackend`, compiled asynchronously, for pages whose main thread may not compile modules at once; all
 * threads have joined when it settles.
 */
export async function loadWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const simd = chooseSimd(asOptions('wasm', options).relaxedSimd ?? 'auto');
  const module = await WebAssembly.compile(kernelBinary(simd, hasSharedMemory())).catch((cause: unknown) => {
    throw notCompiled(cause);
  });
  const machine = new Machine({ simd, module, ...checkOptions(options) });
  const backend = backendOn(machine, options);
  await machine.team?.ready;
  return backend;
}

/** Threads at most: each has a stack and a compiler of its own, and 64 are more than the kernels can feed. */
export const THREAD_LIMIT = 64;

/** Options as they are checked, before memory or threads are asked for. @throws BackendError */
function checkOptions(options: WasmOptions): Required<Pick<WasmOptions, 'threads' | 'maximumBytes' | 'winograd'>> {
  const { threads = 1, maximumBytes = 2 ** 32, winograd = 'off' } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > THREAD_LIMIT) {
    throw new BackendError('wasm', `threads must be an integer of 1 … ${THREAD_LIMIT}; got ${threads}`);
  }
  if (!(maximumBytes >= 2 ** 20 && maximumBytes <= 2 ** 32)) {
    throw new BackendError('wasm', `maximumBytes must be 2^20 … 2^32; got ${maximumBytes}`);
  }
  if (!WINOGRAD_CHOICES.includes(winograd)) {
    throw new BackendError('wasm', `winograd must be one of ${WINOGRAD_CHOICES.join(', ')}; got ${winograd}`);
  }
  return { threads, maximumBytes, winograd };
}

function backendOn(machine: Machine, { winograd = 'off', threads = 1 }: WasmOptions): WasmBackend {
  const { reduce } = reductionKernels(machine);
  const { im2col, col2im } = poolingKernels(machine);
  const backend: WasmBackend = {
    ...memoryOf(machine),
    ...elementwiseKernels(machine),
    ...productKernels(machine),
    ...accumulatorKernels(machine),
    reduce,
    im2col,
    col2im,
    fast: fastPaths(machine, winograd),
    ran: () => machine.ran(),
    close: () => machine.team?.close(),
    describe: () => ({
      simd: machine.simd,
      winograd,
      threads: machine.threads,
      threadsWanted: threads,
      whyFewerThreads: machine.whyFewer,
      sharedMemory: machine.shared,
      memoryBytes: machine.memory.buffer.byteLength,
      usedBytes: machine.allocator.used,
    }),
  };
  machine.device = backend as Device<Block>;
  void Promise.resolve(machine.team?.ready).then(() => warnOfFewer(machine, threads));
  return backend;
}

function warnOfFewer({ threads, whyFewer }: Machine, wanted: number): void {
  if (whyFewer !== null) console.warn(`a2q.js runs on ${threads} of ${wanted} threads: ${whyFewer}`);
}

function chooseSimd(wanted: 'auto' | boolean): 'plain' | 'relaxed' {
  if (wanted === false) return 'plain';
  if (wanted === 'auto') return hasRelaxedSimd() ? 'relaxed' : 'plain';
  if (wanted !== true) throw new BackendError('wasm', `relaxedSimd must be 'auto', true or false; got ${wanted}`);
  if (demandRelaxedSimd()) return 'relaxed';
  throw new BackendError('wasm', 'this engine has no relaxed SIMD');
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
    read(block, length, dtype) {
      // Not `slice`: of shared memory that can be seven times slower.
      const from = elements(block, length, dtype);
      const copy = hostArray(dtype, length);
      copy.set(from);
      return Promise.resolve(copy);
    },
    host: elements,
  };
}
