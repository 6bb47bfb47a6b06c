import t from 'tap';
import { conv2d } from '../../../lib/autograd/convolution.js';
import type { ConvOptions } from '../../../lib/autograd/geometry.js';
import { add, square, sum } from '../../../lib/autograd/ops.js';
import { fakeQuantize } from '../../../lib/autograd/quantize.js';
import { backward } from '../../../lib/autograd/tape.js';
import type { ConvGeometry } from '../../../lib/kernels/geometry.js';
import { setBackend } from '../../../lib/kernels/registry.js';
import { explain } from '../../../lib/kernels/trace.js';
import { loadWasmBackend } from '../../../lib/kernels/wasm/index.js';
import { forwardStrategy, inputGradientStrategy, weightGradientStrategy } from '../../../lib/kernels/wasm/strategy.js';
import { a2qWeights } from '../../../lib/quant/a2qWeights.js';
import { full, uniform } from '../../../lib/tensor/create.js';
import { Random } from '../../../lib/tensor/random.js';
import type { Shape } from '../../../lib/tensor/shape.js';
import { scope } from '../../../lib/tensor/storage.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { WIDE } from '../../oracle.js';

const random = new Random(4);

/** What ran for a convolution of noise and its two gradients. */
function passes(x: Shape, w: Shape, options: ConvOptions): (string | null)[] {
  return scope(() => {
    const [image, weights] = [x, w].map((shape) => uniform(shape, random, -1, 1).withGrad());
    const { calls } = explain(() => backward(sum(conv2d(image, weights, null, options))));
    return calls.filter(({ row }) => row === 'conv2d').map(({ algorithm }) => algorithm);
  });
}

t.test('the algorithm of a convolution and of its gradients to images and weights is told', async (t) => {
  const plain: Shape = [8, 8, 3, 3];
  const depthwise: Shape = [8, 1, 3, 3];
  const same = { padding: 1 };
  const samples: readonly [string, 'off' | 'f2' | 'f4', Shape, Shape, ConvOptions, string][] = [
    ['3 × 3', 'off', [2, 8, 8, 8], plain, same, 'sliding tiles, sliding tiles, channels-last correlation'],
    ['3 × 3', 'f2', [2, 8, 8, 8], plain, same, 'Winograd F(2x2), Winograd F(2x2), channels-last correlation'],
    ['3 × 3', 'f4', [2, 8, 8, 8], plain, same, 'Winograd F(4x4), Winograd F(4x4), Winograd F(4x4)'],
    ['small', 'off', [2, 8, 5, 5], plain, same, 'gathered tiles, gathered tiles, channels-last correlation'],
    ['1 × 1', 'f4', [2, 8, 8, 8], [8, 8, 1, 1], {}, 'pointwise, pointwise, channels-last correlation'],
    [
      'two strides: one phase of the gradient has one tap',
      ...(['f4', [1, 8, 16, 16], plain, { padding: 1, stride: 2 }] as const),
      'sliding tiles, sliding tiles + pointwise, channels-last correlation',
    ],
    [
      'narrow planes',
      ...(['f4', [2, 8, 4, 4], depthwise, { padding: 1, groups: 8 }] as const),
      'depthwise planes, depthwise planes, depthwise planes',
    ],
    [
      'planes halved',
      ...(['f4', [2, 8, 8, 8], depthwise, { padding: 1, groups: 8, stride: 2 }] as const),
      'depthwise planes, depthwise planes, depthwise planes',
    ],
    [
      'rows of whole vectors',
      ...(['f4', [2, 8, 8, 8], depthwise, { padding: 1, groups: 8 }] as const),
      'depthwise, depthwise, depthwise planes',
    ],
    [
      'depthwise 5 × 5',
      ...(['f4', [2, 8, 8, 8], [8, 1, 5, 5], { padding: 2, groups: 8 }] as const),
      'depthwise, depthwise, depthwise',
    ],
  ];
  for (const [name, winograd, x, w, options, want] of samples) {
    const backend = await loadWasmBackend({ winograd });
    setBackend(backend);
    t.equal(passes(x, w, options).join(', '), want, `${name}, ${winograd}`);
    const { calls } = explain(() => scope(() => square(full([3], 2))));
    t.same([calls[0].algorithm, calls[0].threads], [null, 1], 'nothing to choose, nothing told');
    backend.close();
  }
});

/** Activations on a grid of 4 bits and weights on one of magnitude 7, made by the backend's quantizers. */
function quantized(x: Shape, w: Shape): [Tensor, Tensor] {
  const image = fakeQuantize(uniform(x, random, 0, 1), full([], 1 / 16), { low: 0, high: 15 });
  const [d, norm] = [full([w[0]], -5), full([w[0]], 4)];
  const bound = { limit: 7, budget: 1e6, centred: true, accumulator: WIDE };
  return [image, a2qWeights(uniform(w, random, -1, 1), d, norm, bound)];
}

