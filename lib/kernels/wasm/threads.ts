import { BackendError } from '../../tensor/errors.js';
import { type Helper, startHelper } from './helper.js';
import { type AnyKernel, CONTROL, CONTROL_BYTES, type Control, controlOn, SPIN, waitWhile, work } from './team.js';

/** A job split into pieces. */
export interface SplitJob {
  readonly kernel: number;
  readonly arguments: readonly number[];
  readonly units: number;
  /** Units of a piece. */
  readonly pieceUnits: number;
  readonly scratch: number;
  /** Bytes of scratch a thread has. */
  readonly scratchBytes: number;
}

/** Distance between the tickets of one job and the next: more than idle threads can draw in vain. */
const TICKET_GAP = 4096;

/**
 * The threads that help the main one. They start in the background and join as they become ready; none is waited for.
 * Idle ones look for work for a moment, then sleep; they do not keep the process alive.
 */
export class Threads {
  readonly #control: Control;
  readonly #kernels: readonly AnyKernel[];
  readonly #helpers: Helper[];
  readonly #maySleep: boolean;
  #nextBase = 0;
  #whyFewer: string | null = null;
  #closed = false;
  /** Settles when every helper has joined or failed. */
  readonly ready: Promise<void>;

  /** Starts `count` helpers. */
  constructor(
    count: number,
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    names: readonly string[],
    kernels: readonly AnyKernel[],
  ) {
    const buffer = new SharedArrayBuffer(CONTROL_BYTES);
    this.#control = controlOn(buffer);
    this.#kernels = kernels;
    this.#maySleep = typeof document === 'undefined';
    this.#helpers = Array.from({ length: count }, (_, i) =>
      startHelper({ module, memory, control: buffer, names, thread: i + 1 }),
    );
    this.ready = Promise.all(this.#helpers.map(({ arrival }) => arrival)).then((reasons) => {
      if (!this.#closed) this.#whyFewer = reasons.find((why) => why !== null) ?? null;
    });
  }

  /** Why a helper did not join; null if all did, or are about to. */
  get whyFewer(): string | null {
    return this.#whyFewer;
  }

  /** Threads that can take part now, the main one included. */
  get count(): number {
    return 1 + Atomics.load(this.#control.words, CONTROL.ready);
  }

  /** Runs a job to its end, the calling thread helping. @throws BackendError if a kernel trapped */
  run(job: SplitJob): void {
    const { words, values } = this.#control;
    const pieces = Math.ceil(job.units / job.pieceUnits);
    values.set(job.arguments);
    words[CONTROL.kernel] = job.kernel;
    words[CONTROL.arguments] = job.arguments.length;
    words[CONTROL.units] = job.units;
    words[CONTROL.pieceUnits] = job.pieceUnits;
    words[CONTROL.scratch] = job.scratch;
    words[CONTROL.scratchBytes] = job.scratchBytes;
    words[CONTROL.done] = 0;
    // The counter comes last: who draws a ticket of this job finds all the rest in place. `work` reads in reverse
    // order.
    Atomics.store(words, CONTROL.pieces, 0);
    Atomics.store(words, CONTROL.base, this.#nextBase);
    Atomics.store(words, CONTROL.pieces, pieces);
    Atomics.store(words, CONTROL.next, this.#nextBase);
    this.#nextBase = (this.#nextBase + pieces + TICKET_GAP) | 0;
    Atomics.add(words, CONTROL.generation, 1);
    if (Atomics.load(words, CONTROL.sleepers) > 0) Atomics.notify(words, CONTROL.generation);
    work(this.#control, this.#kernels, 0);
    this.#waitForOthers(pieces);
    if (Atomics.exchange(words, CONTROL.failed, 0) === 1)
      throw new BackendError('wasm', 'a kernel trapped in a thread');
  }

  #waitForOthers(pieces: number): void {
    const { words } = this.#control;
    for (;;) {
      const done = Atomics.load(words, CONTROL.done);
      if (done === pieces) return;
      const sleep = () => {
        Atomics.store(words, CONTROL.mainWaits, 1);
        Atomics.wait(words, CONTROL.done, done);
        Atomics.store(words, CONTROL.mainWaits, 0);
      };
      waitWhile(this.#control, CONTROL.done, done, SPIN.main, this.#maySleep ? sleep : null);
    }
  }

  /** Ends the helpers. */
  close(): void {
    this.#closed = true;
    for (const helper of this.#helpers) helper.terminate();
    Atomics.store(this.#control.words, CONTROL.ready, 0);
  }
}
