import { asModule, type Module, type StateDict } from '../nn/module.js';
import { Parameter } from '../nn/parameter.js';
import { ActivationQuantizer } from '../quant/activation.js';
import { quantLayers } from '../quant/layers.js';
import { WeightQuantizer } from '../quant/weightQuantizer.js';
import { asInstance, asStrings } from '../tensor/argument.js';
import { full } from '../tensor/create.js';
import { DataError } from '../tensor/errors.js';
import { scope } from '../tensor/storage.js';

/** The names of a model's quantizers; entries of its state below these names are theirs. */
export function quantizerNames(model: Module): string[] {
  return asModule('quantizerNames', model)
    .namedModules()
    .filter(([, module]) => module instanceof WeightQuantizer || module instanceof ActivationQuantizer)
    .map(([name]) => name);
}

/** The part of a state that does not belong to quantizers of these names: weights, biases and norms. */
export function withoutQuantizers(names: readonly string[], state: StateDict): StateDict {
  asStrings('withoutQuantizers', 'names', names);
  asInstance('withoutQuantizers', 'the state', state, Map);
  return new Map([...state].filter(([key]) => !names.some((name) => key.startsWith(`${name}.`))));
}

/**
 * Loads weights, biases and norms of the same model, float or quantized. The model's quantizers start anew.
 *
 * @param state for a float model without entries of quantizers, see {@link withoutQuantizers}
 * @throws DataError listing what is missing, left over or misshapen; nothing changes then
 */
export async function loadFloatWeights(model: Module, state: StateDict, name: string): Promise<void> {
  adoptBiases(model, state);
  const own = quantizerNames(model);
  const floats = withoutQuantizers(own, state);
  const wanted = withoutQuantizers(own, await model.stateDict());
  const missing = [...wanted.keys()].filter((key) => !floats.has(key));
  const unexpected = [...floats.keys()].filter((key) => !wanted.has(key));
  if (missing.length + unexpected.length > 0) {
    throw new DataError('initFrom', `${name} is of another model: ${describe(missing, unexpected)}`);
  }
  model.loadStateDict(floats, { partial: true });
}

function describe(missing: readonly string[], unexpected: readonly string[]): string {
  const part = (what: string, names: readonly string[]) =>
    names.length === 0
      ? []
      : [`${names.length} ${what} (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})`];
  return [...part('entries missing', missing), ...part('unknown', unexpected)].join('; ');
}

/** Gives a bias to every quantized layer that has one in the state but none in the model: bias correction adds them. */
export function adoptBiases(model: Module, state: StateDict): void {
  asModule('adoptBiases', model);
  asInstance('adoptBiases', 'the state', state, Map);
  for (const [name, layer] of quantLayers(model)) {
    if (layer.bias !== null || !state.has(`${name}.bias`)) continue;
    layer.bias = scope(() => new Parameter(full([layer.weight.shape[0]], 0)));
  }
}
