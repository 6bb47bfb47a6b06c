import t from 'tap';
import { differentiate, evaluate } from '../../../lib/autograd/row.js';
import { reductionRows } from '../../../lib/autograd/rows/reduction.js';
import type { Backend } from '../../../lib/kernels/backend.js';
import { Content } from '../../../lib/kernels/gpu/content.js';
import { createGpuBackend, type GpuBackend, type GpuMode } from '../../../lib/kernels/gpu/index.js';
import { backendNamed, GPU_BACKEND_NAMES, startBackend } from '../../../lib/kernels/registry.js';
import { explain } from '../../../lib/kernels/trace.js';
import { tensor } from '../../../lib/tensor/create.js';
import { BackendError, TapeError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';
import { dispose, Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View, viewTranspose } from '../../../lib/tensor/view.js';
import { arraysEqual } from '../../helpers.js';
import { WIDE } from '../../oracle.js';
import { kernelsOf } from '../kernels.js';

function place(backend: Backend, shape: readonly number[], data: Float32Array): View {
  return contiguousView(Storage.alloc(backend, data.length, 'float32', data), shape);
}

const numbers = (backend: Backend, { storage }: View) =>
  backend.read(storage.handle, storage.length, storage.dtype) as Promise<Float32Array>;

/** What a gpu backend says of itself. */
const describe = (backend: Backend) => (backend as Backend & GpuBackend).describe();

t.test('modes are demanded, and refused with a reason', async (t) => {
  t.same(GPU_BACKEND_NAMES, ['gpu:webgpu', 'gpu:webgl2', 'gpu:webasm', 'gpu:cpu']);
  t.throws(() => backendNamed('gpu:cpu'), { name: 'BackendError', message: /startBackend\('gpu:cpu'\)/ });
  const [one, two] = await Promise.all([startBackend('gpu:webasm'), startBackend('gpu:webasm')]);
  t.equal(one, two, 'started once');
  t.equal(backendNamed('gpu:webasm'), one, 'and known by its name from then on');
  t.equal(describe(one).mode, 'webasm');
  await t.rejects(startBackend('gpu:abacus'), { name: 'BackendError', message: /there is no 'gpu:abacus'/ });
  await t.rejects(createGpuBackend({ mode: 'abacus' as GpuMode }), { name: 'BackendError', message: /'abacus'/ });
  // Node has no canvas: gpu.js alone would quietly take another mode here.
  await t.rejects(
    startBackend('gpu:webgl2'),
    new BackendError('gpu:webgl2', 'there is no WebGL2 here; browsers have it'),
  );
});

t.test('plain JavaScript runs the same sources', async (t) => {
  const backend = await startBackend('gpu:cpu');
  const x = place(backend, [5], Float32Array.of(-2, -0.5, 0, 0.5, 3));
  arraysEqual(t, await numbers(backend, backend.unary('relu', x)), [0, 0, 0, 0.5, 3], 'relu');
  const sum = backend.reduce('sum', x, [0]);
  arraysEqual(t, await numbers(backend, sum), [1], 'sum');
  // Rows too long for one stage, in the kernel that has most variables of its own: s = 1 and ‖v‖₁ = 300 = T < g,
  // so q = v, and the gradient to d is ln 2·Σ g·q.
  const rows = place(
    backend,
    [1, 300],
    Float32Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? 1 : -1)),
  );
  const [d, norm] = [place(backend, [1], Float32Array.of(0)), place(backend, [1], Float32Array.of(9))];
  const bound = { limit: 7, centred: false, budget: 300, accumulator: WIDE };
  const [, slope] = kernelsOf(backend).a2qWeightsGrad(rows, rows, d, norm, bound);
  arraysEqual(
    t,
    await numbers(backend, slope),
    [Math.fround(300 * Math.fround(Math.LN2))],
    'ln 2·Σ g·q of 300 weights',
  );
});

t.test('indices are exact: awkward divisors, long arrays', async (t) => {
  const backend = await startBackend('gpu:webasm');
  for (const [rows, columns] of [
    [3, 100_003],
    [123, 701],
    [70_001, 7],
  ]) {
    const data = Float32Array.from({ length: rows * columns }, (_, i) => i);
    const x = place(backend, [rows, columns], data);
    const turned = backend.copy(viewTranspose(x, [1, 0]));
    const got = await numbers(backend, turned);
    const want = Float32Array.from(data, (_, i) => (i % rows) * columns + Math.floor(i / rows));
    arraysEqual(t, got, want, `[${rows}, ${columns}] transposed`);
    dispose(x, turned);
  }
});

t.test('a read gives the numbers of its moment', async (t) => {
  const backend = await startBackend('gpu:webasm');
  const x = place(backend, [3], Float32Array.of(1, 2, 3));
  const doubled = backend.binary('add', x, x);
  const early = numbers(backend, x);
  x.storage.write(Float32Array.of(7, 8, 9));
  arraysEqual(t, await early, [1, 2, 3], 'before the write');
  arraysEqual(t, await numbers(backend, x), [7, 8, 9], 'after it');
  arraysEqual(t, await numbers(backend, doubled), [2, 4, 6], 'results keep what they were made of');
});

