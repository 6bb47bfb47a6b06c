import { availableParallelism } from 'node:os';
import { convolutionRows } from '../../lib/autograd/rows/convolution.js';
import type { Backend } from '../../lib/kernels/backend.js';
import type { ConvGeometry } from '../../lib/kernels/geometry.js';
import { createGpuBackend, type GpuBackend, type GpuMode, type VariantChoice } from '../../lib/kernels/gpu/index.js';
import { setBackend } from '../../lib/kernels/registry.js';
import { loadWasmBackend } from '../../lib/kernels/wasm/index.js';
import { Storage } from '../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../lib/tensor/view.js';
import type { ConvProblem, MatmulProblem } from '../problem.js';
import { gradientOf, outputOf } from '../rows.js';
import { makeStep, type StepModel } from '../steps.js';

/** A backend that runs problems and steps, and can say when it is done with them. */
export interface TimedBackend {
  readonly name: string;
  readonly backend: Backend;
  /** Resolves when all work is done; on a GPU the numbers stay there. */
  finished(): Promise<void>;
  close(): void;
}

/** A gpu.js backend. @throws BackendError if the mode cannot be had here */
export async function onGpu(
  mode: GpuMode,
  variant: VariantChoice,
): Promise<TimedBackend & { readonly gpu: GpuBackend }> {
  const gpu = await createGpuBackend({ mode, variant });
  const name = variant === 'measured' ? 'a2q.js' : `a2q.js ${variant} kernels`;
  return { name, gpu, backend: gpu, finished: () => gpu.finished(), close: () => undefined };
}

/** The wasm backend with the processor's threads, at most 8. @throws BackendError if it cannot run here */
export async function onCpu(): Promise<TimedBackend> {
  const threads = Math.min(availableParallelism(), 8);
  const wasm = await loadWasmBackend({ threads });
  const name = `a2q.js wasm, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return { name, backend: wasm, finished: async () => undefined, close: () => wasm.close() };
}

/** Work that an engine has been given. */
export interface Task {
  /** Runs once, to the end, and gives a number that depends on that. */
  run(): Promise<number>;
  /** The numbers it computes; null for training steps, whose loss is that already. */
  numbers(): Promise<Float32Array> | null;
  dispose(): void;
}

/** What part of a convolution is computed. */
export type Pass = 'forward' | 'input gradient' | 'weight gradient';

export function matmulTask(engine: TimedBackend, { a, b, m, k, n }: MatmulProblem): Task {
  const inputs = place(engine, [a, [1, m, k]], [b, [1, k, n]]);
  return kernelTask(engine, inputs, ({ matmul }, [left, right]) => matmul(left, right));
}

export function convTask(engine: TimedBackend, problem: ConvProblem, pass: Pass): Task {
  const { batch, channels, side, outputs, outputSide, kernel, stride, padding } = problem;
  const shapes = {
    x: [batch, channels, side, side],
    w: [outputs, channels, kernel, kernel],
    g: [batch, outputs, outputSide, outputSide],
  };
  const geometry: ConvGeometry = {
    stride: [stride, stride],
    padding: [padding, padding],
    dilation: [1, 1],
    groups: 1,
  };
  const inputs = place(engine, [problem.x, shapes.x], [problem.w, shapes.w], [problem.g, shapes.g]);
  const { conv2d } = convolutionRows;
  return kernelTask(engine, inputs, (_, [x, w, g]) => {
    if (pass === 'forward') return outputOf(conv2d, [x, w], geometry);
    return gradientOf(conv2d, pass === 'input gradient' ? 0 : 1, g, [x, w], geometry);
  });
}

/** An A2Q+ W4A4 training step, whole: also what its loss does not depend on is waited for. */
export function stepTask({ backend, finished }: TimedBackend, model: StepModel, batch: number): Task {
  setBackend(backend);
  const step = makeStep(model, 'a2q+', 13, batch);
  return {
    async run() {
      setBackend(backend);
      const loss = await step.run();
      await finished();
      if (!Number.isFinite(loss)) throw new Error(`${step.name}: the loss is ${loss}`);
      return loss;
    },
    numbers: () => null,
    dispose: () => step.dispose(),
  };
}

function place({ backend }: TimedBackend, ...arrays: readonly (readonly [Float32Array, readonly number[]])[]): View[] {
  return arrays.map(([data, shape]) => contiguousView(Storage.alloc(backend, data.length, 'float32', data), shape));
}

function kernelTask(
  { backend, finished }: TimedBackend,
  inputs: readonly View[],
  kernel: (backend: Backend, inputs: readonly View[]) => View,
): Task {
  return {
    async run() {
      const { storage } = kernel(backend, inputs);
      await finished();
      storage.dispose();
      return storage.length;
    },
    async numbers() {
      const { storage } = kernel(backend, inputs);
      const data = await backend.read(storage.handle, storage.length, storage.dtype);
      storage.dispose();
      return data as Float32Array;
    },
    dispose() {
      for (const { storage } of inputs) storage.dispose();
    },
  };
}
