import { asFunction } from '../tensor/argument.js';
import { TapeError } from '../tensor/errors.js';
import type { Shape } from '../tensor/shape.js';
import type { View } from '../tensor/view.js';
import type { Outputs } from './fast.js';

/** What a backend did: the algorithm it chose, if there was a choice, and the most threads that took part. */
export interface Ran {
  readonly algorithm: string | null;
  readonly threads: number;
}

/** One row (or step in place) as it ran. */
export interface Call extends Ran {
  readonly row: string;
  readonly part: Part;
  /** Whether the backend's own fast path ran or the row's composition. */
  readonly path: 'fast' | 'composition';
  readonly backend: string;
  /** Shapes of the operands. */
  readonly shapes: readonly Shape[];
  /** Until control came back; a GPU may still be at it. */
  readonly milliseconds: number;
  /** What a composition called in turn. */
  readonly calls: readonly Call[];
}

/** A row's value, its gradient, or an update in place. */
export type Part = 'value' | 'gradient' | 'step';

/** What a call runs on. */
interface Place {
  readonly name: string;
  ran?(): Ran;
}

let record: Call[] | null = null;

/**
 * Runs `work` and tells what ran: every row with its fast path or composition, algorithm, threads and time. Calls of a
 * backward pass and of an optimizer are told too, if `work` makes them. An `explain` inside keeps its own to itself.
 *
 * @throws TapeError if `work` is asynchronous: what it calls later would go untold
 * @example
 * explain(() => relu(tensor([1, -2]))).calls[0].row; // 'relu'
 */
export function explain<Result>(work: () => Result): { readonly result: Result; readonly calls: readonly Call[] } {
  asFunction('explain', 'the work', work);
  const before = record;
  const calls: Call[] = [];
  record = calls;
  try {
    const result = work();
    if (result instanceof Promise) throw new TapeError('explain', 'the callback must not be async');
    return { result, calls };
  } finally {
    record = before;
  }
}

/** Runs a backend's fast path, or the composition where it has none or returns null. Decided and told only here. */
export function choose<Result extends Outputs | readonly (View | null)[] | true>(
  backend: Place,
  row: string,
  part: Part,
  operands: readonly View[],
  fast: (() => Result | null) | null,
  composition: () => Result,
): Result {
  if (record === null) return fast?.() ?? composition();
  const outer = record;
  const calls: Call[] = [];
  record = calls;
  backend.ran?.();
  const start = performance.now();
  try {
    const quick = fast?.() ?? null;
    const path = quick === null ? 'composition' : 'fast';
    const result = quick ?? composition();
    const milliseconds = performance.now() - start;
    const { algorithm, threads: own } = backend.ran?.() ?? { algorithm: null, threads: 1 };
    const threads = Math.max(own, ...calls.map((call) => call.threads));
    const shapes = operands.map(({ shape }) => shape);
    outer.push({ row, part, path, backend: backend.name, shapes, milliseconds, calls, algorithm, threads });
    return result;
  } finally {
    record = outer;
  }
}
