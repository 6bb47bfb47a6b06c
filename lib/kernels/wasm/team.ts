/**
 * How threads share a job: a few words of shared memory that say which kernel runs on what, and a counter from which
 * every thread draws the next piece. Pieces are ranges of units whose results are independent, so it does not matter
 * who computes which.
 */

/** Places in the control words. Every job's tickets start anew at `base`, far above any ticket drawn before. */
export const CONTROL = {
  /** Counts jobs; idle workers wait for it to change. */
  generation: 0,
  /** Workers now in `Atomics.wait`. */
  sleepers: 1,
  /** The next ticket. */
  next: 2,
  base: 3,
  pieces: 4,
  /** Pieces finished; the main thread waits for it. */
  done: 5,
  mainWaits: 6,
  failed: 7,
  kernel: 8,
  arguments: 9,
  units: 10,
  pieceUnits: 11,
  scratch: 12,
  scratchBytes: 13,
  /** Workers that have started. */
  ready: 14,
} as const;

const CONTROL_WORDS = 16;
const MOST_ARGUMENTS = 32;

/** Shared state of a team of threads. */
export interface Control {
  readonly words: Int32Array<ArrayBufferLike>;
  readonly values: Float64Array<ArrayBufferLike>;
}

/** Bytes of the buffer under a `Control`. */
export const CONTROL_BYTES = CONTROL_WORDS * 4 + MOST_ARGUMENTS * 8;

export function controlOn(buffer: ArrayBufferLike): Control {
  return {
    words: new Int32Array(buffer, 0, CONTROL_WORDS),
    values: new Float64Array(buffer, CONTROL_WORDS * 4, MOST_ARGUMENTS),
  };
}

/** A kernel with all its arguments. */
export type AnyKernel = (...values: number[]) => void;

/** Draws and runs pieces of the current job until none is left; `thread` selects the scratch to use. */
export function work({ words, values }: Control, kernels: readonly AnyKernel[], thread: number): void {
  for (;;) {
    const ticket = Atomics.add(words, CONTROL.next, 1);
    // In this order: a new number of pieces is visible only after its base, so an old ticket is never taken for a new
    // one.
    const pieces = Atomics.load(words, CONTROL.pieces);
    const piece = (ticket - Atomics.load(words, CONTROL.base)) >>> 0;
    if (piece >= pieces) return;
    // Now the job cannot end before this piece is done: what follows is stable.
    const begin = piece * words[CONTROL.pieceUnits];
    const end = Math.min(begin + words[CONTROL.pieceUnits], words[CONTROL.units]);
    const scratch = (words[CONTROL.scratch] >>> 0) + thread * words[CONTROL.scratchBytes];
    try {
      kernels[words[CONTROL.kernel]](begin, end, scratch, ...values.subarray(0, words[CONTROL.arguments]));
    } catch {
      Atomics.store(words, CONTROL.failed, 1);
    }
    Atomics.add(words, CONTROL.done, 1);
    if (thread > 0 && Atomics.load(words, CONTROL.mainWaits) === 1) Atomics.notify(words, CONTROL.done);
  }
}

/**
 * Milliseconds to look before going to sleep. A helper looks for new work for about the pause between kernels of a
 * training step; the main thread looks for the end of the last pieces for about as long as waking it would take. More
 * would starve the others where threads outnumber free processors.
 */
export const SPIN = { helper: 0.3, main: 0.1 } as const;
/** Looks at memory between looks at the clock. */
const LOOKS = 256;

/** Returns when the word is no longer `value`: looks for a while, then sleeps if it may. */
export function waitWhile(
  { words }: Control,
  place: number,
  value: number,
  spin: number,
  sleep: (() => void) | null,
): void {
  const start = performance.now();
  for (;;) {
    for (let i = 0; i < LOOKS; i++) if (Atomics.load(words, place) !== value) return;
    if (sleep && performance.now() - start > spin) {
      sleep();
      return;
    }
  }
}
