import './startReference.js';
import t from 'tap';
import * as a2q from '../lib/index.js';

/** Values of the right type that mean nothing: each is refused where it is given, not where it shows. */

const random = () => new a2q.Random(0);
const linear = () => new a2q.Linear(2, 2, { random: random(), bias: false });

t.test('states', async (t) => {
  for (const entry of [null, {}, { shape: [2, 2] }, { shape: [2, 2], data: [1, 2, 3, 4] }]) {
    t.throws(() => linear().loadStateDict(new Map([['weight', entry]]) as never), {
      name: 'DataError',
      message: /^loadStateDict: weight must have a shape and, in a typed array, data; got/,
    });
  }
  const optimizer = new a2q.SGD(linear().parameters(), { learningRate: 0.5 });
  const state = await optimizer.state();
  for (const wrong of [
    { learningRates: [Number.NaN] },
    { learningRates: [-1] },
    { steps: [-1] },
    { steps: [0.5] },
    { tensors: new Map([['0.velocity', null]]) },
  ]) {
    t.throws(() => optimizer.loadState({ ...state, ...wrong } as never), { message: /^loadState: .* must / });
  }
  t.same(await optimizer.state(), state);
  t.throws(() => new a2q.Random([0, 0, 0, 0]), { name: 'A2QError', message: /a state of zeros/ });
});

t.test('settings', async (t) => {
  const parameters = linear().parameters();
  t.throws(() => new a2q.Adam(parameters, { learningRate: 1, betas: 0.9 } as never), {
    message: 'Adam: betas must be an array; got the number 0.9',
  });
  const optimizer = new a2q.SGD(parameters, { learningRate: 0.5 });
  for (const rate of [Number.NaN, -1, undefined, Number.POSITIVE_INFINITY]) {
    t.throws(() => a2q.applySchedule(optimizer, () => rate as number, 3), {
      message: /the learning rate at time 3 must/,
    });
  }
  t.equal(optimizer.groups[0].learningRate, 0.5);
  for (const weight of [
    [1, -1],
    [Number.NaN, 1],
  ]) {
    t.throws(() => a2q.crossEntropy(a2q.zeros([1, 2]), [0], { weight }), {
      message: /weight must hold finite numbers/,
    });
  }
  t.throws(() => a2q.kaimingNormal([2, 2], random(), { nonlinearity: 'foo' as never }), {
    message: /^gainOf: nonlinearity must be 'linear' or .*; got 'foo'/,
  });
  t.throws(() => a2q.kaimingUniform([2, 2], random(), { mode: 'fan' as never }), {
    message: /mode must be 'fanIn' or/,
  });
  t.throws(() => a2q.conv2d(a2q.zeros([1, 1, 4, 4]), a2q.zeros([1, 1, 0, 0])), { name: 'ShapeError' });
  t.throws(() => a2q.conv1d(a2q.zeros([1, 1, 4]), a2q.zeros([1, 1, 0])), { name: 'ShapeError' });
  t.throws(() => a2q.memory(undefined as never), { name: 'ArgumentError', message: /^memory: wants a device/ });
  t.throws(() => a2q.resetPeak({} as never), { name: 'ArgumentError' });
  t.throws(() => a2q.a2qPlus(undefined as never), { name: 'ArgumentError' });
  const layer = new a2q.QuantLinear(2, 2, {
    random: random(),
    weight: a2q.a2q({ bits: 4, accumulatorBits: 12 }),
    input: () => new a2q.ActivationQuantizer({ bits: 4, signed: true }),
  });
  t.throws(() => layer.freeze(undefined as never, undefined as never), { name: 'ArgumentError' });
});

t.test('a module that is still promised is not overlooked', async (t) => {
  class Late extends a2q.Module {
    readonly body = Promise.resolve(linear());
    override forward(x: a2q.Tensor): a2q.Tensor {
      return x;
    }
  }
  t.throws(() => new Late().parameters(), { name: 'A2QError', message: /^Module: body holds a Promise/ });
  t.throws(() => a2q.add(Promise.resolve(1) as never, 1), { message: /a Promise: did you forget await\?/ });
});

t.test('an engine that may not compile is told apart from one that cannot', async (t) => {
  const { Module, compile } = WebAssembly;
  const refuse = function refuse() {
    throw new WebAssembly.CompileError('blocked by CSP');
  };
  t.teardown(() => Object.assign(WebAssembly, { Module, compile }));
  Object.assign(WebAssembly, { Module: refuse, compile: async () => refuse() });
  const refused = { name: 'BackendError', message: /cannot be compiled here \(.*blocked by CSP\); .*wasm-unsafe-eval/ };
  t.throws(() => a2q.createWasmBackend(), refused);
  await t.rejects(a2q.loadWasmBackend(), refused);
});
