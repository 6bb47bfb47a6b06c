import { asFunction, asOptions, asTensors } from '../tensor/argument.js';
import { tensor } from '../tensor/create.js';
import { formatShape, TapeError } from '../tensor/errors.js';
import { Random } from '../tensor/random.js';
import type { TypedArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { mul, sum } from './ops.js';
import { noGrad } from './tape.js';
import './fluent.js';

/** Settings of `checkGrads`. */
export interface CheckOptions<Inputs extends readonly Tensor[]> {
  /** Seed of the random directions. Default 0. */
  readonly seed?: number;
  /** Half the distance of the central difference. Default 1e-5. */
  readonly step?: number;
  /** Largest allowed `|analytic − numeric| / max(1, |numeric|)`. Default 1e-7. */
  readonly tolerance?: number;
  /** Number of random directions. Default 3. */
  readonly directions?: number;
  /** For straight-through functions: given the point, the function whose derivative is promised and checked. */
  readonly surrogate?: (at: Inputs) => (...inputs: Inputs) => Tensor;
}

/** What `checkGrads` measured. */
export interface GradReport {
  /** Largest relative disagreement over all directions. */
  readonly error: number;
  readonly directions: number;
}

/**
 * Checks the gradients of `fn` at `inputs` against central differences along random directions, in float64.
 *
 * With random `u` (over outputs) and `v` (over inputs), ⟨u, J·v⟩ by differences must be ⟨Jᵀ·u, v⟩ of `backward`.
 *
 * @param inputs float64 tensors on the reference backend, away from kinks
 * @throws TapeError naming both numbers if they disagree
 * @example
 * const x = tensor([0.3, -2], [2], { dtype: 'float64', device: await startBackend('reference') });
 * const { error } = await checkGrads(tanh, [x]);
 * error < 1e-7; // true
 */
export async function checkGrads<const Inputs extends readonly Tensor[]>(
  fn: (...inputs: Inputs) => Tensor,
  inputs: Inputs,
  options: CheckOptions<Inputs> = {},
): Promise<GradReport> {
  asFunction('checkGrads', 'fn', fn);
  const { seed = 0, step = 1e-5, tolerance = 1e-7, directions = 3 } = asOptions('checkGrads', options);
  for (const x of asTensors('checkGrads', 'inputs', inputs)) {
    if (x.dtype !== 'float64') {
      throw new TapeError('checkGrads', `inputs must be float64, on the reference backend; got ${x}`);
    }
  }
  const random = new Random(seed);
  const numericFn = options.surrogate ? options.surrogate(inputs) : fn;
  const points = await Promise.all(inputs.map((x) => x.data()));
  let worst = 0;
  for (let direction = 0; direction < directions; direction++) {
    const leaves = inputs.map((x, i) => tensor(points[i], x.shape, like(x)).withGrad());
    const y = fn(...(leaves as unknown as Inputs));
    const u = tensor(gaussian(y.size, random), y.shape, like(y));
    const v = points.map((point) => gaussian(point.length, random));
    if (y.requiresGrad) sum(mul(y, u)).backward();
    let analytic = 0;
    for (const [i, leaf] of leaves.entries()) {
      const grad = leaf.grad ? await leaf.grad.data() : new Float64Array(leaf.size);
      for (let j = 0; j < grad.length; j++) analytic += grad[j] * v[i][j];
    }
    const shifted = async (distance: number) => {
      const moved = points.map((point, i) => {
        const data = Float64Array.from(point, (value, j) => value + distance * v[i][j]);
        return tensor(data, inputs[i].shape, like(inputs[i]));
      });
      return noGrad(() => sum(mul(numericFn(...(moved as unknown as Inputs)), u))).item();
    };
    const numeric = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
    const error = Math.abs(analytic - numeric) / Math.max(1, Math.abs(numeric));
    if (!(error <= tolerance)) {
      throw new TapeError(
        'checkGrads',
        `direction ${direction}: backward gives ${analytic}, differences give ${numeric} ` +
          `(relative error ${error.toExponential(1)} > ${tolerance}); ` +
          `inputs ${inputs.map((x) => formatShape(x.shape)).join(' ')}`,
      );
    }
    worst = Math.max(worst, error);
  }
  return { error: worst, directions };
}

function like(x: Tensor) {
  return { dtype: x.dtype, device: x.device };
}

function gaussian(length: number, random: Random): TypedArray {
  return Float64Array.from({ length }, () => random.normal());
}
