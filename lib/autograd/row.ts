import type { Backend } from '../kernels/backend.js';
import type { Shape } from '../tensor/shape.js';
import type { View } from '../tensor/view.js';

/** What a gradient rule may look at: only what its row declares to save. */
export interface Saved<A> {
  readonly attrs: A;
  /** Shapes of all inputs (after broadcasting, for elementwise rows). */
  readonly shapes: readonly Shape[];
  /** Input `index`; the row must list it in `saves`. */
  input(index: number): View;
  /** The result; the row must list `'output'` in `saves`. */
  output(): View;
}

/** Vector-Jacobian product: the gradient to one argument, from the gradient `g` to the result. */
export type Vjp<A> = (g: View, saved: Saved<A>) => View;

/** Gradients to all arguments at once, where one kernel yields several; `null` for those without. */
export type JointVjp<A> = (g: View, saved: Saved<A>) => (View | null)[];

/**
 * One primitive: shape rule, forward and gradients stand together. Everything else in the project is composed from
 * rows, so this table is the whole of what must be differentiated by hand.
 */
export interface Row<A> {
  /**
   * Output shape, or ShapeError. `'broadcast'`: elementwise, operands stretch to a common shape. `'own'`: unchecked.
   */
  readonly shape: 'broadcast' | 'own' | ((shapes: readonly Shape[], attrs: A) => Shape);
  readonly forward: (k: Backend, inputs: readonly View[], attrs: A) => View;
  /** One rule per argument (`null`: no gradient), or one joint rule; absent if nothing is differentiable. */
  readonly vjp?: readonly (Vjp<A> | null)[] | JointVjp<A>;
  /** The values the rules read: input indices and `'output'`. Nothing else stays alive for backward. */
  readonly saves?: readonly (number | 'output')[];
  /**
   * For straight-through rows, the function whose derivative the rules promise, as seen from the point `at`; given as a
   * formula for documentation here and as code in the gradient checks.
   */
  readonly surrogate?: string;
}

/** Keeps a row's attribute type while checking it against the interface. */
export function row<A = Record<never, never>>(definition: Row<A>): Row<A> {
  return definition;
}
