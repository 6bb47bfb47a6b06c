import { add } from '../../autograd/ops.js';
import { asList } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { asModule, type Module } from '../module.js';
import { Activation } from './activation.js';
import { BatchNorm2d } from './batchNorm.js';

/**
 * Modules one after the other: the same numbers as `c.forward(b.forward(a.forward(x)))`. This is the one place where
 * neighbours are fused: a batch norm in training takes the activation behind it into its own pass over memory, if that
 * activation can say what it applies (`Activation.follower`). `explain` shows which did.
 *
 * @example
 * const x = tensor([-1, 2, -3, 4], [2, 2]);
 * chain(x, new BatchNorm2d(2), new ReLU()); // one row, `batchNorm`, in place of two
 */
export function chain(x: Tensor, ...modules: readonly Module[]): Tensor {
  for (const module of modules) asModule('chain', module, 'a module');
  let y = x;
  for (let i = 0; i < modules.length; i++) {
    const [module, next] = [modules[i], modules[i + 1]];
    const follower = module instanceof BatchNorm2d && next instanceof Activation ? next.follower() : null;
    if (module instanceof BatchNorm2d && module.training && follower !== null) {
      y = module.normalizeBatch(y, follower);
      i += 1;
    } else {
      y = module.forward(y);
    }
  }
  return y;
}

/** Something done to each of two branches, and then their sum: a residual addition. */
export interface Join extends Module {
  /** What each branch goes through before the addition, such as the quantizer that puts both on one grid. */
  readonly branch: Module;
  forward(a: Tensor, b: Tensor): Tensor;
}

/** The sum of two branches from `x`: the same numbers as `join.forward(chain(x, ...main), chain(x, ...shortcut))`. */
export function residual(x: Tensor, main: readonly Module[], shortcut: readonly Module[], join: Join): Tensor {
  const { branch } = asModule('residual', join, 'the join') as Join;
  const [long, short] = [asList('residual', 'main', main), asList('residual', 'shortcut', shortcut)];
  return add(chain(x, ...long, branch), chain(x, ...short, branch));
}
