/**
 * Micro-benchmarks of the wasm kernels, one line each: least (median) milliseconds and, for products, 10⁹
 * direct-convolution operations a second at the least time. Settings are interleaved in one process, so that they meet
 * the same machine.
 *
 *     node dist/bench/wasm/kernels.js [filter [setting,setting …]]
 */
import type { Row } from '../../lib/autograd/row.js';
import { convolutionRows } from '../../lib/autograd/rows/convolution.js';
import { imageRows } from '../../lib/autograd/rows/images.js';
import { normalizationRows } from '../../lib/autograd/rows/normalization.js';
import { quantizationRows } from '../../lib/autograd/rows/quantization.js';
import type { ConvGeometry } from '../../lib/kernels/geometry.js';
import { loadWasmBackend, type WasmBackend, type WasmOptions } from '../../lib/kernels/wasm/index.js';
import { Random } from '../../lib/tensor/random.js';
import { type Shape, sizeOf } from '../../lib/tensor/shape.js';
import { Storage, scope } from '../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../lib/tensor/view.js';
import { gradientOf, outputOf } from '../rows.js';

const ROUNDS = 15;

const SETTINGS: Readonly<Record<string, WasmOptions>> = {
  direct: { relaxedSimd: false },
  f2: { relaxedSimd: false, winograd: 'f2' },
  f4: { relaxedSimd: false, winograd: 'f4' },
  'f4 ×2': { relaxedSimd: false, winograd: 'f4', threads: 2 },
  'direct relaxed': { relaxedSimd: true },
  'f4 relaxed ×2': { relaxedSimd: true, winograd: 'f4', threads: 2 },
};

interface Case {
  readonly name: string;
  /** Multiply-adds ×2. */
  readonly flops: number;
  prepare(backend: WasmBackend): () => unknown;
}

const random = new Random(1);

function noise(backend: WasmBackend, shape: Shape): View {
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
  return contiguousView(Storage.alloc(backend, data.length, 'float32', data), shape);
}

function product(m: number, k: number, n: number, transposed = false): Case {
  return {
    name: `matmul ${m}×${k}×${n}${transposed ? ' bᵀ' : ''}`,
    flops: 2 * m * k * n,
    prepare(backend) {
      const a = noise(backend, [1, m, k]);
      const b = transposed ? noise(backend, [1, n, k]) : noise(backend, [1, k, n]);
      const right = transposed ? { ...b, shape: [1, k, n], strides: [0, 1, k] } : b;
      return () => backend.matmul(a, right);
    },
  };
}

/**
 * Forward, input gradient and weight gradient of one layer; `kernel`, stride, groups as given, padding to the same
 * size.
 */
function convolution(name: string, x: Shape, outputs: number, kernel: number, stride = 1, groups = 1): Case[] {
  const padding = Math.floor(kernel / 2);
  const geometry: ConvGeometry = {
    stride: [stride, stride],
    padding: [padding, padding],
    dilation: [1, 1],
    groups,
  };
  const [n, c, height, width] = x;
  const w = [outputs, c / groups, kernel, kernel];
  const y = [n, outputs, Math.ceil(height / stride), Math.ceil(width / stride)];
  const flops = 2 * sizeOf(y) * (c / groups) * kernel * kernel;
  const { conv2d } = convolutionRows;
  return ['forward', 'input gradient', 'weight gradient'].map((pass, code) => ({
    name: `${name} ${pass}`,
    flops,
    prepare(backend) {
      const [image, weights, gradient] = [noise(backend, x), noise(backend, w), noise(backend, y)];
      if (code === 0) return () => outputOf(conv2d, [image, weights], geometry);
      return () => gradientOf(conv2d, code - 1, gradient, [image, weights], geometry);
    },
  }));
}

function elementwise(name: string, shape: Shape, run: (backend: WasmBackend, x: View, g: View) => unknown): Case {
  return {
    name: `${name} [${shape}]`,
    flops: 0,
    prepare(backend) {
      const [x, g] = [noise(backend, shape), noise(backend, shape)];
      return () => run(backend, x, g);
    },
  };
}

const { fakeQuantize } = quantizationRows;
const GRID = { low: 0, high: 15 };
const IMAGE = [8, 64, 64, 64];

function vector(backend: WasmBackend, size: number, value: number): View {
  return backend.fill([size], value, 'float32');
}

