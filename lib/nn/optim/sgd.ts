import { A2QError } from '../../tensor/errors.js';
import type { Parameter } from '../parameter.js';
import type { GroupOptions, OptimizerOptions, Update, UpdateSettings } from './optimizer.js';
import { atLeastZero, Optimizer } from './optimizer.js';
import { sgd } from './steps.js';

/** Settings of stochastic gradient descent; PyTorch's defaults, all 0 or off. */
export interface SgdOptions extends OptimizerOptions {
  /** μ: share of the old velocity in the new. */
  readonly momentum?: number;
  /** τ: share of the gradient left out of the velocity. */
  readonly dampening?: number;
  /** Whether to step along `g + μ·v` instead of `v`. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent: `g ← g + λ·θ`, `v ← μ·v + (1 − τ)·g` (at the first step `v ← g`), `θ ← θ − η·v`.
 *
 * @example
 * const w = new Parameter(tensor(1));
 * const optimizer = new SGD([w], { learningRate: 0.1, momentum: 0.9 });
 * backward(square(w));
 * optimizer.step();
 * await w.item(); // 0.8
 */
export class SGD extends Optimizer {
  readonly #momentum: number;
  readonly #dampening: number;
  readonly #nesterov: boolean;

  /** @throws A2QError for settings out of range, or nesterov without momentum or with dampening */
  constructor(parameters: readonly Parameter[] | readonly GroupOptions[], options: SgdOptions) {
    super('SGD', parameters, options);
    const { momentum = 0, dampening = 0, nesterov = false } = options;
    this.#momentum = atLeastZero('SGD', 'momentum', momentum);
    this.#dampening = atLeastZero('SGD', 'dampening', dampening);
    this.#nesterov = nesterov;
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new A2QError('SGD', 'nesterov needs momentum and no dampening');
    }
  }

  protected override update(updates: readonly Update[], { learningRate, weightDecay, step }: UpdateSettings): void {
    const states = updates.map(({ parameter, gradient, average }) => ({
      parameter,
      gradient,
      velocity: this.#momentum === 0 ? null : average('velocity'),
    }));
    sgd(states, {
      learningRate,
      weightDecay,
      momentum: this.#momentum,
      dampening: this.#dampening,
      nesterov: this.#nesterov,
      first: step === 1,
    });
  }
}
