import '../../startReference.js';
import t from 'tap';
import { backendNamed, setBackend } from '../../../lib/kernels/registry.js';
import {
  Adam,
  AdamW,
  decayGroups,
  Linear,
  mse,
  type Optimizer,
  type OptimizerState,
  Parameter,
  ReLU,
  Sequential,
  SGD,
} from '../../../lib/nn/index.js';
import { tensor, zeros } from '../../../lib/tensor/create.js';
import { Random } from '../../../lib/tensor/random.js';
import { memory, scope } from '../../../lib/tensor/storage.js';
import { arraysEqual, closeTo } from '../../helpers.js';
import { adamStep, sgdStep } from '../../oracle.js';
import { backends, randomTensor, useReference } from '../support.js';

useReference();

/** A float64 parameter, for comparisons with the oracles. */
function parameterOf(data: readonly number[]): Parameter {
  return new Parameter(tensor([...data], undefined, { dtype: 'float64' }));
}

const START = [0.5, -1.5, 2, 0];

/** A gradient for each step. */
function gradientAt(step: number): number[] {
  const random = new Random(100 + step);
  return START.map(() => random.uniform(-1, 1));
}

t.test('SGD in all its forms against the oracle', async (t) => {
  const forms = [
    {},
    { weightDecay: 0.1 },
    { momentum: 0.9 },
    { momentum: 0.9, dampening: 0.5, weightDecay: 0.01 },
    { momentum: 0.9, nesterov: true, weightDecay: 0.01 },
  ];
  for (const form of forms) {
    const settings = { learningRate: 0.1, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0, ...form };
    const parameter = parameterOf(START);
    const optimizer = new SGD([parameter], { learningRate: 0.1, ...form });
    let theta = START;
    let buffer: readonly number[] | null = null;
    for (let step = 0; step < 5; step++) {
      parameter.grad = tensor(gradientAt(step), undefined, { dtype: 'float64' });
      optimizer.step();
      ({ theta, buffer } = sgdStep(theta, gradientAt(step), buffer, settings));
    }
    closeTo(t, await parameter.data(), theta, 1e-14, JSON.stringify(form));
  }
});

t.test('Adam and AdamW against the oracle', async (t) => {
  const forms = [{}, { weightDecay: 0.1 }, { betas: [0.5, 0.8], epsilon: 1e-3 }] as const;
  for (const decoupled of [false, true]) {
    for (const form of forms) {
      const parameter = parameterOf(START);
      const optimizer = new (decoupled ? AdamW : Adam)([parameter], { learningRate: 0.05, ...form });
      const { betas, epsilon, weightDecay } = {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weightDecay: decoupled ? 0.01 : 0,
        ...form,
      };
      const settings = { learningRate: 0.05, beta1: betas[0], beta2: betas[1], epsilon, weightDecay, decoupled };
      let state = { theta: START, first: [0, 0, 0, 0], second: [0, 0, 0, 0] };
      for (let step = 1; step <= 5; step++) {
        parameter.grad = tensor(gradientAt(step), undefined, { dtype: 'float64' });
        optimizer.step();
        state = adamStep(state.theta, gradientAt(step), state.first, state.second, step, settings);
      }
      closeTo(t, await parameter.data(), state.theta, 1e-13, `${optimizer.type} ${JSON.stringify(form)}`);
    }
  }
});

t.test('groups have their own learning rate and weight decay', async (t) => {
  const [a, b] = [parameterOf([1]), parameterOf([1])];
  const optimizer = new SGD([{ parameters: [a] }, { parameters: [b], learningRate: 0.5, weightDecay: 0 }], {
    learningRate: 0.1,
    weightDecay: 1,
  });
  a.grad = tensor([1], undefined, { dtype: 'float64' });
  b.grad = tensor([1], undefined, { dtype: 'float64' });
  optimizer.step();
  closeTo(t, await a.data(), [1 - 0.1 * 2], 1e-15, 'the optimizer’s settings');
  closeTo(t, await b.data(), [1 - 0.5 * 1], 1e-15, 'its own settings');
  t.same(
    optimizer.groups.map(({ learningRate, baseLearningRate, weightDecay }) => [
      learningRate,
      baseLearningRate,
      weightDecay,
    ]),
    [
      [0.1, 0.1, 1],
      [0.5, 0.5, 0],
    ],
  );
});

