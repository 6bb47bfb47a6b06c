import t from 'tap';
import type { UnaryOp } from '../../../lib/kernels/backend.js';
import { createWasmBackend, loadWasmBackend, type WasmBackend } from '../../../lib/kernels/wasm/index.js';
import { Random } from '../../../lib/tensor/random.js';
import { sizeOf } from '../../../lib/tensor/shape.js';
import { Storage } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { kernelsOf } from '../kernels.js';
import { UNARY_OPS } from '../ops.js';

const backend = createWasmBackend({ relaxedSimd: false });

function view(data: readonly number[] | Float32Array, shape = [data.length], on: WasmBackend = backend): View {
  return contiguousView(Storage.alloc(on, data.length, 'float32', Float32Array.from(data)), shape);
}

function elements({ storage, shape, offset }: View, on: WasmBackend = backend): number[] {
  return [...on.host!(storage.handle, storage.length, storage.dtype)].slice(offset, offset + sizeOf(shape));
}

/** Distance between two floats, counted in representable floats. */
function ulps(a: number, b: number): number {
  const bits = new Int32Array(Float32Array.of(a, b).buffer);
  const [x, y] = [...bits].map((word) => (word < 0 ? -(word & 0x7fffffff) : word));
  return Math.abs(x - y);
}

t.test('says what it runs on', async (t) => {
  const description = backend.describe();
  t.equal(description.simd, 'plain');
  t.equal(description.threads, 1);
  t.equal(description.sharedMemory, true);
  t.ok(description.memoryBytes >= description.usedBytes);
  t.same(backend.dtypes, ['float32', 'int32']);
});

t.test('relaxed SIMD, where demanded, differs from plain by rounding only', async (t) => {
  const relaxed = createWasmBackend({ relaxedSimd: true });
  t.equal(relaxed.describe().simd, 'relaxed');
  const random = new Random(4);
  const data = Array.from({ length: 2 * 40 * 40 }, () => random.uniform(-1, 1));
  const [a, b] = [data.slice(0, 1600), data.slice(1600)];
  const product = (k: WasmBackend) => elements(k.matmul(view(a, [1, 40, 40], k), view(b, [1, 40, 40], k)), k);
  const [fused, plain] = [product(relaxed), product(backend)];
  t.ok(fused.every((value, i) => Math.abs(value - plain[i]) < 1e-5));
  t.ok(
    fused.some((value, i) => value !== plain[i]),
    'multiply-adds were fused',
  );
});

t.test('loads asynchronously too', async (t) => {
  const loaded = await loadWasmBackend({ relaxedSimd: false });
  t.same(elements(loaded.unary('neg', view([1, 2], [2], loaded)), loaded), [-1, -2]);
});

t.test('options that are none are refused before memory or threads are asked for', async (t) => {
  const wrong = [
    ...[0, 1.5, 65, 1e9, Number.NaN, '2'].map((threads) => ({ threads })),
    ...[0, Number.NaN, 2 ** 33].map((maximumBytes) => ({ maximumBytes })),
    ...['f9', 2, true].map((winograd) => ({ winograd })),
    ...['plain', 1].map((relaxedSimd) => ({ relaxedSimd })),
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options);
    const refusal = { name: 'BackendError', op: 'wasm', message: new RegExp(`${name} must be`) };
    t.throws(() => createWasmBackend(options as object), refusal, JSON.stringify(options));
    await t.rejects(loadWasmBackend(options as object), refusal);
  }
});

t.test('memory: growth keeps contents and host views, exhaustion is an error, nothing leaks', async (t) => {
  const small = createWasmBackend({ maximumBytes: 64 * 2 ** 20 });
  const first = view([1, 2, 3], [3], small);
  const host = small.host!(first.storage.handle, 3, 'float32');
  const large = small.fill([10 * 2 ** 20], 2, 'float32');
  t.ok(small.describe().memoryBytes > 40 * 2 ** 20);
  host[0] = 7;
  t.same(elements(first, small), [7, 2, 3]);
  t.throws(() => small.fill([10 * 2 ** 20], 3, 'float32'), { name: 'BackendError', op: 'alloc' });
  large.storage.dispose();
  const again = small.fill([10 * 2 ** 20], 3, 'float32');
  t.equal(elements(again, small).at(-1), 3);
  again.storage.dispose();
  first.storage.dispose();
  t.equal(small.describe().usedBytes, 0);
});

