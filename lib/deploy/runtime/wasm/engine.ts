import { whyNoHelpers } from '../../../kernels/wasm/helper.js';
import type { AnyKernel } from '../../../kernels/wasm/team.js';
import { Threads } from '../../../kernels/wasm/threads.js';
import { compiledKernels, hasRelaxedSimd, hasSharedMemory, unpack } from '../../../kernels/wasm/unpack.js';
import { BackendError } from '../../../tensor/errors.js';
import { binaries, type Kernels } from './kernels.generated.js';

const PAGE = 65536;
const MOST_PAGES = 65536;
/** Kernels may read, not write, this far before and behind what they are given. */
const GUARD = 4096;
/** Pieces of work for each thread: more than one evens out threads of unequal speed. */
const PIECES = 4;
/** A job expected to take less than this runs on one thread. */
const SPLIT_NANOSECONDS = 30_000;

/**
 * Whether relaxed products of bytes can be relied on. Node 20 has them behind an experimental flag, and its first
 * compiler then gives wrong sums (V8 11.3, seen on x64).
 */
export function hasRelaxedProducts(): boolean {
  const major = Number.parseInt(globalThis.process?.versions?.node ?? '', 10);
  return hasRelaxedSimd() && !(major < 22);
}

export type KernelName = keyof Kernels;

/** One call of a kernel. */
export interface Job {
  readonly kernel: KernelName;
  readonly units: number;
  /** Estimated nanoseconds of a unit. */
  readonly cost: number;
  /** Bytes of scratch of a thread. */
  readonly scratch: number;
  readonly arguments: readonly number[];
}

/** Linear memory, the kernels on it, and the threads that share it. */
export class Engine {
  readonly #memory: WebAssembly.Memory;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #kernels: readonly AnyKernel[];
  readonly #team: Threads | null;
  #next = GUARD;
  #scratch = { address: 0, bytes: 0 };

  constructor(
    readonly simd: 'plain' | 'relaxed',
    threads: number,
  ) {
    const why = threads > 1 ? whyNoHelpers() : null;
    if (why !== null) throw new BackendError('wasm', `${threads} threads cannot run here: ${why}`);
    const shared = hasSharedMemory();
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared });
    const module = compiledKernels(unpack(binaries, simd, shared));
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    const names = Object.keys(exports).filter((name) => typeof exports[name] === 'function');
    this.#numbers = new Map(names.map((name, number) => [name, number]));
    this.#kernels = names.map((name) => exports[name] as AnyKernel);
    this.#team = threads > 1 ? new Threads(threads - 1, module, this.#memory, names, this.#kernels) : null;
  }

  /** Settles when all threads have joined. @throws BackendError if one cannot */
  async ready(): Promise<void> {
    await this.#team?.ready;
    if (this.#team?.whyFewer) throw new BackendError('wasm', `a thread cannot run here: ${this.#team.whyFewer}`);
  }

  /** Forgets all that was allocated. */
  reset(): void {
    this.#next = GUARD;
    this.#scratch = { address: 0, bytes: 0 };
  }

  /** Fresh bytes, all zero, with room to read around them. @throws BackendError if memory has no more */
  allocate(bytes: number): number {
    const address = this.#next;
    const end = address + Math.ceil(bytes / 64) * 64 + GUARD;
    const { byteLength } = this.#memory.buffer;
    const pages = Math.ceil((end + GUARD - byteLength) / PAGE);
    try {
      if (pages > 0) this.#memory.grow(pages);
    } catch {
      throw new BackendError('wasm', `no memory for ${end} bytes`);
    }
    this.bytes.fill(0, address - GUARD, end);
    this.#next = end;
    return address;
  }

  get bytes(): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(this.#memory.buffer);
  }

  words(address: number, count: number): Int32Array<ArrayBufferLike> {
    return new Int32Array(this.#memory.buffer, address, count);
  }

  /** Integers kept for good. @returns their address */
  keep(values: Int32Array | Int16Array | Int8Array): number {
    const address = this.allocate(values.byteLength);
    this.bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address);
    return address;
  }

  /** Threads that a job is shared by. */
  threadsFor({ units, cost }: Job): number {
    const { count } = this.#team ?? { count: 1 };
    return units * cost < SPLIT_NANOSECONDS ? 1 : Math.min(count, units);
  }

  /** Makes room for the scratch of jobs that will run. */
  prepare(jobs: readonly Job[]): void {
    const bytes = jobs.reduce((most, { scratch }) => Math.max(most, scratch), 0);
    const count = this.#team?.count ?? 1;
    const each = Math.ceil(bytes / 64) * 64 + 64;
    this.#scratch = { address: this.allocate(each * count), bytes: each };
  }

  run(job: Job): void {
    const { units } = job;
    if (units === 0) return;
    const kernel = this.#numbers.get(job.kernel) as number;
    const { address, bytes } = this.#scratch;
    const threads = this.threadsFor(job);
    if (this.#team === null || threads === 1) this.#kernels[kernel](0, units, address, ...job.arguments);
    else {
      const pieceUnits = Math.ceil(units / (threads * PIECES));
      const shared = { arguments: job.arguments, units, pieceUnits, scratch: address, scratchBytes: bytes };
      this.#team.run({ kernel, ...shared });
    }
  }

  close(): void {
    this.#team?.close();
  }
}
