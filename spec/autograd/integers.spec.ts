import { readFileSync } from 'node:fs';
import '../startReference.js';
import t from 'tap';
import * as a2q from '../../lib/index.js';
import type { DType } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual } from '../helpers.js';
import { WIDE } from '../oracle.js';

type Library = typeof a2q;

/** Whether a tensor (or a list of them) is what a function takes first. */
type TakesTensor<First> = unknown extends First
  ? false
  : [First] extends [Tensor<DType> | number | readonly Tensor<DType>[]]
    ? Tensor extends First
      ? true
      : readonly Tensor[] extends First
        ? true
        : false
    : false;

/** Every public function of tensors: one that is new belongs into the table below, or this does not compile. */
type TensorFunction = {
  [Name in keyof Library]: Library[Name] extends (...given: infer Given) => unknown
    ? TakesTensor<Given[0]> extends true
      ? Name
      : never
    : never;
}[keyof Library];

/**
 * What becomes of int32: the numbers that come out, or the name the refusal begins with; null for that of the
 * function.
 */
type Outcome = { readonly moves: readonly number[] } | { readonly refusedBy: string | null };

type Case = readonly [outcome: Outcome, run: () => unknown];

/** The ends of the range, and a number that float32 does not hold. */
const [LOW, HIGH, ODD] = [-(2 ** 31), 2 ** 31 - 1, 2 ** 24 + 1];

/** What the cases are run with. */
let dtype: a2q.DType = 'int32';

const whole = (shape: readonly number[], ...data: readonly number[]) => {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const numbers = Float64Array.from({ length: size }, (_, i) => data[i % data.length]);
  return a2q.tensor(numbers, shape, { dtype });
};
const matrix = () => whole([2, 3], LOW, HIGH, ODD, -ODD, 0, 7);
const images = () => whole([1, 4, 2, 2], ODD, 2, -3);
const vector = () => whole([4], 1);
const scalar = () => whole([], 1);

/** A function that refuses, and the operation that does: itself, or one that it is composed of. */
const refuses = (run: () => unknown, refusedBy: string | null = null): Case => [{ refusedBy }, run];
const moves = (run: () => unknown, ...numbers: readonly number[]): Case => [{ moves: numbers }, run];
const unary = (op: (x: Tensor) => Tensor): Case => refuses(() => op(matrix()));
const binary = (op: (x: Tensor, y: Tensor) => Tensor): Case => refuses(() => op(matrix(), matrix()));

const numbersIn = (printed: string) =>
  Int32Array.from(printed.slice(0, printed.indexOf('int32')).match(/-?\d+/g) ?? [], Number);

const bound = { limit: 7, budget: 4, centred: false, accumulator: WIDE };

