import type { AttrsOf, OpName } from '../../../lib/autograd/table.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import type { Written } from '../support.js';

/** Arguments of an operation. */
export interface Point<A> {
  readonly inputs: readonly Written[];
  readonly attrs: A;
  /** For straight-through rows: the function whose derivative the row promises near this point. */
  readonly surrogate?: (...inputs: Tensor[]) => Tensor;
}

/** Arguments for which value and gradients were worked out by hand: zeros, ties, saturation. */
export interface Edge<A> extends Point<A> {
  /** The gradient to the output; ones if absent. */
  readonly upstream?: Written;
  readonly value: Written;
  /** The gradient to each argument; null where there is none. */
  readonly grads: readonly (Written | null)[];
}

/** How to exercise one row of the table: at ordinary points against differences, at edges against literals. */
export interface Sample<A> {
  readonly points: readonly [Point<A>, ...Point<A>[]];
  readonly edges: readonly [Edge<A>, ...Edge<A>[]];
}

/** One sample a row of the table. */
export type Samples = { readonly [Name in OpName]: Sample<AttrsOf<Name>> };
