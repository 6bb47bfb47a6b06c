import '../startReference.js';
import t, { type Test } from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import {
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  GlobalAvgPool2d,
  Identity,
  Linear,
  linear,
  MaxPool2d,
  type Module,
  type Parameter,
  PixelShuffle,
  ReLU,
  ResizeConv2d,
  Sequential,
  UpsampleNearest,
} from '../../lib/nn/index.js';
import { tensor, zeros } from '../../lib/tensor/create.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { type GoldenArray, readGolden } from '../goldenFile.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { backends, float64, fromGolden, functional, gradients, randomTensor, useReference } from './support.js';

type Pair = number | [number, number];

interface GoldenOperation {
  readonly name: string;
  readonly params?: Readonly<Record<string, Pair>>;
  readonly inputs: Readonly<Record<string, GoldenArray>>;
  readonly y: GoldenArray;
  readonly grad_out: GoldenArray;
  readonly grads: Readonly<Record<string, GoldenArray>>;
}

const golden = readGolden<{ conv2d: GoldenOperation[]; misc: GoldenOperation[] }>('ops');
const random = new Random(0);

/** Puts the golden weight and bias into a layer. */
function filled<Layer extends Module & { weight: Parameter; bias: Parameter | null }>(
  layer: Layer,
  weight: GoldenArray,
  bias: GoldenArray | undefined,
): Layer {
  layer.weight.assign(fromGolden(weight));
  if (bias) layer.bias?.assign(fromGolden(bias));
  return layer;
}

/** The layer a golden case speaks of, holding its weights. */
function layerOf({ name, params: p = {}, inputs }: GoldenOperation): Module | null {
  const pool = { stride: p['stride'], padding: p['padding'] };
  if (name.startsWith('linear')) {
    const [out, features] = inputs['weight'].shape;
    return filled(new Linear(features, out, { random }), inputs['weight'], inputs['bias']);
  }
  if (name.startsWith('conv2d')) {
    const { w, b, x } = inputs;
    const [kh, kw] = w.shape.slice(2);
    const groups = p['groups'] as number;
    const geometry = { stride: p['stride'], padding: p['padding'], dilation: p['dilation'], groups };
    const bias = b !== undefined;
    return filled(new Conv2d(x.shape[1], w.shape[0], [kh, kw], { ...geometry, bias, random }), w, b);
  }
  if (name.startsWith('max_pool2d')) return new MaxPool2d(p['kernel'], pool);
  if (name.startsWith('avg_pool2d')) return new AvgPool2d(p['kernel'], pool);
  if (name.startsWith('global_avg_pool')) return new GlobalAvgPool2d();
  if (name.startsWith('pixel_shuffle')) return new PixelShuffle(p['factor'] as number);
  if (name.startsWith('upsample_nearest')) return new UpsampleNearest(p['factor'] as number);
  return null;
}

for (const { name, skip } of backends) {
  t.test(`golden layers on ${name}`, { skip: skip || golden.skip }, async (t) => {
    setBackend(backendNamed(name));
    let layers = 0;
    for (const entry of [...(golden.content?.conv2d ?? []), ...(golden.content?.misc ?? [])]) {
      const layer = layerOf(entry);
      if (layer === null) continue;
      layers++;
      const { x, input } = entry.inputs;
      const leaf = fromGolden(x ?? input).withGrad();
      const y = layer.forward(leaf);
      t.same(y.shape, entry.y.shape, `${entry.name}: shape`);
      closeTo(t, await y.data(), entry.y.data, 1e-5, `${entry.name}: y`);
      const got = await gradients(y, fromGolden(entry.grad_out), [leaf, ...layer.parameters()]);
      const { grads: want } = entry;
      const names = [want['x'] ?? want['input'], want['w'] ?? want['weight'], want['b'] ?? want['bias']];
      for (const [i, grad] of names.filter((array) => array !== undefined).entries()) {
        closeTo(t, got[i], grad.data, 1e-5, `${entry.name}: gradient ${i}`);
      }
    }
    t.ok(layers >= 19, `${layers} cases`);
  });
}

async function checked(t: Test, module: Module, x: Tensor): Promise<void> {
  const { fn, parameters } = functional(module);
  const { error } = await checkGrads(fn, [x, ...parameters]);
  t.ok(error <= 1e-7, `${module.constructor.name} with ${parameters.length} parameters: ${error.toExponential(1)}`);
}