const FUNCTIONS: Readonly<Record<TensorFunction, Case>> = {
  reshape: moves(() => a2q.reshape(matrix(), [3, -1]), LOW, HIGH, ODD, -ODD, 0, 7),
  permute: moves(() => a2q.permute(matrix(), [1, 0]), LOW, -ODD, HIGH, 0, ODD, 7),
  transpose: moves(() => a2q.transpose(matrix()), LOW, -ODD, HIGH, 0, ODD, 7),
  expand: moves(() => a2q.expand(whole([2, 1], ODD, LOW), [2, 2]), ODD, ODD, LOW, LOW),
  slice: moves(() => a2q.slice(matrix(), 1, 1), HIGH, ODD, 0, 7),
  concat: moves(() => a2q.concat([matrix(), whole([2, 1], 3, ODD)], 1), LOW, HIGH, ODD, 3, -ODD, 0, 7, ODD),
  stack: moves(() => a2q.stack([whole([2], LOW, ODD), whole([2], HIGH, 0)], 1), LOW, HIGH, ODD, 0),
  pad: moves(
    () =>
      a2q.pad(
        whole([1, 2], LOW, ODD),
        [
          [0, 1],
          [1, 0],
        ],
        HIGH,
      ),
    HIGH,
    LOW,
    ODD,
    HIGH,
    HIGH,
    HIGH,
  ),
  split: moves(() => a2q.split(matrix(), [2, 1], 1)[0], LOW, HIGH, -ODD, 0),
  pixelShuffle: moves(() => a2q.pixelShuffle(whole([1, 4, 1, 1], ODD, 1, 2, HIGH), 2), ODD, 1, 2, HIGH),
  chain: moves(() => a2q.chain(matrix(), new a2q.Identity()), LOW, HIGH, ODD, -ODD, 0, 7),
  toNdarray: moves(() => a2q.toNdarray(matrix()), LOW, HIGH, ODD, -ODD, 0, 7),
  format: moves(async () => ({ data: numbersIn(await a2q.format(matrix())) }), LOW, HIGH, ODD, -ODD, 0, 7),
  cast: moves(() => a2q.cast(matrix(), 'int32'), LOW, HIGH, ODD, -ODD, 0, 7),
  powerOfTwoScale: unary(a2q.powerOfTwoScale),
  powerScale: refuses(() => a2q.powerScale(vector(), 15)),
  neg: unary(a2q.neg),
  abs: unary(a2q.abs),
  exp: unary(a2q.exp),
  exp2: unary(a2q.exp2),
  log: unary(a2q.log),
  log2: unary(a2q.log2),
  sqrt: unary(a2q.sqrt),
  square: unary(a2q.square),
  relu: unary(a2q.relu),
  tanh: unary(a2q.tanh),
  sigmoid: unary(a2q.sigmoid),
  erf: unary(a2q.erf),
  sign: unary(a2q.sign),
  roundHalfEven: unary(a2q.roundHalfEven),
  trunc: unary(a2q.trunc),
  floor: unary(a2q.floor),
  ceil: unary(a2q.ceil),
  add: binary(a2q.add),
  sub: binary(a2q.sub),
  mul: binary(a2q.mul),
  div: binary(a2q.div),
  pow: binary(a2q.pow),
  minimum: binary(a2q.minimum),
  maximum: binary(a2q.maximum),
  equal: binary(a2q.equal),
  less: binary(a2q.less),
  lessEqual: binary(a2q.lessEqual),
  greater: binary(a2q.greater),
  greaterEqual: binary(a2q.greaterEqual),
  where: refuses(() => a2q.where(matrix(), matrix(), 0)),
  clip: refuses(() => a2q.clip(matrix(), 0, 5), 'maximum'),
  sum: unary(a2q.sum),
  max: unary(a2q.max),
  mean: refuses(() => a2q.mean(matrix()), 'sum'),
  kthSmallest: refuses(() => a2q.kthSmallest(matrix(), 2)),
  matmul: refuses(() => a2q.matmul(matrix(), a2q.transpose(matrix()))),
  linear: refuses(() => a2q.linear(matrix(), matrix()), 'matmul'),
  argmax: refuses(() => a2q.argmax(matrix())),
  softmax: refuses(() => a2q.softmax(matrix())),
  silu: refuses(() => a2q.silu(matrix())),
  gelu: refuses(() => a2q.gelu(matrix())),
  dropout: refuses(() => a2q.dropout(matrix(), 0.5, new a2q.Random(0))),
  layerNorm: refuses(() => a2q.layerNorm(matrix(), 3)),
  conv1d: refuses(() => a2q.conv1d(whole([1, 1, 4], 1, 2, 3, 4), whole([1, 1, 2], 1, 1))),
  logSoftmax: refuses(() => a2q.logSoftmax(matrix())),
  crossEntropy: refuses(() => a2q.crossEntropy(matrix(), [0, 2])),
  mse: refuses(() => a2q.mse(matrix(), matrix())),
  conv2d: refuses(() => a2q.conv2d(images(), images())),
  resizeConv2d: refuses(() => a2q.resizeConv2d(images(), whole([2, 4, 3, 3], 1), null, 2), 'matmul'),
  maxPool2d: refuses(() => a2q.maxPool2d(images(), { kernel: 2 })),
  avgPool2d: refuses(() => a2q.avgPool2d(images(), { kernel: 2 })),
  globalAvgPool2d: refuses(() => a2q.globalAvgPool2d(images())),
  upsampleNearest: refuses(() => a2q.upsampleNearest(images(), 2)),
  batchNorm: refuses(() => a2q.batchNorm(images(), vector(), vector())),
  fakeQuantize: refuses(() => a2q.fakeQuantize(matrix(), scalar(), { low: 0, high: 3 })),
  a2qWeights: refuses(() => a2q.a2qWeights(images(), whole([1], 0), whole([1], 1), bound)),
  a2qPenalty: refuses(() => a2q.a2qPenalty(vector(), vector(), 4)),
  residual: refuses(
    () => a2q.residual(matrix(), [], [], Object.assign(new a2q.Identity(), { branch: new a2q.Identity() })),
    'add',
  ),
  // Without a gradient there is nothing to go back through.
  backward: refuses(() => a2q.backward(scalar())),
};