t.test('elementary functions are correctly rounded almost everywhere, on many magnitudes', async (t) => {
  const functions = {
    exp: Math.exp,
    exp2: (x: number) => 2 ** x,
    log: Math.log,
    log2: Math.log2,
    tanh: Math.tanh,
    sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  };
  const random = new Random(5);
  const x = Float32Array.from({ length: 40000 }, () => random.uniform(-1, 1) * 10 ** random.uniform(-7, 2));
  for (const [op, f] of Object.entries(functions) as [keyof typeof functions, (x: number) => number][]) {
    const y = elements(backend.unary(op, view(x)));
    const distances = y.map((value, i) => {
      const want = Math.fround(f(x[i]));
      return Number.isNaN(want) && Number.isNaN(value) ? 0 : ulps(want, value);
    });
    t.ok(
      distances.every((distance) => distance <= 1),
      op,
    );
    t.ok(distances.filter((distance) => distance > 0).length < 40, `${op} differs rarely`);
  }
});

t.test('powers of two are exact both ways', async (t) => {
  const exponents = Array.from({ length: 254 }, (_, i) => i - 126);
  const powers = exponents.map((n) => 2 ** n);
  t.same(elements(backend.unary('exp2', view(exponents))), powers);
  t.same(elements(backend.unary('log2', view(powers))), exponents);
});

t.test('NaN, infinities and the ends of the range', async (t) => {
  const x = view([Number.NaN, Infinity, -Infinity, 0, 200, -200]);
  const expected: Partial<Record<UnaryOp, number[]>> = {
    exp: [Number.NaN, Infinity, 0, 1, Infinity, 0],
    exp2: [Number.NaN, Infinity, 0, 1, Infinity, 0],
    log: [Number.NaN, Infinity, Number.NaN, -Infinity, Math.fround(Math.log(200)), Number.NaN],
    tanh: [Number.NaN, 1, -1, 0, 1, -1],
    sigmoid: [Number.NaN, 1, 0, 0.5, 1, 0],
    relu: [Number.NaN, Infinity, 0, 0, 200, 0],
    sign: [Number.NaN, 1, -1, 0, 1, -1],
  };
  for (const op of UNARY_OPS) if (expected[op]) t.same(elements(backend.unary(op, x)), expected[op], op);
  t.ok(Number.isNaN(elements(backend.reduce('max', x, [0]))[0]));
});

t.test('fake quantization divides truly and rounds ties to even', async (t) => {
  const random = new Random(11);
  const scale = Math.fround(0.0731);
  const x = Float32Array.from({ length: 20000 }, (_, i) =>
    i % 3 === 0 ? scale * (random.integer(40) / 2 - 10) : random.uniform(-1.5, 1.5),
  );
  const roundHalfEven = (v: number) => {
    const low = Math.floor(v);
    if (v - low !== 0.5) return Math.round(v);
    return low % 2 === 0 ? low : low + 1;
  };
  const want = [...x].map((v) => {
    const level = Math.min(7, Math.max(-8, roundHalfEven(Math.fround(v / scale))));
    return Math.fround(level * scale) + 0;
  });
  const got = elements(kernelsOf(backend).fakeQuantize(view(x), view([scale]), { low: -8, high: 7 })).map((v) => v + 0);
  t.same(got, want);
});

t.test('sums of a million floats stay accurate, and variance survives a large mean', async (t) => {
  const random = new Random(2);
  const x = Float32Array.from({ length: 1 << 20 }, () => 1000 + random.uniform(-0.5, 0.5));
  let sum = 0;
  for (const v of x) sum += v;
  let squares = 0;
  for (const v of x) squares += (v - sum / x.length) ** 2;
  const [total] = elements(backend.reduce('sum', view(x), [0]));
  t.ok(Math.abs(total - sum) <= 2e-7 * sum);
  const one = view([1]);
  const [, mean, variance] = kernelsOf(backend).batchNorm(view(x, [16, 1, 256, 256]), one, one, 1e-5, 'none');
  t.ok(Math.abs(elements(mean)[0] - sum / x.length) <= 1e-4);
  t.ok(Math.abs(elements(variance)[0] - squares / x.length) <= 1e-6);
});

t.test('a matrix product of awkward size equals the naive loop, transposed operands included', async (t) => {
  const random = new Random(9);
  const [m, k, n] = [67, 301, 77];
  const a = Float32Array.from({ length: m * k }, () => random.uniform(-1, 1));
  const b = Float32Array.from({ length: k * n }, () => random.uniform(-1, 1));
  const stored = view(a, [1, k, m]);
  const left = { ...stored, shape: [1, m, k], strides: [0, 1, m] };
  const got = elements(backend.matmul(left, view(b, [1, k, n])));
  let worst = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let want = 0;
      for (let p = 0; p < k; p++) want += a[p * m + i] * b[p * n + j];
      worst = Math.max(worst, Math.abs(want - got[i * n + j]));
    }
  }
  t.ok(worst < 3e-5, `largest error ${worst}`);
});