/** Batch norm and its gradient, with γ = 1, β = 0 and perhaps a scale. */
function batchNorm<A>(name: string, row: Row<A>, attrs: A, scale: readonly number[] = []): Case[] {
  const operands = (k: WasmBackend, x: View) => [
    x,
    ...[1, 0].map((value) => vector(k, IMAGE[1], value)),
    ...scale.map((value) => vector(k, 1, value)),
  ];
  return [
    elementwise(`batch norm, ${name}`, IMAGE, (k, x) => outputOf(row, operands(k, x), attrs)),
    elementwise(`batch norm gradient, ${name}`, IMAGE, (k, x, g) => {
      const stats = [0, 1].map((value) => vector(k, IMAGE[1], value));
      gradientOf(row, 0, g, operands(k, x), attrs, [g, ...stats]);
    }),
  ];
}

const CASES: readonly Case[] = [
  product(512, 512, 512),
  product(512, 512, 512, true),
  product(64, 576, 4096),
  product(64, 4096, 576),
  product(128, 128, 128),
  ...convolution('A 64→64 3×3 64×64', [8, 64, 64, 64], 64, 3),
  ...convolution('B 128→128 3×3 16×16', [16, 128, 16, 16], 128, 3),
  ...convolution('512→512 3×3 4×4', [16, 512, 4, 4], 512, 3),
  ...convolution('3→64 5×5 64×64', [8, 3, 64, 64], 64, 5),
  ...convolution('64→128 3×3 /2 32×32', [16, 64, 32, 32], 128, 3, 2),
  ...convolution('256→256 1×1 16×16', [32, 256, 16, 16], 256, 1),
  ...convolution('1024→1024 1×1 2×2', [32, 1024, 2, 2], 1024, 1),
  ...convolution('depthwise 256 3×3 16×16', [32, 256, 16, 16], 256, 3, 1, 256),
  elementwise('add', IMAGE, (k, x, g) => k.binary('add', x, g)),
  elementwise('relu', IMAGE, (k, x) => k.unary('relu', x)),
  elementwise('sum', IMAGE, (k, x) => k.reduce('sum', x, [0, 1, 2, 3])),
  elementwise('channel sums', IMAGE, (k, x) => k.reduce('sum', x, [0, 2, 3])),
  elementwise('bias', IMAGE, (k, x) => {
    k.binary('add', x, { ...vector(k, 64, 1), shape: IMAGE, strides: [0, 1, 0, 0] });
  }),
  elementwise('exp', IMAGE, (k, x) => k.unary('exp', x)),
  elementwise('fake quantize', IMAGE, (k, x) => outputOf(fakeQuantize, [x, vector(k, 1, 0.1)], GRID)),
  elementwise('fake quantize gradient', IMAGE, (k, x, g) =>
    gradientOf(fakeQuantize, 0, g, [x, vector(k, 1, 0.1)], GRID),
  ),
  ...batchNorm('none', normalizationRows.batchNorm, { epsilon: 1e-5, activation: 'none' }),
  ...batchNorm('relu', normalizationRows.batchNorm, { epsilon: 1e-5, activation: 'relu' }),
  ...batchNorm('quantized', normalizationRows.batchNormQuantize, { epsilon: 1e-5, grid: GRID }, [0.1]),
  elementwise('max pool 2×2', IMAGE, (_, x) => {
    outputOf(imageRows.maxPool2d, [x], { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1] });
  }),
];

const [filter = '', chosen = Object.keys(SETTINGS).join()] = process.argv.slice(2);
for (const each of CASES.filter(({ name }) => name.includes(filter))) {
  const runs: { setting: string; backend: WasmBackend; run: () => unknown; times: number[] }[] = [];
  for (const setting of chosen.split(',')) {
    const backend = await loadWasmBackend(SETTINGS[setting]);
    runs.push({ setting, backend, run: each.prepare(backend), times: [] });
  }
  for (let round = -3; round < ROUNDS; round++) {
    for (const { run, times } of runs) {
      const start = performance.now();
      scope(() => {
        run();
      });
      if (round >= 0) times.push(performance.now() - start);
    }
  }
  const columns = runs.map(({ setting, times }) => {
    const [least, median] = [Math.min(...times), times.sort((a, b) => a - b)[times.length >> 1]];
    const rate = each.flops > 0 ? ` ${(each.flops / least / 1e6).toFixed(1)} GF` : '';
    return `${setting}: ${least.toFixed(2)} (${median.toFixed(2)}) ms${rate}`;
  });
  process.stdout.write(`${each.name.padEnd(48)} ${columns.join('   ')}\n`);
  for (const { backend } of runs) backend.close();
}
