import { conv2d } from '../lib/autograd/convolution.js';
import { matmul } from '../lib/autograd/ops.js';
import { backward } from '../lib/autograd/tape.js';
import type { Backend } from '../lib/kernels/backend.js';
import { setBackend, startBackend } from '../lib/kernels/registry.js';
import type { WinogradChoice } from '../lib/kernels/wasm/choices.js';
import { loadWasmBackend, type WasmBackend } from '../lib/kernels/wasm/index.js';
import { tensor } from '../lib/tensor/create.js';
import { scope } from '../lib/tensor/storage.js';
import type { Tensor } from '../lib/tensor/tensor.js';
import type { Setting } from './comparison.js';
import type { Engine, Entry } from './engine.js';
import type { ConvProblem, MatmulProblem } from './problem.js';

/** Which of our backends runs, and how. */
export interface OurOptions {
  readonly backend: string;
  readonly threads: number;
  readonly simd: 'auto' | 'plain' | 'relaxed';
  readonly winograd: WinogradChoice;
}

/** One of our backends as an engine. */
export interface OurEngine extends Engine {
  /** What really runs. */
  readonly setting: Setting;
  /** Makes new tensors live here. */
  use(): Backend;
  close(): void;
}

/** @throws BackendError if that backend cannot run here, or not with so many threads */
export async function ourEngine(options: OurOptions): Promise<OurEngine> {
  const { backend: name, threads, simd, winograd } = options;
  const relaxedSimd = simd === 'auto' ? simd : simd === 'relaxed';
  const wasm = name === 'wasm' ? await loadWasmBackend({ threads, relaxedSimd, winograd }) : null;
  const backend = setBackend(wasm ?? (await startBackend(name)));
  return {
    name: 'a2q.js',
    setting: { backend: backend.name, ...described(wasm) },
    use: () => setBackend(backend),
    enter: async (problem) => (problem.kind === 'matmul' ? product(problem) : convolution(problem)),
    close: () => wasm?.close(),
  };

  function product({ a, b, m, k, n }: MatmulProblem): Entry {
    const left = tensor(a, [m, k], { device: backend });
    const right = tensor(b, [k, n], { device: backend });
    return entry([left, right], () => [matmul(left, right)]);
  }

  function convolution(problem: ConvProblem): Entry {
    const { batch, channels, side, outputs, outputSide, kernel, stride, padding, gradients } = problem;
    const x = tensor(problem.x, [batch, channels, side, side], { device: backend });
    const w = tensor(problem.w, [outputs, channels, kernel, kernel], { device: backend });
    const forward = () => conv2d(x, w, null, { stride, padding });
    if (!gradients) return entry([x, w], () => [forward()]);
    const g = tensor(problem.g, [batch, outputs, outputSide, outputSide], { device: backend });
    for (const leaf of [x, w]) leaf.withGrad();
    return entry([x, w, g], () => {
      for (const leaf of [x, w]) leaf.grad = null;
      const y = forward();
      backward(y, g);
      return [y, x.grad as Tensor, w.grad as Tensor];
    });
  }
}

function described(wasm: WasmBackend | null): Omit<Setting, 'backend'> {
  if (wasm === null) return { simd: null, threads: 1, winograd: null };
  const { simd, threads, winograd } = wasm.describe();
  return { simd, threads, winograd };
}

function entry(inputs: readonly Tensor[], compute: () => readonly Tensor[]): Entry {
  return {
    async run() {
      const results = scope(compute);
      const outputs: Float32Array[] = [];
      for (const result of results) outputs.push((await result.data()) as Float32Array);
      for (const result of results) result.dispose();
      return outputs;
    },
    canonical: (outputs) => outputs,
    dispose() {
      for (const input of inputs) input.dispose();
    },
  };
}
