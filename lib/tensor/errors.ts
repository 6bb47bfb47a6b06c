/** Every error a user can meet, by name. Data first (`op`, `shapes`, …), so programs need not read the sentence. */

/** Common parent: `operation: what is wrong`. */
export class A2QError extends Error {
  /** The operation that refused, for example `matmul`. */
  readonly op: string;

  constructor(op: string, message: string, options?: ErrorOptions) {
    super(`${op}: ${message}`, options);
    this.op = op;
    this.name = new.target.name;
  }
}

/** An argument of a kind that the function does not take: no tensor, no number, no function. */
export class ArgumentError extends A2QError {}

/** Shapes, axes or indices that do not fit together. */
export class ShapeError extends A2QError {
  readonly shapes: readonly (readonly number[])[];

  constructor(op: string, message: string, shapes: readonly (readonly number[])[] = []) {
    const got = shapes.length === 0 ? '' : `; got ${shapes.map(formatShape).join(' and ')}`;
    super(op, message + got);
    this.shapes = shapes;
  }
}

/** A dtype an operation or a backend cannot hold, or two dtypes that may not meet. */
export class DTypeError extends A2QError {}

/** A backend that is unavailable, out of memory or asked for something it cannot do. */
export class BackendError extends A2QError {}

/** Bit widths, scales or accumulators outside what the method allows. */
export class QuantError extends A2QError {}

/** Files or arrays that do not hold what they should. */
export class DataError extends A2QError {}

/** Numbers that left the finite ones: training that diverged. */
export class DivergenceError extends A2QError {}

/** Use of the tape or of memory against its rules: freed tensors, a second backward, a non-scalar loss. */
export class TapeError extends A2QError {}

/** `[2, 3]`, the one way a shape is printed. */
export function formatShape(shape: readonly number[]): string {
  return Array.isArray(shape) ? `[${shape.join(', ')}]` : String(shape);
}
