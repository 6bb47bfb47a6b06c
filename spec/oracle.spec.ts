import t from 'tap';
import { arraysEqual, closeTo } from './helpers.js';
import * as oracle from './oracle.js';

const { NaN: nan } = Number;
const numbers = oracle.numberArray;

/** 1, 2, 3, … in a shape. */
function counting(shape: number[]): oracle.NumberArray {
  return numbers(
    shape,
    Array.from({ length: oracle.count(shape) }, (_, i) => i + 1),
  );
}

/** Numbers with no pattern, from a linear congruence. */
function scattered(shape: readonly number[], seed: number): oracle.NumberArray {
  let state = seed;
  return oracle.build(shape, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647 - 0.5;
  });
}

function dot(a: oracle.NumberArray, b: oracle.NumberArray): number {
  return a.data.reduce((sum, value, i) => sum + value * b.data[i], 0);
}

t.test('indices and positions', (t) => {
  t.same(oracle.indices([2, 2]), [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  t.same(oracle.indices([]), [[]]);
  t.same(oracle.indices([2, 0]), []);
  t.equal(oracle.position([2, 3], [1, 2]), 5);
  t.equal(oracle.at(counting([2, 3]), 1, 0), 4);
  t.equal(oracle.at(counting([2, 3]), 0, -1), 0, 'outside is 0');
  t.equal(oracle.at(counting([2, 3]), 0, 3), 0);
  t.throws(() => numbers([2], [1]), /1 numbers/);
  t.end();
});

t.test('elementwise', (t) => {
  const round = oracle.unary('roundHalfEven', numbers([8], [0.5, 1.5, -0.5, -1.5, 2.5, 2.4, -2.6, nan]));
  arraysEqual(t, round.data, [0, 2, -0, -2, 2, 2, -3, nan], 'ties to even');
  arraysEqual(t, oracle.unary('trunc', numbers([3], [-1.7, 1.7, 0.2])).data, [-1, 1, 0], 'toward zero');
  closeTo(t, oracle.unary('tanh', numbers([3], [0.5, -40, 1])).data, [0.46211715726, -1, 0.76159415596], 1e-11, 'tanh');
  closeTo(t, oracle.unary('sigmoid', numbers([2], [-1, 2])).data, [0.26894142137, 0.88079707798], 1e-11, 'sigmoid');
  closeTo(t, oracle.unary('log2', numbers([2], [8, 10])).data, [3, 3.32192809489], 1e-11, 'log2');
  arraysEqual(t, oracle.binary('less', numbers([3], [1, 2, nan]), numbers([3], [2, 2, 0])).data, [1, 0, 0], 'less');
  const where = oracle.where(numbers([3], [1, 0, nan]), numbers([3], [1, 2, 3]), numbers([3], [4, 5, 6]));
  arraysEqual(t, where.data, [1, 5, 3], 'where');
  t.end();
});

t.test('reductions and products', (t) => {
  t.same(oracle.reduce('sum', counting([2, 3]), [1]), { shape: [2, 1], data: [6, 15] });
  t.same(oracle.reduce('max', counting([2, 3]), [0]), { shape: [1, 3], data: [4, 5, 6] });
  arraysEqual(t, oracle.reduce('max', numbers([3], [1, nan, 2]), [0]).data, [nan], 'NaN wins');
  t.same(oracle.matmul(counting([1, 2, 2]), counting([1, 2, 2])), { shape: [1, 2, 2], data: [7, 10, 15, 22] });
  t.end();
});

t.test('windows', (t) => {
  const window = { kernel: [2, 2], stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;
  t.same(oracle.im2col(counting([1, 1, 2, 3]), window).data, [1, 2, 2, 3, 4, 5, 5, 6]);
  const ones = oracle.build([1, 1, 4, 2], () => 1);
  t.same(oracle.col2im(ones, [1, 1, 2, 3], window).data, [1, 2, 1, 1, 2, 1]);
  t.equal(oracle.places(7, 3, 2, 1, 1), 4);
  t.equal(oracle.places(7, 3, 1, 0, 3), 1);
  t.equal(oracle.places(2, 3, 1, 0, 1), 0);
  const image = counting([1, 1, 3, 3]);
  const plain = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } as const;
  t.same(oracle.conv2d(image, counting([1, 1, 2, 2]), plain).data, [37, 47, 67, 77], 'cross-correlation: not flipped');
  const grouped = oracle.conv2d(counting([1, 2, 1, 1]), numbers([2, 1, 1, 1], [10, 100]), { ...plain, groups: 2 });
  t.same(grouped.data, [10, 200]);
  const padded = oracle.conv2d(counting([1, 1, 1, 1]), counting([1, 1, 3, 3]), { ...plain, padding: [1, 1] });
  t.same(padded.data, [5]);
  t.end();
});

t.test('gradients of convolution are adjoint to it', (t) => {
  const geometry = { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 } as const;
  const [x, w] = [scattered([2, 4, 7, 6], 1), scattered([6, 2, 3, 2], 2)];
  const y = oracle.conv2d(x, w, geometry);
  const g = scattered(y.shape, 3);
  closeTo(t, [dot(oracle.conv2dInputGrad(g, w, x.shape, geometry), x)], [dot(g, y)], 1e-13, 'to x');
  closeTo(t, [dot(oracle.conv2dWeightGrad(g, x, w.shape, geometry), w)], [dot(g, y)], 1e-13, 'to w');
  t.end();
});

t.test('pooling and up-sampling', (t) => {
  const window = { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1] } as const;
  const x = numbers([1, 1, 2, 4], [1, 3, 5, 5, 3, 2, 5, 5]);
  t.same(oracle.maxPool2d(x, window).data, [3, 5]);
  t.same(oracle.maxPool2dGrad(numbers([1, 1, 1, 2], [10, 20]), x, window).data, [0, 10, 20, 0, 0, 0, 0, 0]);
  const negative = oracle.maxPool2d(numbers([1, 1, 1, 1], [-5]), { ...window, kernel: [3, 3], padding: [1, 1] });
  t.same(negative.data, [-5], 'padding never wins');
  t.same(oracle.upsampleNearest(counting([1, 1, 1, 2]), 2).data, [1, 1, 2, 2, 1, 1, 2, 2]);
  t.same(oracle.upsampleNearestGrad(counting([1, 1, 2, 4]), 2).data, [14, 22]);
  t.end();
});

t.test('channels', (t) => {
  const x = numbers([2, 2], [1, 10, 3, 10]);
  t.same(oracle.channelStats(x).mean.data, [2, 10]);
  t.same(oracle.channelStats(x).variance.data, [1, 0]);
  const [mean, scale, shift] = [numbers([2], [1, 2]), numbers([2], [10, 100]), numbers([2], [0, 5])];
  t.same(oracle.channelAffine(x, mean, scale, shift).data, [0, 805, 20, 805]);
  t.end();
});

t.test('batchNormGrad is the derivative, by central differences', (t) => {
  const x = scattered([3, 2, 2], 5);
  const g = scattered([3, 2, 2], 6);
  const weight = numbers([2], [1.5, -0.7]);
  const normalize = (x: oracle.NumberArray) => {
    const { mean, variance } = oracle.channelStats(x);
    const rstd = numbers(
      [2],
      variance.data.map((v) => 1 / Math.sqrt(v)),
    );
    return { mean, rstd };
  };
  const loss = (x: oracle.NumberArray) => {
    const { mean, rstd } = normalize(x);
    const scale = numbers(
      [2],
      weight.data.map((value, c) => value * rstd.data[c]),
    );
    return dot(g, oracle.channelAffine(x, mean, scale, numbers([2], [0, 0])));
  };
  const slopes = x.data.map((_, i) => {
    const moved = (by: number) =>
      numbers(
        x.shape,
        x.data.map((value, j) => (i === j ? value + by : value)),
      );
    return (loss(moved(1e-5)) - loss(moved(-1e-5))) / 2e-5;
  });
  const { mean, rstd } = normalize(x);
  closeTo(t, oracle.batchNormGrad(g, x, mean, rstd, weight).x.data, slopes, 1e-8, 'to x');
  t.end();
});

t.test('quantization', (t) => {
  const grid = { low: 0, high: 3 };
  const x = numbers([6], [-1, 0.25, 0.75, 1.6, 1.75, 9]);
  const same = (value: number) => value;
  t.same(oracle.fakeQuantize(x, 0.5, grid, same).data, [0, 0, 1, 1.5, 1.5, 1.5]);
  const grads = oracle.fakeQuantizeGrad(numbers([6], [1, 2, 4, 8, 16, 32]), x, 0.5, grid, same);
  t.same(grads.x.data, [0, 2, 4, 8, 0, 0], '1.75/0.5 rounds to 4, which is outside');
  closeTo(t, [grads.scale], [2 * -0.5 + 4 * 0.5 + 8 * -0.2 + (16 + 32) * 3], 1e-14, 'to the scale');
  t.same(oracle.kthSmallest(numbers([5], [3, 1, 2, 1, 2]), 3), { value: 2, index: 2 });
  t.end();
});

t.test('optimizers: first and second step worked out by hand', (t) => {
  const sgd = { learningRate: 0.1, momentum: 0.5, dampening: 0.2, nesterov: false, weightDecay: 0.1 };
  const one = oracle.sgdStep([1], [2], null, sgd);
  closeTo(t, [...one.theta, ...one.buffer], [0.79, 2.1], 1e-15, 'the first velocity is the gradient itself');
  const two = oracle.sgdStep([1], [2], [4], sgd);
  closeTo(t, [...two.theta, ...two.buffer], [1 - 0.368, 3.68], 1e-15, '0.5·4 + 0.8·2.1');
  const ahead = oracle.sgdStep([1], [2], [4], { ...sgd, nesterov: true, dampening: 0, weightDecay: 0 });
  closeTo(t, ahead.theta, [1 - 0.1 * (2 + 0.5 * 4)], 1e-15, 'nesterov');
  const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 0.5, weightDecay: 0.2, decoupled: true };
  const start = oracle.adamStep([1], [2], [0], [0], 1, adam);
  closeTo(t, [...start.theta, ...start.first, ...start.second], [0.98 - 0.2 / 2.5, 0.2, 0.04], 1e-15, 'AdamW');
  const coupled = oracle.adamStep([1], [1.8], [0], [0], 1, { ...adam, decoupled: false });
  closeTo(t, coupled.theta, [1 - 0.2 / 2.5], 1e-15, 'Adam adds the decay to the gradient');
  t.end();
});