for (const backend of a2q.BACKEND_NAMES) {
  t.test(`int32 is moved exactly or refused by name, by every public function: ${backend}`, async (t) => {
    a2q.setBackend(a2q.backendNamed(backend));
    dtype = 'int32';
    for (const [name, [outcome, run]] of Object.entries(FUNCTIONS)) {
      if ('refusedBy' in outcome) {
        const kind = name === 'backward' ? 'TapeError' : 'DTypeError';
        const op = outcome.refusedBy ?? name;
        t.throws(run, { name: kind, message: new RegExp(`^${op}: `), op }, name);
        continue;
      }
      const result = await run();
      if (result instanceof a2q.Tensor) t.equal(result.dtype, 'int32', name);
      const numbers = result instanceof a2q.Tensor ? await result.data() : (result as { data: Int32Array }).data;
      t.ok(numbers instanceof Int32Array, name);
      arraysEqual(t, numbers, outcome.moves, name);
    }
    const message = "add: takes float32 tensors; got int32: convert with cast(x, 'float32')";
    t.throws(() => a2q.add(matrix(), 1), { name: 'DTypeError', message }, 'a plain number is no way around it');
    t.throws(() => a2q.add(matrix(), a2q.ones([2, 3])), {
      message: 'add: operands differ in dtype (int32 and float32)',
    });
    t.throws(() => matrix().withGrad(), { name: 'DTypeError', message: 'withGrad: int32 tensors have no gradient' });
  });
}

t.test('float64 comes out where it goes in, of every public function, on the backend that holds it', async (t) => {
  a2q.setBackend(a2q.backendNamed('reference'));
  dtype = 'float64';
  for (const [name, [, run]] of Object.entries(FUNCTIONS)) {
    if (name === 'backward' || name === 'cast' || name === 'format' || name === 'toNdarray') continue;
    const given = await run();
    const result = name === 'batchNorm' ? (given as a2q.BatchNormResult).y : given;
    t.equal((result as Tensor).dtype, 'float64', name);
  }
  a2q.setBackend(a2q.backendNamed('wasm'));
  t.throws(matrix, { name: 'DTypeError', message: 'alloc: backend wasm holds float32, int32, not float64' });
});

