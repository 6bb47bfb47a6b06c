import '../../startReference.js';
import t from 'tap';
import { dropout, gelu, silu, softmax } from '../../../lib/autograd/activations.js';
import { checkGrads } from '../../../lib/autograd/check.js';
import { conv1d } from '../../../lib/autograd/convolution.js';
import { avgPool2d } from '../../../lib/autograd/pooling.js';
import { glyphs } from '../../../lib/data/glyphs.js';
import { a2qPlus, QuantConv2d, uintActivation } from '../../../lib/index.js';
import {
  AvgPool2d,
  Conv1d,
  Conv2d,
  Dropout,
  Flatten,
  GELU,
  LayerNorm,
  Linear,
  type Module,
  Sequential,
  SGD,
  SiLU,
  Softmax,
  UpsampleNearest,
} from '../../../lib/nn/index.js';
import { constantLR } from '../../../lib/nn/schedule.js';
import { Random } from '../../../lib/tensor/random.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { fit } from '../../../lib/train/fit.js';
import { classification } from '../../../lib/train/task.js';
import { arraysEqual } from '../../helpers.js';
import { float64, functional, randomTensor, useReference } from '../support.js';

useReference();
const random = new Random(0);

t.test('modules compute what their functions do', async (t) => {
  const x = randomTensor([2, 3, 4], 1, 'float64');
  const image = randomTensor([1, 2, 5, 5], 2, 'float64');
  const conv = new Conv1d(3, 4, 2, { padding: 'same', random, ...float64 });
  const pool = { stride: 2, padding: 1, ceilMode: true, countIncludePad: false } as const;
  const pairs: [module: Module, input: Tensor, want: Tensor][] = [
    [new GELU(), x, gelu(x)],
    [new GELU('tanh'), x, gelu(x, 'tanh')],
    [new SiLU(), x, silu(x)],
    [new Softmax(1), x, softmax(x, 1)],
    [new Softmax(), x, softmax(x, -1)],
    [new Dropout(0.5, { random: new Random(4) }), x, dropout(x, 0.5, new Random(4))],
    [conv, x, conv1d(x, conv.weight, conv.bias, { padding: 'same' })],
    [new AvgPool2d(3, pool), image, avgPool2d(image, { kernel: 3, ...pool })],
  ];
  for (const [module, input, want] of pairs) {
    arraysEqual(t, await module.forward(input).data(), await want.data(), module.constructor.name);
  }
  t.same(new UpsampleNearest([1, 3]).forward(image).shape, [1, 2, 5, 15]);
});

t.test('names, shapes and gradients of parameters', async (t) => {
  const modules: [module: Module, input: Tensor, names: string[]][] = [
    [new LayerNorm([3, 4], float64), randomTensor([2, 3, 4], 1, 'float64'), ['weight', 'bias']],
    [new LayerNorm(4, { bias: false, ...float64 }), randomTensor([2, 4], 1, 'float64'), ['weight']],
    [new LayerNorm(4, { elementwiseAffine: false }), randomTensor([2, 4], 1, 'float64'), []],
    [new Conv1d(2, 4, 3, { groups: 2, random, ...float64 }), randomTensor([1, 2, 5], 1, 'float64'), ['weight', 'bias']],
    [new Dropout(0.5, { random }), randomTensor([3], 1, 'float64'), []],
  ];
  for (const [module, input, names] of modules) {
    t.same([...(await module.stateDict()).keys()], names, module.constructor.name);
    if (names.length === 0) continue;
    const { fn, parameters } = functional(module);
    t.ok((await checkGrads(fn, [input, ...parameters])).error <= 1e-7, module.constructor.name);
  }
  t.same(new Conv1d(2, 4, 3, { groups: 2, random }).weight.shape, [4, 1, 3]);
});

t.test('dropout does nothing in evaluation', (t) => {
  const net = new Sequential(new Dropout(0.5, { random }));
  const x = randomTensor([10], 1);
  t.equal(net.eval().forward(x), x);
  t.not(net.train().forward(x), x);
  t.end();
});

t.test('training with dropout goes on to the same bits', async (t) => {
  const dataset = glyphs({ split: 'train', length: 24 });
  const [first] = dataset.inputShape;
  const start = () => {
    const draw = new Random(7);
    const features = dataset.inputShape.reduce((a, b) => a * b, 1);
    const layers = [new Flatten(), new Dropout(0.5, { random: draw }), new Linear(features, 10, { random: draw })];
    const model = new Sequential(...layers);
    const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
    return { model, optimizer, schedule: constantLR(), task: classification(), dataset, batchSize: 8, seed: 1 };
  };
  t.ok(first > 0);
  const whole = start();
  await fit({ ...whole, epochs: 2 });
  const half = start();
  const { position } = await fit({ ...half, epochs: 1 });
  const resumed = start();
  resumed.model.loadStateDict(await half.model.stateDict());
  await fit({ ...resumed, epochs: 2, start: position });
  const want = await whole.model.stateDict();
  for (const [name, { data }] of await resumed.model.stateDict()) {
    arraysEqual(t, data, want.get(name)?.data ?? [], name);
  }
});

t.test('settings that are refused', (t) => {
  const quantized = { weight: a2qPlus({ bits: 4, accumulatorBits: 16 }), input: uintActivation({ bits: 4 }), random };
  const cases: [work: () => unknown, message: string][] = [
    [() => new Dropout(2, { random }), 'Dropout: p must be 0 … 1; it is 2'],
    [
      () => new Conv1d(2, 2, [3, 3] as unknown as number, { random }),
      'Conv1d: kernel must be an integer of 1 … 2147483647; got an array of 2',
    ],
    [() => new GELU('erf' as 'none'), 'GELU: approximate must be none or tanh; it is erf'],
    [() => new LayerNorm(0), 'LayerNorm: the normalized shape must be positive integers; it is 0'],
    [() => new LayerNorm(2, { epsilon: -1 }), 'LayerNorm: epsilon must not be negative; it is -1'],
    [
      () => new Conv1d(2, 2, 3, { padding: -1, random }),
      'Conv1d: padding must be integers of at least 0; got [-1, -1]',
    ],
    [
      () => new Conv2d(2, 2, 3, { padding: 'same', stride: 2, random }),
      "Conv2d: padding 'same' needs stride 1; it is [2, 2]",
    ],
    [
      () => new QuantConv2d(2, 2, 2, { ...quantized, padding: 'same' }),
      'QuantConv2d: opposite sides must have the same padding; pad the image itself (pad) where they differ',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { message });
  t.same(new QuantConv2d(2, 2, 3, { ...quantized, padding: 'same' }).geometry.padding, [1, 1]);
  t.same(new Conv2d(2, 2, 2, { padding: 'same', random }).padding, [
    [0, 1],
    [0, 1],
  ]);
  t.end();
});
