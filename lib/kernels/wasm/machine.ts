import { BackendError } from '../../tensor/errors.js';
import { isContiguous, type Shape, sizeOf } from '../../tensor/shape.js';
import { type Device, type DType, Storage } from '../../tensor/storage.js';
import { contiguousView, type View } from '../../tensor/view.js';
import type { Ran } from '../trace.js';
import { ALIGNMENT, Allocator, type Block } from './allocator.js';
import { floats, type Kernels, layouts } from './binaries.generated.js';
import { kernelBinary } from './binaries.js';
import { Grids } from './grids.js';
import { whyNoHelpers } from './helper.js';
import { type Operand, operandWords } from './operand.js';
import type { AnyKernel } from './team.js';
import { Threads } from './threads.js';
import { compiledKernels, hasSharedMemory } from './unpack.js';

const PAGE = 65536;
/** Words passed to kernels live here, below the first block. */
const WORDS_START = 1024;
const WORDS_END = PAGE;
/** A job expected to take less than this runs on one thread. */
const SPLIT_NANOSECONDS = 150_000;
/** Vectors may be read (not written) past the end of the last block. */
const GUARD = 4096;

export type KernelName = keyof Kernels;
/** Arguments of a kernel after the range of units and the scratch address. */
type Arguments<K extends KernelName> = Kernels[K] extends (
  begin: number,
  end: number,
  scratch: number,
  ...rest: infer R extends number[]
) => void
  ? R
  : never;

type PlanName = keyof typeof layouts;
type PlanField<N extends PlanName> = (typeof layouts)[N][number];
/** What a plan holds: a word for each field of the class of that name in assembly/. */
export type PlanOf<N extends PlanName> = Readonly<Record<PlanField<N>, number>>;

/** How much work a kernel call is and what it needs. */
export interface Job {
  /** Units of work, numbered from 0; what a unit is depends on the kernel. */
  readonly units: number;
  /** Pieces per thread: more than 1 evens out threads of unequal speed, where a piece has little fixed cost. */
  readonly pieces?: number;
  /** Ranges handed to threads start at multiples of this. */
  readonly align?: number;
  /** Estimated nanoseconds a unit takes, to tell jobs not worth splitting. */
  readonly cost: number;
  /** Bytes of scratch a thread needs for a range of so many units. */
  readonly scratch?: (units: number) => number;
}

export interface MachineOptions {
  readonly simd: 'plain' | 'relaxed';
  /** The kernels, if compiled beforehand. */
  readonly module?: WebAssembly.Module;
  /** Threads, the calling one included. */
  readonly threads: number;
  /** Upper limit of linear memory in bytes, at most 4 GiB. */
  readonly maximumBytes: number;
}

/** Linear memory, its allocator, and the compiled kernels. */
export class Machine {
  readonly simd: 'plain' | 'relaxed';
  readonly shared: boolean;
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  /** Tensors known to lie on grids. */
  readonly grids = new Grids();
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #kernels: readonly AnyKernel[];
  /** The helpers, if there are any. */
  readonly team: Threads | null;
  readonly #whyAlone: string | null;
  #floats: Float32Array<ArrayBufferLike>;
  #integers: Int32Array<ArrayBufferLike>;
  #nextWord = WORDS_START;
  readonly #algorithms = new Set<string>();
  #mostThreads = 1;
  /** The backend this machine works for; outputs are allocated on it. */
  device!: Device<Block>;

