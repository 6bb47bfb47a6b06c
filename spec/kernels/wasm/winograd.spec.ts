import t from 'tap';
import type { ConvGeometry } from '../../../lib/kernels/geometry.js';
import { createWasmBackend, loadWasmBackend, type WasmBackend } from '../../../lib/kernels/wasm/index.js';
import { Random } from '../../../lib/tensor/random.js';
import { type Shape, sizeOf } from '../../../lib/tensor/shape.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { kernelsOf } from '../kernels.js';

/** One convolution: images, channels, extents, output channels, padding. */
interface Sample {
  readonly x: readonly [number, number, number, number];
  readonly outputs: number;
  readonly padding: readonly [number, number];
}

const SAMPLES: readonly Sample[] = [
  { x: [1, 8, 4, 4], outputs: 8, padding: [1, 1] },
  { x: [2, 9, 16, 16], outputs: 13, padding: [1, 1] },
  { x: [3, 10, 7, 13], outputs: 11, padding: [1, 0] },
  { x: [2, 8, 13, 31], outputs: 9, padding: [0, 2] },
  { x: [5, 12, 8, 8], outputs: 14, padding: [3, 3] },
  { x: [2, 16, 32, 33], outputs: 17, padding: [1, 1] },
];

function numbers(shape: Shape, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
}

/** Visits every multiplication of a convolution: indices into x, w and y. */
function eachProduct({ x: [n, c, h, w], outputs, padding }: Sample, visit: (x: number, w: number, y: number) => void) {
  const [oh, ow] = [h + 2 * padding[0] - 2, w + 2 * padding[1] - 2];
  for (let y = 0; y < n * outputs * oh * ow; y++) {
    const [column, row] = [y % ow, Math.floor(y / ow) % oh];
    const output = Math.floor(y / (ow * oh)) % outputs;
    const image = Math.floor(y / (ow * oh * outputs));
    for (let channel = 0; channel < c; channel++) {
      for (let tap = 0; tap < 9; tap++) {
        const iy = row + Math.floor(tap / 3) - padding[0];
        const ix = column + (tap % 3) - padding[1];
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
        visit(((image * c + channel) * h + iy) * w + ix, (output * c + channel) * 9 + tap, y);
      }
    }
  }
}

/** Largest error over the root mean square of what should be. */
function relativeError(got: Float32Array, want: Float64Array): number {
  const square = want.reduce((sum, value) => sum + value * value, 0) / want.length;
  return want.reduce((worst, value, i) => Math.max(worst, Math.abs(value - got[i])), 0) / Math.sqrt(square);
}

/** All three passes of a sample on a backend. */
function passes(k: WasmBackend, { x, outputs, padding }: Sample): Float32Array[] {
  const geometry: ConvGeometry = { stride: [1, 1], padding, dilation: [1, 1], groups: 1 };
  const put = (shape: Shape, seed: number): View => {
    const data = numbers(shape, seed);
    return contiguousView(Storage.alloc(k, data.length, 'float32', data), shape);
  };
  const results: Float32Array[] = [];
  scope(() => {
    const [image, weights] = [put(x, 1), put([outputs, x[1], 3, 3], 2)];
    const kernels = kernelsOf(k);
    const y = kernels.conv2d(image, weights, geometry);
    const g = put(y.shape, 3);
    const dx = kernels.conv2dInputGrad(g, weights, x, geometry);
    const dw = kernels.conv2dWeightGrad(g, image, weights.shape, geometry);
    for (const { storage } of [y, dx, dw]) {
      results.push(new Float32Array(k.host!(storage.handle, storage.length, 'float32')));
    }
  });
  return results;
}

/** The same three passes by naive loops in float64. */
function oracle(sample: Sample): Float64Array[] {
  const { x, outputs, padding } = sample;
  const output = [x[0], outputs, x[2] + 2 * padding[0] - 2, x[3] + 2 * padding[1] - 2];
  const filters = [outputs, x[1], 3, 3];
  const [image, weights, g] = [numbers(x, 1), numbers(filters, 2), numbers(output, 3)];
  const y = new Float64Array(sizeOf(output));
  const dx = new Float64Array(sizeOf(x));
  const dw = new Float64Array(sizeOf(filters));
  eachProduct(sample, (i, j, o) => {
    y[o] += image[i] * weights[j];
    dx[i] += g[o] * weights[j];
    dw[j] += g[o] * image[i];
  });
  return [y, dx, dw];
}

t.test('f2 is as accurate as direct convolution, f4 to 1e-4 of the root mean square', async (t) => {
  for (const [winograd, tolerance] of [
    ['off', 5e-6],
    ['f2', 5e-6],
    ['f4', 1e-4],
  ] as const) {
    const backend = createWasmBackend({ winograd, relaxedSimd: false });
    t.equal(backend.describe().winograd, winograd);
    for (const sample of SAMPLES) {
      const want = oracle(sample);
      const errors = passes(backend, sample).map((got, pass) => relativeError(got, want[pass]));
      t.ok(Math.max(...errors) < tolerance, `${winograd} of ${sample.x.join('×')}: ${errors.join(', ')}`);
    }
    t.equal(backend.describe().usedBytes, 0, 'nothing stays allocated');
  }
});

t.test('f4 really runs: its results differ from direct ones in the last bits, in all passes', async (t) => {
  const sample: Sample = { x: [3, 16, 32, 32], outputs: 16, padding: [1, 1] };
  const direct = passes(createWasmBackend({ relaxedSimd: false }), sample);
  const tiles = passes(createWasmBackend({ relaxedSimd: false, winograd: 'f4' }), sample);
  for (const [i, pass] of ['forward', 'input gradient', 'weight gradient'].entries()) {
    t.ok(
      tiles[i].some((value, j) => value !== direct[i][j]),
      pass,
    );
  }
});

t.test('the same bits for any number of threads', async (t) => {
  const sample: Sample = { x: [4, 24, 34, 29], outputs: 26, padding: [1, 1] };
  for (const winograd of ['f2', 'f4'] as const) {
    const want = passes(createWasmBackend({ relaxedSimd: false, winograd }), sample);
    for (const threads of [2, 3]) {
      const team = await loadWasmBackend({ relaxedSimd: false, winograd, threads });
      for (let repeat = 0; repeat < 3; repeat++) t.same(passes(team, sample), want, `${winograd}, ${threads} threads`);
      team.close();
    }
  }
});
