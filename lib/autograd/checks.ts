import { asNumber } from '../tensor/argument.js';
import { A2QError, ShapeError } from '../tensor/errors.js';
import type { Shape } from '../tensor/shape.js';

/** Checks that functions share with the modules of their name. */

/** How a GELU is computed: as defined, or by the hyperbolic tangent that some networks were trained with. */
export type GeluApproximation = 'none' | 'tanh';

/** @throws A2QError unless it is one of the two */
export function checkApproximation(op: string, approximate: GeluApproximation): void {
  if (approximate === 'none' || approximate === 'tanh') return;
  throw new A2QError(op, `approximate must be none or tanh; it is ${String(approximate)}`);
}

/** @throws A2QError unless p is 0 … 1 */
export function checkProbability(op: string, p: number): void {
  if (!(asNumber(op, 'p', p) >= 0 && p <= 1)) throw new A2QError(op, `p must be 0 … 1; it is ${p}`);
}

/** The axes a layer norm covers. @throws ShapeError unless they are positive integers, at least one */
export function layerShape(op: string, normalizedShape: number | Shape): Shape {
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
  if (!Array.isArray(shape) || shape.length === 0 || shape.some((n) => !Number.isInteger(n) || n < 1)) {
    throw new ShapeError(op, `the normalized shape must be positive integers; it is ${String(normalizedShape)}`);
  }
  return shape;
}

/** @throws A2QError for a negative ε */
export function checkEpsilon(op: string, epsilon: number): void {
  if (!(asNumber(op, 'epsilon', epsilon) >= 0))
    throw new A2QError(op, `epsilon must not be negative; it is ${epsilon}`);
}