t.test('parameters without a gradient stay, and count no step', async (t) => {
  const [a, b] = [parameterOf([1]), parameterOf([1])];
  const optimizer = new Adam([a, b], { learningRate: 0.1, weightDecay: 0.5 });
  const grad = () => tensor([3], undefined, { dtype: 'float64' });
  a.grad = grad();
  optimizer.step();
  arraysEqual(t, await b.data(), [1], 'not even decayed');
  t.same((await optimizer.state()).steps, [1, 0]);
  a.grad = null;
  b.grad = grad();
  const afterOne = await a.data();
  optimizer.step();
  arraysEqual(t, await b.data(), afterOne, 'its first step is like the other’s');
  arraysEqual(t, await a.data(), afterOne, 'which stays, momentum or not');
});

t.test('zeroGrad forgets gradients and frees their memory', async (t) => {
  const parameter = new Parameter(zeros([100]));
  const optimizer = new SGD([parameter], { learningRate: 1 });
  const before = memory(parameter.device).bytes;
  scope(() => parameter.mul(2).sum().backward());
  t.equal(memory(parameter.device).bytes - before, 400);
  optimizer.zeroGrad();
  t.equal(parameter.grad, null);
  t.equal(memory(parameter.device).bytes, before);
});

t.test('decayGroups splits by name', async (t) => {
  const net = new Linear(2, 3, { random: new Random(1) });
  const groups = decayGroups(net.namedParameters(), (name) => name.endsWith('weight'));
  t.same(
    groups.map(({ parameters, weightDecay }) => [parameters.length, weightDecay]),
    [
      [1, undefined],
      [1, 0],
    ],
  );
  t.equal(groups[0].parameters[0], net.weight);
  t.equal(groups[1].parameters[0], net.bias);
  const all = decayGroups(net.namedParameters(), (_, parameter) => parameter.rank > 0);
  t.equal(all.length, 1, 'an empty group is left out');
});

/** A small regression to be interrupted. */
function regression(make: (parameters: Parameter[]) => Optimizer) {
  const random = new Random(5);
  const net = new Sequential(new Linear(3, 8, { random }), new ReLU(), new Linear(8, 1, { random }));
  const optimizer = make(net.parameters());
  const run = (from: number, to: number) => {
    for (let step = from; step < to; step++) {
      scope(() => {
        const x = randomTensor([6, 3], step);
        mse(net.forward(x), x.sum({ axes: 1, keepDims: true }).tanh()).backward();
      });
      optimizer.groups[0].learningRate = 0.02 / (1 + step / 10);
      optimizer.step();
      optimizer.zeroGrad();
    }
  };
  return { net, optimizer, run };
}

