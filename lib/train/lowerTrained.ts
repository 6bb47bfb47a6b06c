import { DATASETS } from '../data/node/datasets.js';
import { identityNormalisation } from '../data/normalise.js';
import type { GraphTask, IntegerGraph } from '../deploy/graph/graph.js';
import { type LowerOptions, lower } from '../deploy/lowering/lower.js';
import type { Module } from '../nn/module.js';
import { METHODS } from '../quant/methods.js';
import { zeros } from '../tensor/create.js';
import { QuantError } from '../tensor/errors.js';
import { dispose } from '../tensor/storage.js';
import { checkedConfig, type RunConfig } from './config.js';

/**
 * The integer graph of a model that a run trained, with what the run knows of its task: class names, how pictures
 * become inputs.
 * @throws QuantError if the run trained floats, or as {@link lower}
 */
export async function lowerTrained(
  model: Module,
  config: RunConfig,
  options: Omit<LowerOptions, 'task'> = {},
): Promise<IntegerGraph> {
  const { shape, method } = checkedConfig('lowerTrained', config, ['shape', 'method']);
  if (METHODS[method].weights === null) throw new QuantError('lower', 'the run trained floats; it has no integers');
  const example = zeros([1, ...shape.inputShape]);
  try {
    return await lower(model, example, { ...options, task: taskOf(config) });
  } finally {
    dispose(example);
  }
}

function taskOf({ shape, dataset, classNames }: RunConfig): GraphTask {
  const [channels] = shape.inputShape;
  if (shape.kind === 'images') {
    return { kind: 'images', factor: shape.factor, pixels: identityNormalisation(channels) };
  }
  const classes = classNames ?? Array.from({ length: shape.classes }, (_, label) => String(label));
  return { kind: 'labels', classes, pixels: DATASETS[dataset.name].normalisation };
}
