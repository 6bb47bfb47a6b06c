import t from 'tap';
import { conv2d } from '../../lib/autograd/convolution.js';
import { defineFunction } from '../../lib/autograd/define.js';
import { add, mul, relu, square, sum } from '../../lib/autograd/ops.js';
import { maxPool2d } from '../../lib/autograd/pooling.js';
import { powerScale } from '../../lib/autograd/quantize.js';
import { upsampleNearest } from '../../lib/autograd/resample.js';
import { row } from '../../lib/autograd/row.js';
import { table } from '../../lib/autograd/table.js';
import { apply, backward } from '../../lib/autograd/tape.js';
import type { Backend } from '../../lib/kernels/backend.js';
import type { FastPaths } from '../../lib/kernels/fast.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import { setBackend } from '../../lib/kernels/registry.js';
import { type Call, explain } from '../../lib/kernels/trace.js';
import * as value from '../../lib/kernels/value.js';
import { createWasmBackend } from '../../lib/kernels/wasm/index.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { SGD } from '../../lib/nn/optim/sgd.js';
import { Parameter } from '../../lib/nn/parameter.js';
import { full, ones, tensor } from '../../lib/tensor/create.js';
import { ShapeError } from '../../lib/tensor/errors.js';
import { Storage } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { contiguousView } from '../../lib/tensor/view.js';
import { arraysEqual } from '../helpers.js';

/** Rows as they ran, one line each: `conv2d value fast`. */
const lines = (calls: readonly Call[]) => calls.map(({ row, part, path }) => `${row} ${part} ${path}`);

/** A reference backend with fast paths. */
function withFast(fast: FastPaths): Backend {
  return Object.assign(createReferenceBackend(), { fast });
}

const PLAIN = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } as const;

t.test('explain tells every row, its part and its path', async (t) => {
  for (const [backend, path] of [
    [createWasmBackend({ relaxedSimd: false }), 'fast'],
    [createReferenceBackend(), 'composition'],
  ] as const) {
    setBackend(backend);
    const [x, w] = [ones([1, 2, 3, 3]).withGrad(), full([4, 2, 2, 2], 0.5).withGrad()];
    const { result, calls } = explain(() => {
      const y = conv2d(x, w);
      backward(sum(y));
      return y;
    });
    t.same(lines(calls), [
      `conv2d value ${path}`,
      'sum value composition',
      'reshape value composition',
      'reshape gradient composition',
      'sum gradient composition',
      `conv2d gradient ${path}`,
      `conv2d gradient ${path}`,
    ]);
    t.same(await result.data(), new Float32Array(16).fill(4), 'the result is that of the work');
    t.same(calls[0].shapes, [
      [1, 2, 3, 3],
      [4, 2, 2, 2],
    ]);
    t.same(calls[5].shapes, [[1, 4, 2, 2]], 'a gradient tells the shape of what it came from');
    for (const call of calls) {
      t.equal(call.backend, backend.name);
      t.ok(call.threads >= 1, `${call.row}: ${call.threads} threads`);
      t.ok(call.milliseconds >= 0, `${call.row}: ${call.milliseconds} ms`);
    }
  }
});

t.test('steps in place are told too', async (t) => {
  for (const [backend, path] of [
    [createWasmBackend({ relaxedSimd: false }), 'fast'],
    [createReferenceBackend(), 'composition'],
  ] as const) {
    setBackend(backend);
    const norm = new BatchNorm2d(2);
    const parameter = new Parameter(ones([3]));
    parameter.grad = ones([3]);
    const optimizer = new SGD([parameter], { learningRate: 0.5 });
    t.same(
      lines(
        explain(() =>
          norm.forward(
            tensor([
              [1, 2],
              [3, 4],
            ]),
          ),
        ).calls,
      ),
      [`batchNorm value ${path}`, `blend step ${path}`, `blend step ${path}`],
    );
    t.same(lines(explain(() => optimizer.step()).calls), [`sgd step ${path}`]);
    arraysEqual(t, await parameter.data(), [0.5, 0.5, 0.5], 'and taken');
  }
});

