import type { Module } from '../nn/module.js';

/** Puts every module in evaluation mode. @returns what gives each its own mode back */
export function enterEvaluation(model: Module): () => void {
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  model.eval();
  return () => {
    for (const [module, training] of modes) module.training = training;
  };
}
