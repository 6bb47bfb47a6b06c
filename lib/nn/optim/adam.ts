import { asList } from '../../tensor/argument.js';
import { A2QError } from '../../tensor/errors.js';
import type { Parameter } from '../parameter.js';
import type { GroupOptions, OptimizerOptions, Update, UpdateSettings } from './optimizer.js';
import { atLeastZero, Optimizer } from './optimizer.js';
import { adam } from './steps.js';

/** Settings of Adam and AdamW; PyTorch's defaults. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the averages of g and g². Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second average. Default 1e-8. */
  readonly epsilon?: number;
  /** Whether to divide by the largest average of g² so far (Reddi et al. 2018). Default false. */
  readonly amsgrad?: boolean;
}

/** Adam (Kingma and Ba 2015): bias-corrected mean of g over the root of that of g². Weight decay adds `λ·θ` to g. */
export class Adam extends Optimizer {
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #decoupled: boolean;
  readonly #amsgrad: boolean;

  /** @throws A2QError for settings out of range */
  constructor(parameters: readonly Parameter[] | readonly GroupOptions[], options: AdamOptions, decoupled = false) {
    const type = decoupled ? 'AdamW' : 'Adam';
    super(type, parameters, options);
    const { betas = [0.9, 0.999], epsilon = 1e-8 } = options;
    if (asList(type, 'betas', betas).length !== 2 || betas.some((beta) => !(beta >= 0 && beta < 1))) {
      throw new A2QError(type, `betas must be two numbers of 0 up to but not 1; they are [${betas.join(', ')}]`);
    }
    this.#betas = betas;
    this.#epsilon = atLeastZero(type, 'epsilon', epsilon);
    this.#decoupled = decoupled;
    this.#amsgrad = options.amsgrad ?? false;
  }

  protected override update(updates: readonly Update[], { learningRate, weightDecay, step }: UpdateSettings): void {
    const [beta1, beta2] = this.#betas;
    const states = updates.map(({ parameter, gradient, average }) => ({
      parameter,
      gradient,
      first: average('first'),
      second: average('second'),
      largest: this.#amsgrad ? average('largest') : null,
    }));
    adam(states, {
      learningRate,
      weightDecay,
      beta1,
      beta2,
      epsilon: this.#epsilon,
      decoupled: this.#decoupled,
      step,
    });
  }
}

/**
 * Adam, decoupled weight decay (Loshchilov and Hutter 2019): θ is multiplied by `1 − η·λ` first; λ is 0.01 by default.
 */
export class AdamW extends Adam {
  constructor(parameters: readonly Parameter[] | readonly GroupOptions[], options: AdamOptions) {
    super(parameters, { weightDecay: 0.01, ...options }, true);
  }
}