const MAKERS: Readonly<Record<string, (parameters: Parameter[]) => Optimizer>> = {
  'SGD with momentum': (p) => new SGD(p, { learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
  SGD: (p) => new SGD(p, { learningRate: 0.02 }),
  Adam: (p) => new Adam(p, { learningRate: 0.02 }),
  AdamW: (p) => new AdamW(p, { learningRate: 0.02 }),
  AMSGrad: (p) => new Adam(p, { learningRate: 0.02, amsgrad: true }),
};

for (const { name: backend, skip } of backends) {
  for (const [name, make] of Object.entries(MAKERS)) {
    t.test(`${name} resumes to the same bits on ${backend}`, { skip }, async (t) => {
      setBackend(backendNamed(backend));
      const whole = regression(make);
      whole.run(0, 12);
      const first = regression(make);
      first.run(0, 7);
      const [weights, state] = [await first.net.stateDict(), await first.optimizer.state()];
      const stored = throughFile(state);
      first.run(7, 9);
      const second = regression(make);
      second.net.loadStateDict(weights);
      second.optimizer.loadState(stored);
      t.equal(second.optimizer.groups[0].learningRate, 0.02 / 1.6, 'the learning rate comes back');
      second.run(7, 12);
      const want = await whole.net.stateDict();
      for (const [key, { data }] of await second.net.stateDict()) {
        arraysEqual(t, data, want.get(key)?.data ?? [], key, { signedZeros: true });
      }
      t.same(second.optimizer.groups[0].baseLearningRate, 0.02);
      t.same((await second.optimizer.state()).steps, [12, 12, 12, 12]);
    });
  }
}

/** A state as it comes back from a checkpoint: numbers through JSON, arrays through bytes. */
function throughFile(state: OptimizerState): OptimizerState {
  const { tensors, ...rest } = state;
  const arrays = [...tensors].map(([name, { shape, data }]) => {
    return [name, { shape, data: new Float32Array(data.slice().buffer) }] as const;
  });
  return { ...JSON.parse(JSON.stringify(rest)), tensors: new Map(arrays) };
}

t.test('a state can be loaded over a later one', async (t) => {
  useReference();
  const parameter = parameterOf([1]);
  const optimizer = new Adam([parameter], { learningRate: 0.1 });
  const fresh = await optimizer.state();
  parameter.grad = tensor([1], undefined, { dtype: 'float64' });
  optimizer.step();
  optimizer.loadState(fresh);
  t.same((await optimizer.state()).tensors.size, 0, 'averages are gone');
  parameter.write(Float64Array.of(1));
  optimizer.step();
  closeTo(t, await parameter.data(), [0.9], 1e-8, 'a first step again');
});

t.test('states that do not fit are refused whole', async (t) => {
  useReference();
  const make = (...sizes: number[]) => {
    const parameters = sizes.map((size) => new Parameter(zeros([size])));
    for (const [i, parameter] of parameters.entries()) parameter.grad = zeros([sizes[i]]);
    const optimizer = new Adam(parameters, { learningRate: 0.1 });
    optimizer.step();
    return optimizer;
  };
  const target = make(2, 3);
  const good = await target.state();
  const sgd = new SGD([new Parameter(zeros([2])), new Parameter(zeros([3]))], { learningRate: 1 });
  const float64 = new Map(good.tensors).set('0.first', { shape: [2], data: new Float64Array(2) });
  const stray = new Map(good.tensors).set('7.first', { shape: [2], data: new Float32Array(2) });
  const cases: [state: OptimizerState, message: string][] = [
    [await sgd.state(), 'loadState: the state is of SGD, this is Adam'],
    [await make(2).state(), 'loadState: the state has 1 parameters, this Adam has 2'],
    [{ ...good, learningRates: [1, 2] }, 'loadState: the state has 2 groups, this Adam has 1'],
    [await make(2, 4).state(), 'loadState: 1.first has shape [4], its parameter has [3]'],
    [{ ...good, tensors: float64 }, 'loadState: 0.first holds float64, its parameter float32'],
    [{ ...good, tensors: stray }, 'loadState: 7.first belongs to no parameter'],
  ];
  for (const [state, message] of cases) t.throws(() => target.loadState(state), { name: 'DataError', message });
  t.same(await target.state(), good, 'nothing changed');
});

t.test('settings out of range', async (t) => {
  useReference();
  const p = [new Parameter(zeros([1]))];
  const cases: [work: () => unknown, message: string][] = [
    [() => new SGD([], { learningRate: 1 }), 'SGD: there is no parameter to optimize'],
    [() => new SGD([...p, ...p], { learningRate: 1 }), 'SGD: a parameter appears more than once'],
    [() => new SGD(p, { learningRate: -1 }), 'SGD: learningRate must be a finite number of at least 0; it is -1'],
    [
      () => new SGD([{ parameters: p, weightDecay: Number.NaN }], { learningRate: 1 }),
      'SGD: weightDecay must be a finite number of at least 0; it is NaN',
    ],
    [
      () => new SGD(p, { learningRate: 1, momentum: -0.1 }),
      'SGD: momentum must be a finite number of at least 0; it is -0.1',
    ],
    [() => new SGD(p, { learningRate: 1, nesterov: true }), 'SGD: nesterov needs momentum and no dampening'],
    [
      () => new SGD(p, { learningRate: 1, momentum: 0.9, dampening: 0.1, nesterov: true }),
      'SGD: nesterov needs momentum and no dampening',
    ],
    [
      () => new Adam(p, { learningRate: 1, betas: [0.9, 1] }),
      'Adam: betas must be two numbers of 0 up to but not 1; they are [0.9, 1]',
    ],
    [
      () => new AdamW(p, { learningRate: 1, epsilon: -1 }),
      'AdamW: epsilon must be a finite number of at least 0; it is -1',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'A2QError', message });
});

for (const { name, skip } of backends) {
  t.test(`a thousand training steps leave memory flat on ${name}`, { skip }, async (t) => {
    const device = setBackend(backendNamed(name));
    const { optimizer, run } = regression((p) => new Adam(p, { learningRate: 0.01 }));
    run(0, 1);
    const { bytes, storages } = memory(device);
    const before = { bytes, storages };
    run(1, 1001);
    const after = memory(device);
    t.same({ bytes: after.bytes, storages: after.storages }, before);
    t.same((await optimizer.state()).steps, [1001, 1001, 1001, 1001]);
  });
}
