import type { Module } from '../nn/module.js';
import { A2QError } from '../tensor/errors.js';

/** What is done with a model. Its mode and running statistics are its own: two at once would mix them up. */
type Use = 'trained' | 'evaluated';

/** Modules in use; of models that share a module, one at a time. */
const uses = new WeakMap<Module, Use>();
/** Modules whose training is under way, also while a callback of it runs. */
const training = new WeakSet<Module>();

/** A model that no one else uses until `release`. */
export class Claim {
  readonly #op: string;
  readonly #modules: readonly Module[];
  readonly #use: Use;
  #held = false;

  /** @throws A2QError if the model, or a module that it shares, is being trained or evaluated */
  constructor(op: string, model: Module, use: Use) {
    this.#op = op;
    this.#modules = model.namedModules().map(([, module]) => module);
    this.#use = use;
    this.#refuse((module) => uses.get(module) ?? (use === 'trained' && training.has(module) ? 'trained' : null));
    this.#hold();
    if (use === 'trained') for (const module of this.#modules) training.add(module);
  }

  /**
   * Lets the model be evaluated, and nothing else, until `callback` has settled.
   * @throws A2QError if an evaluation then still goes on
   */
  async lend(callback: () => unknown): Promise<void> {
    this.#giveBack();
    await callback();
    this.#refuse((module) => uses.get(module) ?? null);
    this.#hold();
  }

  release(): void {
    this.#giveBack();
    if (this.#use === 'trained') for (const module of this.#modules) training.delete(module);
  }

  #refuse(otherUse: (module: Module) => Use | null): void {
    for (const module of this.#modules) {
      const use = otherUse(module);
      if (use) throw new A2QError(this.#op, `this model is already being ${use}: await that first`);
    }
  }

  #hold(): void {
    for (const module of this.#modules) uses.set(module, this.#use);
    this.#held = true;
  }

  #giveBack(): void {
    if (this.#held) for (const module of this.#modules) uses.delete(module);
    this.#held = false;
  }
}