  constructor(options: MachineOptions) {
    this.simd = options.simd;
    this.shared = hasSharedMemory();
    const pages = Math.min(65536, Math.floor(options.maximumBytes / PAGE));
    const initial = Math.min(pages, 256);
    // The binaries declare the largest maximum; an import with a smaller one matches.
    this.memory = new WebAssembly.Memory({ initial, maximum: pages, shared: this.shared });
    this.#floats = new Float32Array(this.memory.buffer);
    this.#integers = new Int32Array(this.memory.buffer);
    this.allocator = new Allocator(PAGE, initial * PAGE - GUARD, (end) => this.#grow(end, pages));
    const module = options.module ?? compiledKernels(kernelBinary(options.simd, this.shared));
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    const names = Object.keys(exports).filter((name) => typeof exports[name] === 'function');
    this.#numbers = new Map(names.map((name, number) => [name, number]));
    this.#kernels = names.map((name) => exports[name] as AnyKernel);
    const helpers = options.threads - 1;
    this.#whyAlone = helpers > 0 ? whyNoHelpers() : null;
    const alone = helpers === 0 || this.#whyAlone !== null;
    this.team = alone ? null : new Threads(helpers, module, this.memory, names, this.#kernels);
  }

  /** Threads that take part now, this one included; helpers join as they become ready. */
  get threads(): number {
    return this.team?.count ?? 1;
  }

  /** Why fewer take part than were asked for; null if all do, or are about to. */
  get whyFewer(): string | null {
    return this.team?.whyFewer ?? this.#whyAlone;
  }

  #grow(end: number, maximum: number): number | null {
    const size = this.memory.buffer.byteLength / PAGE;
    const needed = Math.ceil((end + GUARD) / PAGE);
    if (needed > maximum) return null;
    const target = Math.min(maximum, Math.max(needed, size + Math.min(size >> 1, 4096)));
    for (const pages of [target, needed]) {
      try {
        this.memory.grow(pages - size);
        return this.memory.buffer.byteLength - GUARD;
      } catch {
        // the engine could not commit that much; try the least that will do
      }
    }
    return null;
  }

  /** All of memory as floats; index = address / 4. Stale after the next allocation where memory is not shared. */
  get floats(): Float32Array<ArrayBufferLike> {
    if (this.#floats.byteLength !== this.memory.buffer.byteLength) this.#floats = new Float32Array(this.memory.buffer);
    return this.#floats;
  }

  /** All of memory as integers. */
  get integers(): Int32Array<ArrayBufferLike> {
    if (this.#integers.byteLength !== this.memory.buffer.byteLength)
      this.#integers = new Int32Array(this.memory.buffer);
    return this.#integers;
  }

  /** Address of a view's first element. */
  address(view: View): number {
    return (view.storage.handle as Block).address + view.offset * 4;
  }

  /** A view with the address of its first element. */
  operand(view: View): Operand {
    return { address: this.address(view), shape: view.shape, strides: view.strides };
  }

  /** A fresh contiguous result. */
  output(shape: Shape, dtype: DType = 'float32'): View {
    return contiguousView(Storage.alloc(this.device, sizeOf(shape), dtype), shape);
  }

  /** Fills a whole result with zeros. */
  zeros(out: View): void {
    this.run('fill', { units: sizeOf(out.shape), align: 16, cost: 0.3 }, 0, this.address(out));
  }

  /** Writes integers where kernels can read them; valid during the calls that follow at once. */
  words(values: readonly number[]): number {
    const address = this.#roomFor(values.length);
    this.integers.set(values, address / 4);
    return address;
  }

  /** Writes a plan as the kernels of that name read it, f32 fields as floats; valid as `words` are. */
  plan<N extends PlanName>(name: N, plan: PlanOf<N>): number {
    const fields = layouts[name] as readonly PlanField<N>[];
    const address = this.#roomFor(fields.length);
    const { integers } = this;
    const start = address / 4;
    for (let i = 0; i < fields.length; i++) integers[start + i] = plan[fields[i]];
    for (const field of floats[name] as readonly PlanField<N>[]) {
      this.floats[start + fields.indexOf(field)] = plan[field];
    }
    return address;
  }

  /** Room for words that need not last. */
  #roomFor(count: number): number {
    const bytes = count * 4;
    if (bytes > WORDS_END - WORDS_START) {
      throw new BackendError('wasm', `a kernel's description takes ${bytes} bytes; is the window that large?`);
    }
    if (this.#nextWord + bytes > WORDS_END) this.#nextWord = WORDS_START;
    const address = this.#nextWord;
    this.#nextWord += bytes;
    return address;
  }

  /** Lends `work` uninitialised memory. */
  borrow<T>(bytes: number, work: (address: number) => T): T {
    const block = this.allocator.allocate(bytes);
    try {
      return work(block.address);
    } finally {
      this.allocator.release(block);
    }
  }

  /** Runs a kernel over all units of a job, on all threads if it is worth it. */
  run<K extends KernelName>(name: K, job: Job, ...args: Arguments<K>): void {
    if (job.units === 0) return;
    const threads = job.units * job.cost < SPLIT_NANOSECONDS ? 1 : this.threads;
    const align = job.align ?? 1;
    const pieces = threads === 1 ? 1 : threads * (job.pieces ?? 1);
    const pieceUnits = Math.ceil(job.units / pieces / align) * align;
    const scratchBytes = cacheLines(job.scratch?.(Math.min(pieceUnits, job.units)) ?? 0);
    const kernel = this.#numberOf(name);
    const block = scratchBytes === 0 ? null : this.allocator.allocate(scratchBytes * threads);
    try {
      const scratch = block === null ? 0 : block.address;
      if (this.team === null || pieceUnits >= job.units) this.#kernels[kernel](0, job.units, scratch, ...args);
      else {
        const { units } = job;
        this.#mostThreads = Math.max(this.#mostThreads, Math.min(threads, Math.ceil(units / pieceUnits)));
        this.team.run({ kernel, arguments: args, units, pieceUnits, scratch, scratchBytes });
      }
    } finally {
      if (block !== null) this.allocator.release(block);
    }
  }

  /** Keeps the name of an algorithm that runs. */
  note(algorithm: string): void {
    this.#algorithms.add(algorithm);
  }

  /** Algorithms noted and the most threads that shared a job since the last call. */
  ran(): Ran {
    const algorithm = this.#algorithms.size > 0 ? [...this.#algorithms].join(' + ') : null;
    const threads = this.#mostThreads;
    this.#algorithms.clear();
    this.#mostThreads = 1;
    return { algorithm, threads };
  }

  /** Bands the rows of an image are split into so that `units` images can keep all threads busy. */
  bandsFor(units: number, rows: number): number {
    return units >= this.threads ? 1 : Math.min(rows, Math.ceil(this.threads / units));
  }

  /** Runs a kernel that is one short unit. */
  runOnce<K extends KernelName>(name: K, ...args: Arguments<K>): void {
    this.#kernels[this.#numberOf(name)](0, 1, 0, ...args);
  }

  #numberOf(name: KernelName): number {
    return this.#numbers.get(name) as number;
  }

  /** Hands `work` the addresses of contiguous copies of `views` (or of the views themselves where they are). */
  dense<T>(views: readonly View[], work: (...addresses: number[]) => T): T {
    const copies: Block[] = [];
    try {
      return work(
        ...views.map((view) => {
          if (isContiguous(view.shape, view.strides)) return this.address(view);
          const size = sizeOf(view.shape);
          const block = this.allocator.allocate(size * 4);
          copies.push(block);
          this.run('copy', elementJob(size), this.words(operandWords(this, view)), block.address);
          return block.address;
        }),
      );
    } finally {
      for (const block of copies) this.allocator.release(block);
    }
  }
}

/** A job over elements, split at cache lines. */
export function elementJob(units: number, buffers = 0, cost = 0.5): Job {
  return { units, align: 16, pieces: 4, cost, scratch: () => buffers * 8192 };
}

const FLOAT = new Float32Array(1);
const FLOAT_BITS = new Int32Array(FLOAT.buffer);

/** The bits of a float, for a word of a kernel's description. */
export function floatBits(value: number): number {
  FLOAT[0] = value;
  return FLOAT_BITS[0];
}

/** Rounds up to a whole number of cache lines. */
export function cacheLines(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
