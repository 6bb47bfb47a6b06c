/** What the thread that trains and the worker that makes its batches say to each other. */
import * as errors from '../../tensor/errors.js';
import type { BatchOptions } from '../batches.js';
import type { Batch, DatasetFacts } from '../dataset.js';

/** To the worker. Only `open` and `next` are answered, in the order in which they were asked. */
export type Request =
  /** Open the dataset; answered by its facts. */
  | { readonly kind: 'open'; readonly description: unknown }
  /** Get ready for the batches of an epoch, under a number of their own. */
  | { readonly kind: 'start'; readonly stream: number; readonly options: BatchOptions }
  /** Answered by the next batch of that stream, or null if there is none. */
  | { readonly kind: 'next'; readonly stream: number }
  /** No more batches of that stream are wanted. */
  | { readonly kind: 'stop'; readonly stream: number };

/** From the worker. */
export type Reply =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'opened'; readonly facts: DatasetFacts }
  | { readonly kind: 'batch'; readonly batch: Batch | null }
  | { readonly kind: 'error'; readonly error: PackedError };

/** An error on its way between threads. Ours are taken apart: cloning would keep neither class nor fields. */
export type PackedError =
  | { readonly kind: ErrorClass; readonly text: string; readonly fields: { readonly op: string } }
  | { readonly kind: 'other'; readonly error: unknown };

const { A2QError, BackendError, DTypeError, DataError, DivergenceError, QuantError, ShapeError, TapeError } = errors;
const CLASSES = {
  ...{ A2QError, BackendError, DTypeError, DataError },
  ...{ DivergenceError, QuantError, ShapeError, TapeError },
} as const;
type ErrorClass = keyof typeof CLASSES;

export function packError(error: unknown): PackedError {
  if (!(error instanceof A2QError)) return { kind: 'other', error: error instanceof Error ? error : String(error) };
  const { name: _, op, message, stack, cause, ...own } = error;
  // By the class itself: minified code gives classes other names, here and in the worker.
  const known = Object.entries(CLASSES).find(([, known]) => error.constructor === known);
  const fields = { ...own, op, stack, ...(cause === undefined ? {} : { cause }) };
  return { kind: (known?.[0] ?? 'A2QError') as ErrorClass, text: message.slice(op.length + 2), fields };
}

/** The error that was packed: same class, message, fields and stack. */
export function unpackError(packed: PackedError): unknown {
  if (packed.kind === 'other') return packed.error;
  const { kind, text, fields } = packed;
  return Object.assign(new CLASSES[kind](fields.op, text), fields);
}