t.test('memory: copies are shared, freed once, and all gone after a step', async (t) => {
  const backend = await startBackend('gpu:webasm');
  const before = describe(backend).arrays;
  const x = place(backend, [1000], new Float32Array(1000).fill(1));
  const copy = backend.copy(x);
  t.equal(describe(backend).arrays, before + 1, 'a copy shares the array');
  x.storage.write(new Float32Array(1000).fill(2));
  arraysEqual(t, (await numbers(backend, copy)).subarray(0, 2), [1, 1], 'until one of them is written');
  const velocity = place(backend, [1000], new Float32Array(1000));
  const settled = describe(backend);
  for (let step = 0; step < 200; step++) {
    scope(() => {
      const gradient = backend.binary('mul', x, x);
      const rates = { momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 1e-4, first: false };
      const options = { ...rates, learningRate: 1e-4 / (step + 1) };
      return backend.fast?.sgd?.([{ parameter: x, gradient, velocity }], options);
    });
  }
  t.equal(describe(backend).arrays, settled.arrays, '200 steps leave nothing behind');
  t.ok(describe(backend).kernels <= settled.kernels + 3, 'a schedule compiles nothing anew');
  dispose(x, copy, velocity);
  t.equal(describe(backend).arrays, before);
});

t.test('content cannot be used after it was freed, nor freed twice', (t) => {
  const freed: unknown[] = [];
  const content = new Content('numbers', 3, (value) => freed.push(value));
  content.hold().release();
  t.same(freed, []);
  content.release();
  t.same(freed, ['numbers']);
  t.throws(() => content.release(), TapeError);
  t.throws(() => content.hold(), TapeError);
  t.end();
});

t.test('what cannot be done is refused, not approximated', async (t) => {
  const backend = await startBackend('gpu:webasm');
  t.throws(() => backend.alloc(2 ** 24 + 1, 'float32'), { name: 'BackendError', message: /too large/ });
  t.throws(() => tensor(Int32Array.of(1, 2, 3, 4), [2, 2], { device: backend }), {
    name: 'DTypeError',
    message: /gpu:webasm holds float32, not int32/,
  });
});

t.test('exponentials are the nearest float32, or its neighbour where two are as near', async (t) => {
  const backend = await startBackend('gpu:webasm');
  const inputs = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 100);
  for (const [op, exact] of [
    ['exp', Math.exp],
    ['exp2', (x: number) => 2 ** x],
  ] as const) {
    const got = await numbers(backend, backend.unary(op, place(backend, [inputs.length], inputs)));
    const wrong = inputs.filter((x, i) => got[i] !== Math.fround(exact(x)));
    t.ok(wrong.length < inputs.length / 100, `${op}: ${wrong.length} of ${inputs.length} are not the nearest`);
    const worst = inputs.reduce((most, x, i) => Math.max(most, Math.abs(got[i] / exact(x) - 1)), 0);
    t.ok(worst < 6.6e-8, `${op}: relative error at most ${worst}`);
  }
});

t.test('order statistics are searched bit by bit: any rank, zeros, denormals, infinities, ties', async (t) => {
  const random = new Random(9);
  const spread = Array.from({ length: 30 }, () => random.uniform(-1, 1) * 2 ** random.uniform(-140, 127));
  const edges = [0, -0, 0, 1.1754944e-38, -1.1754944e-38, 3.4028235e38, -3.4028235e38, 1e-45, -3e-42, 5e-40];
  const ends = [Infinity, -Infinity, Infinity, -Infinity, Infinity, 2, 2, 2, -7, -7];
  const data = Float32Array.from([...spread, ...edges, ...ends]);
  const sorted = [...data].sort((a, b) => a - b);
  const backend = await startBackend('gpu:webasm');
  const x = place(backend, [5, 10], data);
  const g = place(backend, [], Float32Array.of(3));
  const before = describe(backend).arrays;
  const { kthSmallest } = reductionRows;
  for (let k = 1; k <= data.length; k++) {
    const { result, calls } = explain(() => [
      ...evaluate(kthSmallest, [x], { k }),
      ...differentiate(kthSmallest, g, { attrs: { k }, shapes: [x.shape], input: () => x, output: () => x }, [true]),
    ]);
    // Near an end elements are taken away one by one instead: that is the composition.
    const path = Math.min(k - 1, data.length - k) > 8 ? 'fast' : 'composition';
    t.same(
      calls.map((call) => call.path),
      [path, path],
    );
    const [value, slopes] = result as View[];
    const want = sorted[k - 1];
    t.equal((await numbers(backend, value))[0] + 0, want + 0, `the ${k}-th of 50 is ${want}`);
    const position = data.indexOf(want);
    const expected = Float32Array.from(data, (_, i) => (i === position ? 3 : 0));
    arraysEqual(t, await numbers(backend, slopes), expected, `its gradient, at ${position}`);
    dispose(value, slopes);
  }
  t.equal(describe(backend).arrays, before, 'nothing stays on the device');
});
