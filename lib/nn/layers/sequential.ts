import type { Tensor } from '../../tensor/tensor.js';
import { asModule, Module } from '../module.js';
import { chain } from './chain.js';

/**
 * Modules one after the other, named `0`, `1`, … in the state dict.
 *
 * @example
 * const net = new Sequential(new Conv2d(1, 8, 3, { random: new Random(0) }), new ReLU(), new Flatten());
 * net.forward(zeros([32, 1, 6, 6])).shape; // [32, 128]
 * [...net.namedParameters()].map(([name]) => name); // ['0.weight', '0.bias']
 */
export class Sequential extends Module {
  readonly modules: readonly Module[];

  constructor(...modules: readonly Module[]) {
    super();
    this.modules = modules.map((module) => asModule('Sequential', module, 'a module'));
  }

  override *children(): Generator<[name: string, module: Module]> {
    for (const [i, module] of this.modules.entries()) yield [String(i), module];
  }

  override forward(x: Tensor): Tensor {
    return chain(x, ...this.modules);
  }
}
