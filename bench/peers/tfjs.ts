import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import type { Engine, Entry, Outputs } from '../engine.js';
import type { ConvProblem, MatmulProblem } from '../problem.js';
import { permuted } from './permute.js';

type TensorFlow = typeof import('@tensorflow/tfjs-core');

/** NCHW → NHWC and back; OIHW → HWIO and back. */
const TO_NHWC = [0, 2, 3, 1];
const FROM_NHWC = [0, 3, 1, 2];
const TO_HWIO = [2, 3, 1, 0];
const FROM_HWIO = [3, 2, 0, 1];

/**
 * TensorFlow.js on one of its backends, in its own data layout (NHWC), without its debugging checks. In Node its wasm
 * backend has one thread.
 * @throws Error if it is not installed or does not start
 */
export async function loadTensorFlow(backend: 'wasm' | 'cpu'): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core');
  tf.enableProdMode();
  if (backend === 'wasm') {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    const home = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
    setWasmPaths(join(dirname(home), 'dist', '/'));
  } else {
    await import('@tensorflow/tfjs-backend-cpu');
  }
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs refused its backend ${backend}`);
  if (!tf.getGradient('Conv2D')) tf.registerGradient(convolutionGradient(tf));
  return {
    name: `tfjs-${backend}`,
    async enter(problem) {
      await tf.setBackend(backend);
      return problem.kind === 'matmul' ? product(tf, problem) : convolution(tf, problem);
    },
  };
}

/**
 * The gradients of a convolution by tfjs's own two kernels. Its core keeps gradient rules apart from what Node can
 * import, so this one is registered here.
 */
function convolutionGradient(tf: TensorFlow): GradConfig {
  return {
    kernelName: 'Conv2D',
    inputsToSave: ['x', 'filter'],
    gradFunc(dy, [x, filter], { strides, pad, dataFormat }) {
      const geometry = { strides, pad, dataFormat, dimRoundingMode: null } as unknown as Record<string, number>;
      const attributes = (more: object) => ({ ...geometry, ...more });
      const gradient = dy as Tensor;
      return {
        x: () =>
          tf
            .engine()
            .runKernel<Tensor>(tf.Conv2DBackpropInput, { dy: gradient, filter }, attributes({ inputShape: x.shape })),
        filter: () =>
          tf
            .engine()
            .runKernel<Tensor>(tf.Conv2DBackpropFilter, { x, dy: gradient }, attributes({ filterShape: filter.shape })),
      };
    },
  };
}

function product(tf: TensorFlow, { a, b, m, k, n }: MatmulProblem): Entry {
  const left = tf.tensor2d(a, [m, k]);
  const right = tf.tensor2d(b, [k, n]);
  return entry(
    [left, right],
    () => [tf.matMul(left, right)],
    (outputs) => outputs,
  );
}

function convolution(tf: TensorFlow, problem: ConvProblem): Entry {
  const { batch, channels, side, outputs, outputSide, kernel, stride, padding, gradients } = problem;
  const nhwc = permuted(problem.x, [batch, channels, side, side], TO_NHWC);
  const hwio = permuted(problem.w, [outputs, channels, kernel, kernel], TO_HWIO);
  const x = tf.tensor4d(nhwc, [batch, side, side, channels]);
  const w = tf.tensor4d(hwio, [kernel, kernel, channels, outputs]);
  const outputShape = [batch, outputSide, outputSide, outputs] as const;
  const canonical = ([y, ...both]: Outputs) => [
    permuted(y, outputShape, FROM_NHWC),
    ...both.map((each, i) => permuted(each, i === 0 ? x.shape : w.shape, i === 0 ? FROM_NHWC : FROM_HWIO)),
  ];
  if (!gradients) return entry([x, w], () => [tf.conv2d(x, w, stride, padding)], canonical);
  const g = tf.tensor4d(permuted(problem.g, [batch, outputs, outputSide, outputSide], TO_NHWC), [...outputShape]);
  const differentiate = tf.valueAndGrads((image, filter) =>
    tf.conv2d(image as typeof x, filter as typeof w, stride, padding),
  );
  const compute = () => {
    const { value, grads } = differentiate([x, w], g);
    return [value, ...grads];
  };
  return entry([x, w, g], compute, canonical);
}

function entry(
  inputs: readonly Tensor[],
  compute: () => readonly Tensor[],
  canonical: (outputs: Outputs) => Outputs,
): Entry {
  return {
    async run() {
      const results = compute();
      const outputs: Float32Array[] = [];
      for (const result of results) outputs.push((await result.data()) as Float32Array);
      for (const result of results) result.dispose();
      return outputs;
    },
    canonical,
    dispose() {
      for (const input of inputs) input.dispose();
    },
  };
}
