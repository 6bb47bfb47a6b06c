import type { Problem } from './problem.js';

/** Results of one run, read back into host memory. */
export type Outputs = readonly Float32Array[];

/** A problem uploaded to an engine. */
export interface Entry {
  /** Computes and reads every result back, so that nothing can still be under way. */
  run(): Promise<Outputs>;
  /**
   * The same numbers in our order (row-major, NCHW and OIHW): the product; the convolution's output; or its output,
   * input gradient and weight gradient. Not part of what is timed.
   */
  canonical(outputs: Outputs): Outputs;
  dispose(): void;
}

/** A library that computes. */
export interface Engine {
  readonly name: string;
  /** @throws Error saying why it cannot do this problem */
  enter(problem: Problem): Promise<Entry>;
}

/**
 * Largest difference from `reference`, relative to its root mean square; infinite where sizes differ or numbers do not
 * exist.
 */
export function relativeDifference(values: Float32Array, reference: Float32Array): number {
  if (values.length !== reference.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let squares = 0;
  for (const [i, value] of values.entries()) {
    const difference = Math.abs(value - reference[i]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    squares += reference[i] ** 2;
  }
  return largest === 0 ? 0 : largest / Math.sqrt(squares / reference.length);
}
