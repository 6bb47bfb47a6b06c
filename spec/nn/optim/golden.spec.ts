import '../../startReference.js';
import t from 'tap';
import { backendNamed, setBackend } from '../../../lib/kernels/registry.js';
import { Adam, AdamW, type GroupOptions, type Optimizer, Parameter, SGD } from '../../../lib/nn/index.js';
import { type GoldenArray, readGolden } from '../../goldenFile.js';
import { closeTo } from '../../helpers.js';
import { backends, fromGolden } from '../support.js';

interface GoldenOptimizer {
  readonly name: string;
  readonly type: 'SGD' | 'Adam' | 'AdamW';
  readonly args: {
    readonly lr: number;
    readonly weight_decay?: number;
    readonly momentum?: number;
    readonly dampening?: number;
    readonly nesterov?: boolean;
    readonly betas?: [number, number];
    readonly eps?: number;
  };
  readonly init: GoldenArray[];
  readonly steps: { readonly grads: GoldenArray[]; readonly params: GoldenArray[] }[];
}

const golden = readGolden<{ cases: GoldenOptimizer[] }>('optim');

/** The optimizer of a case with PyTorch's defaults for what it does not say. */
function optimizerOf({ type, args }: GoldenOptimizer, groups: GroupOptions[]): Optimizer {
  const { lr, weight_decay, momentum = 0, dampening = 0, nesterov = false, betas = [0.9, 0.999], eps = 1e-8 } = args;
  const shared = { learningRate: lr, ...(weight_decay === undefined ? {} : { weightDecay: weight_decay }) };
  if (type === 'SGD') return new SGD(groups, { ...shared, momentum, dampening, nesterov });
  return new (type === 'Adam' ? Adam : AdamW)(groups, { ...shared, betas, epsilon: eps });
}

for (const { name, skip } of backends) {
  t.test(`golden optimizers on ${name}`, { skip: skip || golden.skip }, async (t) => {
    setBackend(backendNamed(name));
    const cases = golden.content?.cases ?? [];
    t.ok(cases.length >= 7, `${cases.length} cases`);
    for (const entry of cases) {
      const parameters = entry.init.map((values) => new Parameter(fromGolden(values)));
      const optimizer = optimizerOf(entry, [
        { parameters: parameters.slice(0, -1) },
        { parameters: parameters.slice(-1), weightDecay: 0 },
      ]);
      for (const [i, { grads, params }] of entry.steps.entries()) {
        for (const [j, grad] of grads.entries()) parameters[j].grad = fromGolden(grad);
        optimizer.step();
        for (const [j, want] of params.entries()) {
          closeTo(t, await parameters[j].data(), want.data, 1e-5, `${entry.name}: step ${i}, parameter ${j}`);
        }
        optimizer.zeroGrad();
      }
    }
  });
}
