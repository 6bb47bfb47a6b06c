import t from 'tap';
import {
  BatchNorm2d,
  Buffer,
  Conv2d,
  Counter,
  crossEntropy,
  Flatten,
  Linear,
  Module,
  Parameter,
  ReLU,
  Sequential,
  type StateDict,
} from '../../lib/nn/index.js';
import { tensor, zeros } from '../../lib/tensor/create.js';
import { TapeError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { memory, scope } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { randomTensor, useReference } from './support.js';

useReference();

/** A network with everything a state dict must find: nesting, arrays, all kinds of state, a reference elsewhere. */
class Net extends Module {
  readonly stem: Sequential;
  readonly stages: readonly Linear[];
  readonly scaleFactor = new Parameter(tensor([1]));
  readonly lastSeen = new Buffer(tensor([0, 0]));
  readonly #elsewhere: Module;

  constructor(seed: number) {
    super();
    const random = new Random(seed);
    this.stem = new Sequential(
      new Conv2d(1, 2, 3, { random, bias: false }),
      new BatchNorm2d(2),
      new ReLU(),
      new Flatten(),
    );
    this.stages = [new Linear(8, 4, { random }), new Linear(4, 3, { random, bias: false })];
    this.#elsewhere = this.stages[0];
  }

  override forward(x: Tensor): Tensor {
    const features = this.#elsewhere.forward(this.stem.forward(x));
    return this.stages[1].forward(features.mul(this.scaleFactor));
  }
}

const NAMES = [
  'scale_factor',
  'last_seen',
  'stem.0.weight',
  'stem.1.num_batches_tracked',
  'stem.1.weight',
  'stem.1.bias',
  'stem.1.running_mean',
  'stem.1.running_var',
  'stages.0.weight',
  'stages.0.bias',
  'stages.1.weight',
];

t.test('names follow PyTorch: snake case, positions in arrays and sequences', async (t) => {
  const net = new Net(1);
  const state = await net.stateDict();
  t.same([...state.keys()].sort(), [...NAMES].sort());
  t.same(state.get('stem.0.weight')?.shape, [2, 1, 3, 3]);
  t.same(state.get('stem.1.num_batches_tracked')?.shape, []);
  const parameters = [...net.namedParameters()].map(([name]) => name);
  t.same(parameters.sort(), NAMES.filter((name) => /weight|bias|scale/.test(name)).sort());
  const buffers = [...net.namedBuffers()].map(([name]) => name);
  t.same(buffers.sort(), ['last_seen', 'stem.1.running_mean', 'stem.1.running_var']);
  const modules = [...net.namedModules()].map(([name]) => name);
  t.same(modules, ['', 'stem', 'stem.0', 'stem.1', 'stem.2', 'stem.3', 'stages.0', 'stages.1']);
  t.equal(net.parameterCount(), 1 + 18 + 2 + 2 + 32 + 4 + 12);
});

t.test('a state dict carries over everything', async (t) => {
  const [source, target] = [new Net(1), new Net(2)];
  const x = randomTensor([5, 1, 4, 4], 3);
  source.forward(x);
  source.eval();
  target.eval();
  const want = await source.forward(x).data();
  t.notSame([...(await target.forward(x).data())], [...want], 'different at first');
  t.same(target.loadStateDict(await source.stateDict()), { missing: [], unexpected: [] });
  arraysEqual(t, await target.forward(x).data(), want, 'the same bits afterwards');
  t.equal((target.stem.modules[1] as BatchNorm2d).numBatchesTracked.value, 1);
});

t.test('a state dict is a copy', async (t) => {
  const layer = new Linear(1, 1, { random: new Random(1), bias: false });
  const state = await layer.stateDict();
  const before = state.get('weight')?.data[0];
  layer.weight.write(Float32Array.of(7));
  t.equal(state.get('weight')?.data[0], before, 'later changes do not show');
  layer.loadStateDict(state);
  state.get('weight')?.data.fill(9);
  arraysEqual(t, await layer.weight.data(), [before ?? Number.NaN], 'nor do changes of what was loaded');
});

t.test('float64 data loads into float32 parameters', async (t) => {
  const layer = new Linear(2, 1, { random: new Random(1), bias: false });
  layer.loadStateDict(new Map([['weight', { shape: [1, 2], data: Float64Array.of(0.1, 2) }]]));
  arraysEqual(t, await layer.weight.data(), [Math.fround(0.1), 2], 'rounded');
});

t.test('missing, unexpected and misshapen entries are all named, and nothing changes', async (t) => {
  const net = new Net(1);
  const state: StateDict = new Map(await new Net(2).stateDict());
  state.delete('stem.0.weight');
  state.delete('stages.0.bias');
  state.set('head.weight', { shape: [1], data: Float32Array.of(1) });
  state.set('stages.1.weight', { shape: [4, 3], data: new Float32Array(12) });
  const before = await net.stateDict();
  t.throws(() => net.loadStateDict(state), {
    name: 'DataError',
    message:
      'loadStateDict: missing stem.0.weight, stages.0.bias; unexpected head.weight; ' +
      'stages.1.weight has shape [4, 3], the model has [3, 4]',
  });
  for (const [name, { data }] of await net.stateDict()) {
    arraysEqual(t, data, before.get(name)?.data ?? [], `${name} is as before`);
  }
  t.throws(() => net.loadStateDict(state, { partial: true }), {
    name: 'DataError',
    message: 'loadStateDict: stages.1.weight has shape [4, 3], the model has [3, 4]',
  });
  const short = await net.stateDict();
  short.set('stages.1.weight', { shape: [3, 4], data: new Float32Array(11) });
  t.throws(() => net.loadStateDict(short), {
    name: 'DataError',
    message: 'loadStateDict: stages.1.weight has shape [3, 4] but 11 numbers',
  });
  t.throws(() => net.loadStateDict(new Map()), /missing .* and 6 more$/, 'long lists are cut');
});

t.test('a partial load returns what did not match', async (t) => {
  const layer = new Linear(1, 2, { random: new Random(1) });
  const result = layer.loadStateDict(
    new Map([
      ['bias', { shape: [2], data: Float32Array.of(3, 4) }],
      ['other', { shape: [], data: Float32Array.of(1) }],
    ]),
    { partial: true },
  );
  t.same(result, { missing: ['weight'], unexpected: ['other'] });
  arraysEqual(t, (await layer.bias?.data()) ?? [], [3, 4], 'what matched was loaded');
});

t.test('train and eval reach every module', async (t) => {
  const net = new Net(1);
  t.ok(net.training, 'training at first');
  t.equal(net.eval(), net);
  t.ok([...net.namedModules()].every(([, module]) => !module.training));
  net.train();
  t.ok([...net.namedModules()].every(([, module]) => module.training));
});

t.test('zeroGrad and dispose free memory', async (t) => {
  const net = new Net(1);
  const { device } = net.scaleFactor;
  const x = randomTensor([4, 1, 4, 4], 3);
  const before = memory(device).bytes;
  scope(() => crossEntropy(net.forward(x), [0, 1, 2, 0]).backward());
  t.equal(memory(device).bytes - before, 4 * net.parameterCount(), 'one gradient a parameter');
  t.ok(net.parameters().every((parameter) => parameter.grad !== null));
  net.zeroGrad();
  t.equal(memory(device).bytes, before);
  t.ok(net.parameters().every((parameter) => parameter.grad === null));
  net.dispose();
  t.equal(before - memory(device).bytes, 4 * (net.parameterCount() + 2 + 4), 'parameters and buffers');
  t.throws(() => net.forward(x), TapeError);
});

t.test('parameters outlive scopes, own their memory and can be assigned', async (t) => {
  const source = tensor([1, 2]);
  const parameter = scope(() => new Parameter(source));
  source.write(Float32Array.of(9, 9));
  arraysEqual(t, await parameter.data(), [1, 2], 'a copy');
  t.ok(parameter.requiresGrad);
  parameter.assign(
    tensor([
      [3, 5],
      [4, 6],
    ])
      .slice(1, 1)
      .reshape([2]),
  );
  arraysEqual(t, await parameter.data(), [5, 6], 'from any view');
  t.throws(() => parameter.assign(zeros([3])), {
    name: 'ShapeError',
    message: 'assign: the new value must have the shape of the old; got [3] and [2]',
  });
  t.equal(new Counter().value, 0);
  t.notOk(new Buffer(source).requiresGrad);
});

t.test('an empty sequence is the identity', async (t) => {
  const x = zeros([1]);
  t.equal(new Sequential().forward(x), x);
});
