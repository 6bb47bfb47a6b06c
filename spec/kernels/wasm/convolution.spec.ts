import fc from 'fast-check';
import t from 'tap';
import type { ConvGeometry } from '../../../lib/kernels/backend.js';
import { hasRelaxedSimd } from '../../../lib/kernels/wasm/binaries.js';
import { loadWasmBackend, type WasmBackend, type WasmOptions } from '../../../lib/kernels/wasm/index.js';
import { Random } from '../../../lib/tensor/random.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { conv2d, conv2dInputGrad, conv2dWeightGrad, count, type NumberArray, numberArray } from '../../oracle.js';

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
    const views = [
      backend.conv2d!(x, w, geometry),
      backend.conv2dInputGrad!(gradient, w, sample.x, geometry),
      backend.conv2dWeightGrad!(gradient, x, sample.w, geometry),
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
