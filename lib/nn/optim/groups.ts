import { asFunction, asIterable } from '../../tensor/argument.js';
import type { Parameter } from '../parameter.js';
import type { GroupOptions } from './optimizer.js';

/**
 * Two groups: parameters the optimizer's weight decay applies to, and those with none. Empty groups are left out.
 *
 * @param named usually `model.namedParameters()`
 * @param decays whether a parameter decays
 * @example
 * const model = new Linear(784, 10, { random: new Random(0) });
 * const groups = decayGroups(model.namedParameters(), (name) => name.endsWith('weight'));
 * groups.map(({ weightDecay }) => weightDecay ?? 'as the optimizer'); // ['as the optimizer', 0]
 * const optimizer = new SGD(groups, { learningRate: 0.1, weightDecay: 1e-5 });
 * optimizer.groups.map(({ weightDecay }) => weightDecay); // [0.00001, 0]
 */
export function decayGroups(
  named: Iterable<readonly [name: string, parameter: Parameter]>,
  decays: (name: string, parameter: Parameter) => boolean,
): GroupOptions[] {
  const decaying: Parameter[] = [];
  const exempt: Parameter[] = [];
  asFunction('decayGroups', 'decays', decays);
  for (const [name, parameter] of asIterable('decayGroups', 'named', named))
    (decays(name, parameter) ? decaying : exempt).push(parameter);
  return [{ parameters: decaying }, { parameters: exempt, weightDecay: 0 }].filter(
    ({ parameters }) => parameters.length > 0,
  );
}
