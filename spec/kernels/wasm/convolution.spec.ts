import fc from 'fast-check';
import t from 'tap';
import type { ConvGeometry } from '../../../lib/kernels/geometry.js';
import { loadWasmBackend, type WasmBackend, type WasmOptions } from '../../../lib/kernels/wasm/index.js';
import { hasRelaxedSimd } from '../../../lib/kernels/wasm/unpack.js';
import { Random } from '../../../lib/tensor/random.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { conv2d, conv2dInputGrad, conv2dWeightGrad, count, type NumberArray, numberArray, WIDE } from '../../oracle.js';
import { kernelsOf } from '../kernels.js';

/** Every path a convolution can take, and what it may err by, relative to the root mean square of the result. */
const PATHS: readonly { name: string; options: WasmOptions; tolerance: number }[] = [
  { name: 'direct', options: {}, tolerance: 5e-6 },
  { name: 'direct, 2 threads', options: { threads: 2 }, tolerance: 5e-6 },
  { name: 'F(2×2)', options: { winograd: 'f2' }, tolerance: 5e-6 },
  { name: 'F(4×4)', options: { winograd: 'f4' }, tolerance: 1e-4 },
  { name: 'F(4×4), 2 threads', options: { winograd: 'f4', threads: 2 }, tolerance: 1e-4 },
];

interface Sample {
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
  readonly geometry: ConvGeometry;
}

const pair = (least: number, most: number) =>
  fc.tuple(
    ...([0, 1].map(() => fc.integer({ min: least, max: most })) as [fc.Arbitrary<number>, fc.Arbitrary<number>]),
  );

/** Any geometry whose windows fit; channels and rows around the sizes of tiles (3, 5, 8). */
const anySample: fc.Arbitrary<Sample> = fc
  .record({
    images: fc.integer({ min: 1, max: 4 }),
    groups: fc.constantFrom(1, 1, 1, 2, 3),
    channels: fc.constantFrom(1, 2, 3, 4, 7, 17),
    outputs: fc.constantFrom(1, 2, 3, 4, 5, 6, 9, 11),
    size: pair(1, 17),
    kernel: pair(1, 5),
    stride: pair(1, 3),
    padding: pair(0, 3),
    dilation: pair(1, 2),
  })
  .filter(({ size, kernel, padding, dilation }) =>
    [0, 1].every((axis) => dilation[axis] * (kernel[axis] - 1) < size[axis] + 2 * padding[axis]),
  )
  .map(({ images, groups, channels, outputs, size, kernel, stride, padding, dilation }) => ({
    x: [images, channels * groups, ...size],
    w: [outputs * groups, channels, ...kernel],
    geometry: { stride, padding, dilation, groups },
  }));

/** What Winograd's filtering takes on: from one tile to several blocks of them. */
const tiledSample: fc.Arbitrary<Sample> = fc
  .record({
    images: fc.integer({ min: 1, max: 5 }),
    channels: fc.constantFrom(8, 9, 12, 66),
    outputs: fc.constantFrom(8, 10, 13),
    size: pair(3, 26),
    padding: pair(0, 3),
  })
  .map(({ images, channels, outputs, size, padding }) => ({
    x: [images, channels, ...size],
    w: [outputs, channels, 3, 3],
    geometry: { stride: [1, 1], padding, dilation: [1, 1], groups: 1 },
  }));

function noise(shape: readonly number[], seed: number): NumberArray {
  const random = new Random(seed);
  return numberArray(
    shape,
    Float32Array.from({ length: count(shape) }, () => random.uniform(-1, 1)),
  );
}

/** Forward pass and both gradients, by naive loops in float64. */
function expected({ x, w, geometry }: Sample) {
  const [image, weights] = [noise(x, 1), noise(w, 2)];
  const y = conv2d(image, weights, geometry);
  const g = noise(y.shape, 3);
  const results = [y, conv2dInputGrad(g, weights, x, geometry), conv2dWeightGrad(g, image, w, geometry)];
  return { image, weights, g, results };
}