t.test('what a composition calls in turn stands inside of it', async (t) => {
  setBackend(withFast({ fakeQuantize: { value: ([x]) => value.mul(x, 2) } }));
  const { batchNormQuantize } = table;
  const operands = [tensor([[1], [3]]), tensor([1]), tensor([0]), tensor([0.5])];
  const grid = { low: -8, high: 7 };
  const { result, calls } = explain(() => apply(batchNormQuantize, operands, { epsilon: 0, grid }));
  t.same(lines(calls), ['batchNormQuantize value composition']);
  t.same(lines(calls[0].calls), ['fakeQuantize value fast'], 'here a row with a fast path');
  t.same(lines(calls[0].calls[0].calls), []);
  arraysEqual(t, await result.data(), [-2, 2], 'which ran');
});

t.test('the threads of a composition are the most of any call in it', (t) => {
  let threads = 1;
  const fakeQuantize: FastPaths['fakeQuantize'] = {
    value([x]) {
      threads = 2;
      return value.mul(x, 2);
    },
  };
  const ran = () => {
    const told = { algorithm: null, threads };
    threads = 1;
    return told;
  };
  setBackend(Object.assign(withFast({ fakeQuantize }), { ran }));
  const operands = [tensor([[1], [3]]), tensor([1]), tensor([0]), tensor([0.5])];
  const { calls } = explain(() => apply(table.batchNormQuantize, operands, { epsilon: 0, grid: { low: -8, high: 7 } }));
  t.equal(calls[0].calls[0].threads, 2);
  t.equal(calls[0].threads, 2);
  t.end();
});

t.test('nothing is recorded outside; explain nests', (t) => {
  setBackend(createReferenceBackend());
  const x = tensor([1, -2]);
  relu(x);
  const outer = explain(() => {
    relu(x);
    const inner = explain(() => square(x));
    t.same(lines(inner.calls), ['square value composition']);
    return add(x, x);
  });
  relu(x);
  t.same(lines(outer.calls), ['relu value composition', 'add value composition'], 'what an inner one told is its own');
  t.end();
});

t.test('explain takes no asynchronous work: what it calls later would go untold', (t) => {
  t.throws(() => explain(async () => relu(tensor([1]))), {
    name: 'TapeError',
    message: 'explain: the callback must not be async',
  });
  t.end();
});

t.test('an error inside leaves nothing behind', (t) => {
  setBackend(createReferenceBackend());
  const x = tensor([1, -2]);
  const broken = row({
    name: 'broken',
    shape: 'broadcast',
    value: () => {
      throw new RangeError('on purpose');
    },
  });
  const outer = explain(() => {
    t.throws(() => explain(() => add(x, tensor([1, 2, 3]))), ShapeError, 'before a row');
    t.throws(() => explain(() => apply(broken, [x], {})), RangeError, 'in a row');
    t.throws(() => apply(broken, [x], {}), RangeError);
    return relu(x);
  });
  t.same(lines(outer.calls), ['relu value composition'], 'the outer record goes on, without what did not finish');
  t.same(lines(explain(() => square(x)).calls), ['square value composition']);
  t.end();
});

t.test('what a backend has is taken, what it lacks is composed', async (t) => {
  const backend = withFast({ upsampleNearest: { value: () => answer } });
  const answer = contiguousView(Storage.alloc(backend, 4, 'float32', Float32Array.of(42, 42, 42, 42)), [1, 1, 2, 2]);
  setBackend(backend);
  arraysEqual(t, await upsampleNearest(tensor([7], [1, 1, 1, 1]), 2).data(), [42, 42, 42, 42], 'its own');
  const y = conv2d(full([1, 1, 2, 2], 3), ones([1, 1, 2, 2]));
  arraysEqual(t, await y.data(), [12], 'composed');
  t.equal(y.device, backend);
});

