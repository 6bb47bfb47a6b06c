import { dropout } from '../../autograd/activations.js';
import { checkProbability } from '../../autograd/checks.js';
import { asInstance, asOptions } from '../../tensor/argument.js';
import { Random } from '../../tensor/random.js';
import type { Tensor } from '../../tensor/tensor.js';
import { asModule, Module } from '../module.js';

/**
 * In training each element becomes 0 with probability p, else is divided by `1 − p` (Srivastava et al. 2014); in
 * evaluation nothing happens. `fit` seeds it anew at each step, so that a run resumes to the same bits.
 *
 * @example
 * const layer = new Dropout(0.5, { random: new Random(0) });
 * const x = ones([1000]);
 * layer.eval().forward(x) === x; // true
 */
export class Dropout extends Module {
  /** Where the next masks are drawn from. */
  random: Random;

  /** @throws A2QError unless p is 0 … 1 */
  constructor(
    readonly p: number,
    options: { readonly random: Random },
  ) {
    super();
    const { random } = asOptions('Dropout', options);
    checkProbability('Dropout', p);
    this.random = asInstance('Dropout', 'random', random, Random);
  }

  override forward(x: Tensor): Tensor {
    return this.training ? dropout(x, this.p, this.random) : x;
  }
}

/** Gives each dropout of a model a stream of its own of `random`: equal ones draw equal masks from here on. */
export function seedDropouts(model: Module, random: Random): void {
  const modules = asModule('seedDropouts', model).namedModules();
  asInstance('seedDropouts', 'random', random, Random);
  let stream = 0;
  for (const [, module] of modules) if (module instanceof Dropout) module.random = random.fork(stream++);
}