/** Largest error of the three passes, relative to the root mean square of each. */
function worstError(backend: WasmBackend, sample: Sample, { image, weights, g, results }: ReturnType<typeof expected>) {
  const { geometry } = sample;
  const put = ({ shape, data }: NumberArray): View =>
    contiguousView(Storage.alloc(backend, data.length, 'float32', Float32Array.from(data)), shape);
  return scope(() => {
    const [x, w, gradient] = [put(image), put(weights), put(g)];
    const k = kernelsOf(backend);
    const views = [
      k.conv2d(x, w, geometry),
      k.conv2dInputGrad(gradient, w, sample.x, geometry),
      k.conv2dWeightGrad(gradient, x, sample.w, geometry),
    ];
    const errors = views.map(({ storage, shape }, i) => {
      if (shape.join() !== results[i].shape.join()) throw new Error(`pass ${i}: shape ${shape}`);
      const got = backend.host!(storage.handle, storage.length, 'float32');
      const want = results[i].data;
      const rms = Math.sqrt(want.reduce((sum, value) => sum + value * value, 0) / want.length);
      return want.reduce((worst, value, j) => Math.max(worst, Math.abs(got[j] - value)), 0) / Math.max(rms, 1e-3);
    });
    return Math.max(...errors);
  });
}

for (const simd of ['plain', 'relaxed'] as const) {
  const skip = simd === 'relaxed' && !hasRelaxedSimd() ? 'this engine has no relaxed SIMD' : false;
  t.test(`any convolution, on every path: ${simd} SIMD`, { skip }, async (t) => {
    const paths = await Promise.all(
      PATHS.map(async ({ options, ...path }) => {
        return { ...path, backend: await loadWasmBackend({ ...options, relaxedSimd: simd === 'relaxed' }) };
      }),
    );
    const holds = (sample: Sample) => {
      const want = expected(sample);
      for (const { name, backend, tolerance } of paths) {
        const error = worstError(backend, sample, want);
        if (!(error < tolerance))
          throw new Error(`${name}: error ${error.toExponential(1)} of ${JSON.stringify(sample)}`);
      }
    };
    fc.assert(fc.property(anySample, holds), { numRuns: 120, seed: 11, endOnFailure: true });
    fc.assert(fc.property(tiledSample, holds), { numRuns: 30, seed: 12, endOnFailure: true });
    for (const { name, backend } of paths) {
      t.equal(backend.describe().usedBytes, 0, `${name}: nothing stays allocated`);
      backend.close();
    }
  });
}

/** Convolutions whose operands both lie on grids: around the sizes of tiles and pairs, filtered, strided, 1 × 1. */
const quantizedSample: fc.Arbitrary<Sample> = fc
  .record({
    images: fc.integer({ min: 1, max: 3 }),
    channels: fc.constantFrom(8, 9, 17, 66, 131),
    outputs: fc.constantFrom(8, 10, 13),
    size: pair(3, 18),
    kernel: fc.constantFrom(1, 3, 3, 5),
    stride: fc.constantFrom(1, 1, 2),
    padding: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ images, channels, outputs, size, kernel, stride, padding }) => ({
    x: [images, channels, ...size],
    w: [outputs, channels, kernel, kernel],
    geometry: { stride: [stride, stride], padding: [padding, padding], dilation: [1, 1], groups: 1 },
  }));

/** Operands made by the backend's own quantizers, as they are in training, and their scales. */
function quantized(backend: WasmBackend, { x, w }: Sample, seed: number) {
  const random = new Random(seed);
  const draw = (shape: readonly number[], low: number, high: number): View => {
    const data = Float32Array.from({ length: count(shape) }, () => random.uniform(low, high));
    return contiguousView(Storage.alloc(backend, data.length, 'float32', data), shape);
  };
  const scale = draw([], 0.05, 0.1);
  const logs = draw([w[0]], -6, -4);
  const norms = Math.log2(count(w) / w[0]);
  const bound = { limit: 7, budget: 1e6, centred: true, accumulator: WIDE };
  const k = kernelsOf(backend);
  return {
    x: k.fakeQuantize(draw(x, -0.5, 2), scale, { low: 0, high: 15, relu: false }),
    w: k.a2qWeights(draw(w, -1, 1), logs, draw([w[0]], norms - 4, norms), bound),
    scales: [scale, k.powerScale(logs, 1)].map((view) => hostData(backend, view)),
  };
}