t.test('integers of quantized operands are told, as far as they ran', async (t) => {
  const algorithm = 'Winograd F(4x4) on int16 pairs';
  for (const winograd of ['f4', 'off'] as const) {
    const backend = await loadWasmBackend({ winograd });
    setBackend(backend);
    const ran = (x: Tensor, w: Tensor, options: ConvOptions) =>
      explain(() => conv2d(x, w, null, options)).calls[0].algorithm;
    scope(() => {
      const [x, w] = quantized([2, 8, 8, 8], [8, 8, 3, 3]);
      t.equal(ran(x, w, { padding: 1 }), algorithm, `3 × 3, ${winograd}`);
      t.equal(ran(x, w, { padding: 1, stride: 2 }), 'gathered tiles on int16 pairs');
      t.equal(ran(...quantized([2, 8, 8, 8], [8, 8, 1, 1]), {}), 'pointwise on int16 pairs');
      const inFloats = winograd === 'f4' ? 'Winograd F(4x4)' : 'sliding tiles';
      t.equal(ran(add(x, 0), w, { padding: 1 }), inFloats, 'of unknown origin: in floats');
      const { handle, length } = x.storage;
      backend.upload(handle, new Float32Array(length).fill(0.01));
      t.equal(ran(x, w, { padding: 1 }), inFloats, 'off its grid since: in floats');
    });
    backend.close();
  }
});

t.test('the most threads that shared a job are told', async (t) => {
  for (const threads of [1, 2]) {
    const backend = await loadWasmBackend({ threads });
    setBackend(backend);
    scope(() => {
      const [x, w] = [uniform([4, 16, 32, 32], random, -1, 1), uniform([32, 16, 3, 3], random, -1, 1)];
      const { calls } = explain(() => [conv2d(x, w, null, { padding: 1 }), square(full([2], 1))]);
      const told = calls.map(({ row, threads: count }) => `${row} ${count}`);
      t.same(told, [`conv2d ${threads}`, 'square 1'], 'a short job stays on one');
    });
    backend.close();
  }
});

const PLAIN: ConvGeometry = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };

t.test('the choice by shapes', (t) => {
  const w = [64, 64, 3, 3];
  let step = 0.5;
  const grid = (most: number) => ({ scales: Float32Array.of(step), most });
  const forward = (choice: 'off' | 'f2' | 'f4', x: Shape, of: Shape, grids: [number, number] | null) =>
    forwardStrategy(choice, x, of, [x[0], of[0], x[2], x[3]], PLAIN, grids && [grid(grids[0]), grid(grids[1])]).kind;
  const image = [1, 64, 8, 8];
  t.equal(forward('off', image, w, [15, 7]), 'winogradPairs');
  t.equal(forward('off', image, w, [15, 57]), 'slidingPairs', 'filters beyond int16');
  t.equal(forward('f4', image, w, [15, 57]), 'winograd', 'fewer products in floats');
  step = 1;
  t.equal(forward('f4', image, w, [15, 57]), 'slidingPairs', 'of integers themselves, exactly');
  step = 0.5;
  t.equal(forward('f2', image, w, [15, 57]), 'slidingPairs');
  t.equal(forward('off', image, w, [32767, 32767]), 'sliding', 'sums beyond int32');
  t.equal(forward('f4', [1, 64, 1, 1], w, null), 'sliding', 'tiles that stick out by far');
  t.equal(forward('f4', [1, 7, 8, 8], [64, 7, 3, 3], [15, 7]), 'sliding', 'seven channels');
  t.equal(inputGradientStrategy('f4', image, w, PLAIN).kind, 'winograd');
  t.equal(inputGradientStrategy('f4', image, w, { ...PLAIN, dilation: [2, 2] }).kind, 'sliding');
  const weightGradient = (images: number, channels: number, edge: number) => {
    const shape = [images, channels, edge, edge];
    const strategy = weightGradientStrategy('f4', shape, [channels, channels, 3, 3], shape, PLAIN);
    return strategy.kind === 'winograd' ? strategy.way : strategy.kind;
  };
  t.equal(weightGradient(1, 64, 8), 'frequencies', 'few tiles');
  t.equal(weightGradient(64, 64, 32), 'segments', 'many tiles');
  t.equal(weightGradient(16, 512, 4), 'panels', 'many weights');
  t.equal(weightGradient(128, 512, 32), 'correlation', 'many of both');
  t.end();
});
