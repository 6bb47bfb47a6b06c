import { abs, add, clip, div, max, minimum, mul, pow, reshape, sqrt, square, stack, sum } from '../autograd/ops.js';
import { noGrad } from '../autograd/tape.js';
import { backendOf } from '../kernels/value.js';
import { asIterable, asOptions, asTensors } from '../tensor/argument.js';
import { zeros } from '../tensor/create.js';
import { A2QError, BackendError } from '../tensor/errors.js';
import { scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';

/** Whatever may hold gradients: usually `model.parameters()`. */
export type GradientHolders = Iterable<Tensor>;

/**
 * Scales all gradients, in place, by one factor so that their common norm is at most `maxNorm` (Pascanu et al. 2013).
 * Reads nothing back.
 *
 * @param options.normType p ≥ 1 of the p-norm, or Infinity for the largest magnitude. Default 2
 * @returns the norm before, a scalar; 0 if there is no gradient
 * @throws A2QError for a norm out of range; BackendError if the gradients live on several backends
 * @example
 * const w = new Parameter(tensor([0, 0]));
 * sum(mul(w, tensor([3, 4]))).backward();
 * await clipGradNorm([w], 1).item(); // 5
 * await w.grad?.toArray(); // [0.6, 0.8]
 */
export function clipGradNorm(
  parameters: GradientHolders,
  maxNorm: number,
  options: { readonly normType?: number } = {},
): Tensor {
  const { normType = 2 } = asOptions('clipGradNorm', options);
  if (!(maxNorm >= 0)) throw new A2QError('clipGradNorm', `maxNorm must be at least 0; it is ${maxNorm}`);
  if (!(normType >= 1)) throw new A2QError('clipGradNorm', `normType must be at least 1; it is ${normType}`);
  return scope(() =>
    noGrad(() => {
      const gradients = gradientsOf('clipGradNorm', parameters);
      if (gradients.length === 0) return zeros([]);
      const total = commonNorm(gradients, normType);
      const factor = minimum(div(maxNorm, add(total, 1e-6)), 1);
      for (const gradient of gradients) overwrite(gradient, mul(gradient, factor));
      return total;
    }),
  );
}

/** The p-norm of all elements of all tensors. */
function commonNorm(tensors: readonly Tensor[], p: number): Tensor {
  const over = (each: (x: Tensor) => Tensor) => stack(tensors.map((x) => reshape(each(x), [])));
  if (p === Number.POSITIVE_INFINITY) return max(over((x) => (x.size === 0 ? sum(x) : max(abs(x)))));
  if (p === 1) return sum(over((x) => sum(abs(x))));
  if (p === 2) return sqrt(sum(over((x) => sum(square(x)))));
  return pow(sum(over((x) => sum(pow(abs(x), p)))), 1 / p);
}

/**
 * Limits each element of all gradients, in place, to −value … value.
 * @throws A2QError for a negative value
 */
export function clipGradValue(parameters: GradientHolders, value: number): void {
  if (!(value >= 0)) throw new A2QError('clipGradValue', `value must be at least 0; it is ${value}`);
  scope(() =>
    noGrad(() => {
      for (const gradient of gradientsOf('clipGradValue', parameters)) {
        overwrite(gradient, clip(gradient, -value, value));
      }
    }),
  );
}

/** Each gradient once, whoever shares it. */
function gradientsOf(op: string, parameters: GradientHolders): readonly Tensor[] {
  const found = new Set<Tensor>();
  for (const parameter of asTensors(op, 'parameters', [...asIterable(op, 'parameters', parameters)]))
    if (parameter.grad) found.add(parameter.grad);
  const gradients = [...found];
  if (new Set(gradients.map(({ device }) => device)).size > 1) {
    throw new BackendError(op, 'the gradients live on several backends');
  }
  return gradients;
}

function overwrite(gradient: Tensor, value: Tensor): void {
  backendOf(gradient).copyInto(value, gradient);
  gradient.storage.overwritten();
}