t.test('gradients of layers in float64', async (t) => {
  useReference();
  const make = { random: new Random(3), ...float64 };
  await checked(t, new Linear(4, 3, make), randomTensor([5, 4], 1, 'float64'));
  await checked(t, new Linear(4, 3, { ...make, bias: false }), randomTensor([2, 3, 4], 1, 'float64'));
  const image = randomTensor([2, 4, 5, 6], 2, 'float64');
  await checked(t, new Conv2d(4, 6, [3, 2], { ...make, groups: 2, stride: [2, 1], padding: 1 }), image);
  await checked(t, new Conv2d(4, 4, 3, { ...make, groups: 4, dilation: 2, padding: 2, bias: false }), image);
  await checked(t, new ResizeConv2d(4, 3, 3, 2, make), image);
  await checked(t, new ResizeConv2d(4, 2, 5, 3, { ...make, bias: false }), image);
  await checked(t, new BatchNorm2d(4, float64), image);
  await checked(t, new BatchNorm2d(4, float64).eval(), image);
  await checked(t, new MaxPool2d(2, { stride: 1 }), image);
  const net = new Sequential(
    new Conv2d(1, 3, 3, { ...make, padding: 1 }),
    new BatchNorm2d(3, float64),
    new ReLU(),
    new UpsampleNearest(2),
    new AvgPool2d(2),
    new Flatten(),
    new Linear(48, 2, make),
  );
  await checked(t, net, randomTensor([2, 1, 4, 4], 7, 'float64'));
});

t.test('linear works on the last of any number of axes', async (t) => {
  useReference();
  const weight = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const bias = tensor([10, 20, 30]);
  arraysEqual(t, await linear(tensor([1, -1]), weight, bias).data(), [9, 19, 29], 'a vector');
  const y = linear(tensor([[[1, 0]], [[0, 1]]]), weight);
  t.same(y.shape, [2, 1, 3]);
  arraysEqual(t, await y.data(), [1, 3, 5, 2, 4, 6], 'three axes');
  t.same(linear(zeros([0, 2]), weight, bias).shape, [0, 3], 'no rows');
});

t.test('a resize convolution is a convolution behind an up-sampling, with its names, draws and numbers', async (t) => {
  useReference();
  for (const bias of [true, false]) {
    const layer = new ResizeConv2d(3, 2, 3, 4, { random: new Random(5), bias, ...float64 });
    const conv = new Conv2d(3, 2, 3, { padding: 1, random: new Random(5), bias, ...float64 });
    const x = randomTensor([2, 3, 4, 5], 1, 'float64');
    const y = layer.forward(x);
    t.same(y.shape, [2, 2, 16, 20]);
    const want = conv.forward(new UpsampleNearest(4).forward(x));
    closeTo(t, await y.data(), await want.data(), 1e-13, 'numbers');
    t.same(await layer.stateDict(), await conv.stateDict(), 'state');
  }
});

t.test('layers without weights', async (t) => {
  useReference();
  const x = tensor([[[[-1, 2]], [[3, -4]]]]);
  arraysEqual(t, await new ReLU().forward(x).data(), [0, 2, 3, 0], 'ReLU');
  t.equal(new Identity().forward(x), x, 'Identity');
  t.same(new Flatten().forward(x).shape, [1, 4]);
  t.same(new Flatten().forward(zeros([3])).shape, [3, 1], 'a feature is made where there is none');
  t.same(new Flatten().forward(zeros([0, 2, 3])).shape, [0, 6]);
  t.same(new MaxPool2d([1, 2]).forward(x).shape, [1, 2, 1, 1], 'the stride is the kernel by default');
});

t.test('settings that do not fit are refused when the layer is made or used', async (t) => {
  useReference();
  const options = { random };
  const cases: [work: () => unknown, message: string][] = [
    [() => new Linear(0, 3, options), 'Linear: every extent of the weight must be a positive integer; got [3, 0]'],
    [() => new Linear(2.5, 3, options), 'Linear: every extent of the weight must be a positive integer; got [3, 2.5]'],
    [() => new Conv2d(3, 4, 3, { ...options, groups: 2 }), 'Conv2d: 3 → 4 channels are not divisible by groups = 2'],
    [() => new Conv2d(3, 4, 3, { ...options, groups: 0 }), 'Conv2d: groups must be a positive integer; it is 0'],
    [() => new Conv2d(3, 4, 0, options), 'Conv2d: kernel must be integers of at least 1; got [0, 0]'],
    [
      () => new Conv2d(3, 4, 3, { ...options, padding: -1 }),
      'Conv2d: padding must be integers of at least 0; got [-1, -1]',
    ],
    [() => new ResizeConv2d(3, 4, 2, 2, options), 'ResizeConv2d: the kernel must be odd; it is 2'],
    [() => new ResizeConv2d(3, 4, 3, 0, options), 'ResizeConv2d: factor must be a positive integer; it is 0'],
    [() => new ResizeConv2d(3, 4, 3, 1.5, options), 'ResizeConv2d: factor must be a positive integer; it is 1.5'],
    [() => new MaxPool2d([2, 0]), 'MaxPool2d: kernel must be integers of at least 1; got [2, 0]'],
    [
      () => new Linear(3, 2, options).forward(zeros([5, 4])),
      'linear: weight takes 3 features, x has 4; got [5, 4] and [2, 3]',
    ],
    [
      () => new Linear(3, 2, options).forward(zeros([])),
      'linear: weight takes 3 features, x is a scalar; got [] and [2, 3]',
    ],
    [
      () => linear(zeros([1, 3]), zeros([2, 3]), zeros([3])),
      'linear: bias must hold one number an output; got [3] and [2, 3]',
    ],
    [() => new Flatten().forward(zeros([])), 'Flatten: x must have a batch axis; got []'],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
});