for (const backend of a2q.BACKEND_NAMES) {
  t.test(`cast leads from integers to floats and back: ${backend}`, async (t) => {
    a2q.setBackend(a2q.backendNamed(backend));
    dtype = 'int32';
    const floats = a2q.cast(a2q.transpose(matrix()), 'float32');
    t.equal(floats.dtype, 'float32');
    arraysEqual(t, await floats.data(), [LOW, -ODD, HIGH, 0, ODD, 7].map(Math.fround), 'rounded to what float32 holds');
    const given = a2q.tensor([1.9, -1.9, -0.5, 2 ** 24]);
    arraysEqual(t, await a2q.cast(given, 'int32').data(), [1, -1, 0, 2 ** 24], 'fractions are cut off');
    t.equal(a2q.cast(given, 'float32'), given, 'nothing to do');
    for (const lost of [Number.NaN, 2 ** 31, Number.NEGATIVE_INFINITY]) {
      t.throws(() => a2q.cast(a2q.tensor([1, lost]), 'int32'), { message: `cast: int32 cannot hold ${lost}` });
    }
    t.throws(() => a2q.cast(given, 'float16' as 'int32'), { name: 'DTypeError' });
    const leaf = a2q.tensor([1.5]).withGrad();
    t.notOk(a2q.cast(leaf, 'int32').requiresGrad, 'integers have no gradient');
  });
}

t.test('the gradient of a cast between floats is cast back', async (t) => {
  a2q.setBackend(a2q.backendNamed('reference'));
  const leaf = a2q.tensor([1.5, 2]).withGrad();
  const wide = a2q.cast(leaf, 'float64');
  t.equal(wide.dtype, 'float64');
  a2q.backward(a2q.sum(a2q.square(wide)));
  t.equal(leaf.grad?.dtype, 'float32');
  arraysEqual(t, (await leaf.grad?.data()) ?? [], [3, 4], 'gradient');
});

t.test('the page says which functions take int32', async (t) => {
  const page = readFileSync(new URL('../../../docs/dtypes.md', import.meta.url), 'utf8');
  const named =
    page
      .match(/^Moved: ([^.]*)\./m)?.[1]
      .replaceAll('`', '')
      .split(/\s+/) ?? [];
  const moved = Object.entries(FUNCTIONS).filter(([, [outcome]]) => 'moves' in outcome);
  t.same(named.sort(), moved.map(([name]) => name).sort());
});

t.test('state, gradients and views of another dtype or backend are refused', async (t) => {
  const [wasm, reference] = [a2q.backendNamed('wasm'), a2q.backendNamed('reference')];
  a2q.setBackend(wasm);
  dtype = 'int32';
  const parameter = new a2q.Parameter(a2q.ones([4]));
  const elsewhere = a2q.ones([4], { device: reference });
  const dtypes = (op: string) => ({ name: 'DTypeError', message: `${op}: takes float32; got int32` });
  const backends = (op: string) => ({
    name: 'BackendError',
    message: new RegExp(`^${op}: takes what is on backend wasm`),
  });
  t.throws(() => parameter.assign(vector()), dtypes('assign'));
  t.throws(() => parameter.assign(elsewhere), backends('assign'));
  t.throws(() => a2q.backward(a2q.square(parameter), vector()), dtypes('backward'));
  t.throws(() => a2q.backward(a2q.square(parameter), elsewhere), backends('backward'));
  const optimizer = new a2q.SGD([parameter], { learningRate: 1 });
  for (const [grad, error] of [
    [vector(), dtypes('SGD')],
    [elsewhere, backends('SGD')],
    [a2q.ones([2, 2]), { name: 'ShapeError', message: /^SGD: a gradient must have the shape of its parameter/ }],
  ] as const) {
    parameter.grad = grad;
    t.throws(() => optimizer.step(), error);
  }
  parameter.grad = null;
  const own = a2q.defineFunction({ name: 'own', forward: (x: Tensor) => x, vjp: () => [vector()] });
  t.throws(() => a2q.backward(a2q.sum(own(parameter))), dtypes('own'));
  const refused = { name: 'DTypeError', message: /takes float32 views; got int32/ };
  t.throws(() => a2q.views.add(vector(), 1), refused);
  t.throws(() => a2q.views.unary('neg', vector()), refused);
  t.throws(() => a2q.views.sum(vector(), [0]), refused);
  t.throws(() => a2q.views.add(a2q.ones([4]), elsewhere), backends('add'));
});