function hostData(backend: WasmBackend, { storage }: View): Float32Array {
  return Float32Array.from(backend.host!(storage.handle, storage.length, 'float32'));
}

t.test('a convolution of quantized operands is exact on every path, but for its scaling', async (t) => {
  const backends = await Promise.all(
    PATHS.map(({ options }) => loadWasmBackend({ ...options, relaxedSimd: hasRelaxedSimd() })),
  );
  const holds = (sample: Sample) => {
    const results = backends.map((backend) =>
      scope(() => {
        const { x, w, scales } = quantized(backend, sample, 5);
        const y = kernelsOf(backend).conv2d(x, w, sample.geometry);
        return { x: hostData(backend, x), w: hostData(backend, w), scales, y: hostData(backend, y), shape: y.shape };
      }),
    );
    const [{ x, w, scales, y, shape }] = results;
    for (const [i, other] of results.entries()) {
      if (!Buffer.from(other.y.buffer).equals(Buffer.from(y.buffer))) throw new Error(`${PATHS[i].name}: other bits`);
    }
    const [[scaleX], scalesW] = scales;
    const row = w.length / sample.w[0];
    const integersX = x.map((value) => Math.round(value / scaleX));
    const integersW = w.map((value, i) => Math.round(value / scalesW[Math.floor(i / row)]));
    const sums = conv2d(numberArray(sample.x, integersX), numberArray(sample.w, integersW), sample.geometry).data;
    const plane = shape[2] * shape[3];
    for (const [i, sum] of sums.entries()) {
      const want = sum * scaleX * scalesW[Math.floor(i / plane) % sample.w[0]];
      // Two roundings: of the product of the scales, and of the product with it.
      if (!(Math.abs(y[i] - want) <= Math.abs(want) * 2 ** -23)) {
        throw new Error(`${y[i]} instead of ${want} in ${JSON.stringify(sample)}`);
      }
    }
  };
  fc.assert(fc.property(quantizedSample, holds), { numRuns: 60, seed: 13, endOnFailure: true });
  for (const [i, backend] of backends.entries()) {
    t.equal(backend.describe().usedBytes, 0, `${PATHS[i].name}: nothing stays allocated`);
    backend.close();
  }
});

t.test('values that have left their grid are seen', async (t) => {
  const sample: Sample = {
    x: [2, 9, 6, 7],
    w: [10, 9, 3, 3],
    geometry: { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 },
  };
  const backend = await loadWasmBackend();
  for (const [what, value] of [
    ['between two integers', 0.01],
    ['too large an integer', 16],
    ['no number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
  ] as const) {
    scope(() => {
      const { x, w } = quantized(backend, sample, 6);
      const changed = hostData(backend, x);
      const scale = changed.find((v) => v > 0)!;
      changed[changed.length - 1] = value === 16 ? 16 * Math.fround(scale) : value;
      backend.upload(x.storage.handle, changed);
      const y = hostData(backend, kernelsOf(backend).conv2d(x, w, sample.geometry));
      const want = conv2d(numberArray(sample.x, changed), numberArray(sample.w, hostData(backend, w)), sample.geometry);
      const wrong = want.data.findIndex((v, i) =>
        Number.isFinite(v) ? Math.abs(y[i] - v) > 1e-4 * (1 + Math.abs(v)) : Number.isFinite(y[i]),
      );
      t.equal(wrong, -1, what);
    });
  }
  backend.close();
});