t.test('a fast path declines by null: the composition runs, and is told', async (t) => {
  const asked: string[] = [];
  const decline = (what: string) => () => {
    asked.push(what);
    return null;
  };
  const backend = withFast({
    conv2d: { value: decline('conv2d'), vjp: [decline('to x'), decline('to w')] },
    powerScale: { value: decline('powerScale'), vjp: [decline('to d')] },
    fakeQuantize: { value: decline('fakeQuantize'), vjp: decline('jointly') },
    sgd: decline('sgd'),
    blend: decline('blend'),
  });
  setBackend(backend);
  const [x, w] = [ones([1, 1, 2, 2]).withGrad(), full([1, 1, 2, 2], 3).withGrad()];
  const { calls } = explain(() => backward(conv2d(x, w)));
  t.same(lines(calls), ['conv2d value composition', 'conv2d gradient composition', 'conv2d gradient composition']);
  t.same(asked.splice(0), ['conv2d', 'to x', 'to w']);
  arraysEqual(t, (await x.grad?.data()) ?? [], [3, 3, 3, 3], 'gradient to x');
  arraysEqual(t, (await w.grad?.data()) ?? [], [1, 1, 1, 1], 'gradient to w');

  const d = tensor([3]).withGrad();
  const scale = explain(() => powerScale(d, 4));
  t.same([lines(scale.calls), [...(await scale.result.data())]], [['powerScale value composition'], [2]]);
  t.same(lines(explain(() => backward(scale.result)).calls), ['powerScale gradient composition']);
  t.same(asked.splice(0), ['powerScale', 'to d']);

  const norm = new BatchNorm2d(1);
  t.same(lines(explain(() => norm.forward(tensor([[1], [3]]))).calls).slice(1), [
    'blend step composition',
    'blend step composition',
  ]);
  arraysEqual(t, await norm.runningMean.data(), [Math.fround(0.9 * 0 + Math.fround(0.1) * 2)], 'running mean');
  const parameter = new Parameter(ones([2]));
  parameter.grad = ones([2]);
  t.same(lines(explain(() => new SGD([parameter], { learningRate: 0.25 }).step()).calls), ['sgd step composition']);
  arraysEqual(t, await parameter.data(), [0.75, 0.75], 'parameter');
  t.same(asked, ['blend', 'blend', 'sgd']);
});

t.test('one rule may decline while another runs', async (t) => {
  const backend = withFast({ conv2d: { vjp: [() => null, (g, s) => value.mul(s.input(0), value.mul(g, 100))] } });
  setBackend(backend);
  const [x, w] = [ones([1, 1, 1, 1]).withGrad(), full([1, 1, 1, 1], 3).withGrad()];
  const { calls } = explain(() => backward(conv2d(x, w)));
  t.same(lines(calls), ['conv2d value composition', 'conv2d gradient composition', 'conv2d gradient fast']);
  arraysEqual(t, [...((await x.grad?.data()) ?? []), ...((await w.grad?.data()) ?? [])], [3, 100], 'gradients');
});

t.test('a backend tells what its kernels ran on', (t) => {
  const told = [
    { algorithm: 'before', threads: 9 },
    { algorithm: 'direct', threads: 3 },
    { algorithm: null, threads: 1 },
    { algorithm: 'tiles', threads: 2 },
  ];
  const backend = Object.assign(createReferenceBackend(), {
    ran: () => told.shift() ?? { algorithm: 'late', threads: 0 },
  });
  setBackend(backend);
  const x = ones([1, 1, 2, 2]);
  const { calls } = explain(() => [relu(x), maxPool2d(x, { kernel: 2 })]);
  t.match(
    calls,
    [
      { row: 'relu', algorithm: 'direct', threads: 3 },
      { row: 'maxPool2d', algorithm: 'tiles', threads: 2 },
    ],
    'of each call what it told since the call began',
  );
  t.end();
});

t.test('a row of one’s own never takes a backend’s fast path, whatever its name', async (t) => {
  for (const backend of [createWasmBackend({ relaxedSimd: false }), withFast({ conv2d: { value: ([x]) => x } })]) {
    setBackend(backend);
    const [x, w] = [full([1, 1, 1, 1], 2).withGrad(), full([1, 1, 1, 1], 3).withGrad()];
    const mine = row<typeof PLAIN>({
      name: 'conv2d',
      shape: 'broadcast',
      value: ([a, b]) => value.add(a, b),
      vjp: [(g) => value.mul(g, 5), (g) => value.mul(g, 7)],
    });
    const defined = defineFunction({
      name: 'conv2d',
      forward: (a: Tensor, b: Tensor) => add(a, b),
      vjp: (g) => [mul(g, 5), mul(g, 7)],
    });
    for (const run of [() => apply(mine, [x, w], PLAIN), () => defined(x, w)]) {
      const { result, calls } = explain(run);
      t.same(lines(calls), ['conv2d value composition']);
      arraysEqual(t, await result.data(), [5], 'its own value');
      const paths = explain(() => backward(result)).calls.map(({ row, path }) => `${row} ${path}`);
      t.ok(paths.length > 0 && paths.every((path) => path === 'conv2d composition'), paths.join());
      arraysEqual(t, [await x.grad?.item(), await w.grad?.item()].map(Number), [5, 7], 'its own gradients');
      for (const leaf of [x, w]) leaf.grad = null;
    }
  }
});
