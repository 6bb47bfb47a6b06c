import { asFunction, asOptions } from '../tensor/argument.js';
import { TapeError } from '../tensor/errors.js';
import { unkeep } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { row } from './row.js';
import { apply, backward, noGrad, withGrad } from './tape.js';

/** A user's own operation with its own gradient. */
export interface FunctionDefinition<Inputs extends readonly Tensor[]> {
  /** Appears in error messages. */
  readonly name: string;
  /** The value, computed with any operations (nothing inside is recorded). */
  readonly forward: (...inputs: Inputs) => Tensor;
  /** Vector-Jacobian product: from the output's gradient, one per input, of that input's shape (`null`: none). */
  readonly vjp: (gradient: Tensor, inputs: Inputs, output: Tensor) => readonly (Tensor | null)[];
}

/**
 * An operation from a forward and a vector-Jacobian product.
 *
 * @example
 * const cube = defineFunction({
 *   name: 'cube',
 *   forward: (x: Tensor) => mul(square(x), x),
 *   vjp: (g, [x]) => [mul(g, mul(square(x), 3))],
 * });
 * const x = tensor(2).withGrad();
 * backward(cube(x));
 * await x.grad?.item(); // 12
 */
export function defineFunction<Inputs extends readonly Tensor[]>(
  definition: FunctionDefinition<Inputs>,
): (...inputs: Inputs) => Tensor {
  const { name, forward, vjp } = asOptions('defineFunction', definition, 'the definition');
  asFunction('defineFunction', 'forward', forward);
  const tensors = (views: readonly ConstructorParameters<typeof Tensor>[0][]) =>
    views.map((view) => new Tensor(view)) as unknown as Inputs;
  return (...inputs) => {
    const own = row<null>({
      name,
      shape: 'own',
      value: (views) => {
        const y: unknown = noGrad(() => forward(...tensors(views)));
        if (y instanceof Tensor) return y;
        throw new TapeError(name, 'forward must return a tensor');
      },
      saves: [...inputs.keys(), 'output'],
      vjp: (g, saved) => {
        const given = tensors(inputs.map((_, i) => saved.input(i)));
        const grads = asFunction(name, 'vjp', vjp)(new Tensor(g), given, new Tensor(saved.output()));
        if (Array.isArray(grads) && grads.every((grad) => grad === null || grad instanceof Tensor)) return grads;
        throw new TapeError(name, 'vjp must return a list of tensors, null where there is no gradient');
      },
    });
    return apply(own, inputs, null);
  };
}

/** A function whose value comes from `forward` and whose derivative comes from `surrogate`. */
export interface StraightThroughDefinition<Inputs extends readonly Tensor[]> {
  readonly name: string;
  /** The value, as hard and discontinuous as it may be. */
  readonly forward: (...inputs: Inputs) => Tensor;
  /**
   * A differentiable function standing in for `forward` in the backward pass. Default: the first input itself, the
   * classic straight-through estimator. Values taken with `detach()` inside are constants of the point.
   */
  readonly surrogate?: (...inputs: Inputs) => Tensor;
}

/**
 * Straight-through estimator (Bengio et al. 2013): forward as is, backward through the surrogate.
 *
 * @example
 * const surrogate = (x: Tensor) => clip(x, -1, 1);
 * const binarize = straightThrough({ name: 'binarize', forward: (x: Tensor) => sign(x), surrogate });
 * const x = tensor([0.3, 2]).withGrad();
 * const y = binarize(x);
 * await y.toArray(); // [1, 1]
 * backward(sum(y));
 * await x.grad?.toArray(); // [1, 0]
 */
export function straightThrough<Inputs extends readonly Tensor[]>(
  definition: StraightThroughDefinition<Inputs>,
): ((...inputs: Inputs) => Tensor) & { readonly surrogate: (...inputs: Inputs) => Tensor } {
  const surrogate =
    asOptions('straightThrough', definition, 'the definition').surrogate ?? ((...inputs: Inputs) => inputs[0]);
  const run = defineFunction<Inputs>({
    name: definition.name,
    forward: definition.forward,
    vjp: (g, inputs) => {
      const leaves = inputs.map((x) => x.detach().withGrad());
      withGrad(() => backward(surrogate(...(leaves as unknown as Inputs)), g));
      return leaves.map((leaf) => unkeep(leaf.grad));
    },
  });
  return Object.assign((...inputs: Inputs) => run(...inputs), { surrogate });
}
