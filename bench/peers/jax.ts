import type { Array as JaxArray } from '@jax-js/jax';
import type { Engine, Entry } from '../engine.js';
import type { ConvProblem, MatmulProblem } from '../problem.js';

type Jax = typeof import('@jax-js/jax');

/**
 * jax-js on its wasm backend. Operations run eagerly: its `jit` fuses them into slower kernels (a convolution takes ten
 * times as long). Gradients come from `vjp`, which costs what its `grad` does.
 * @throws Error if it is not installed or has no wasm here
 */
export async function loadJax(): Promise<Engine> {
  const jax = await import('@jax-js/jax');
  const devices = await jax.init('wasm');
  if (!devices.includes('wasm')) throw new Error(`jax-js has no wasm here, only ${devices.join(', ')}`);
  jax.defaultDevice('wasm');
  return {
    name: 'jax-js',
    enter: async (problem) => (problem.kind === 'matmul' ? product(jax, problem) : convolution(jax, problem)),
  };
}

function array(jax: Jax, data: Float32Array, shape: number[]): JaxArray {
  return jax.numpy.array(data as Float32Array<ArrayBuffer>).reshape(shape);
}

function product(jax: Jax, { a, b, m, k, n }: MatmulProblem): Entry {
  const left = array(jax, a, [m, k]);
  const right = array(jax, b, [k, n]);
  return entry([left, right], () => [jax.numpy.matmul(left.ref, right.ref)]);
}

function convolution(jax: Jax, problem: ConvProblem): Entry {
  const { batch, channels, side, outputs, outputSide, kernel, stride, padding, gradients } = problem;
  const x = array(jax, problem.x, [batch, channels, side, side]);
  const w = array(jax, problem.w, [outputs, channels, kernel, kernel]);
  const border: [number, number] = [padding, padding];
  const conv = (image: JaxArray, filter: JaxArray) =>
    jax.lax.convGeneralDilated(image, filter, [stride, stride], [border, border]);
  if (!gradients) return entry([x, w], () => [conv(x.ref, w.ref)]);
  const g = array(jax, problem.g, [batch, outputs, outputSide, outputSide]);
  return entry([x, w, g], () => {
    const [y, pullBack] = jax.vjp(conv, [x.ref, w.ref]);
    const [dx, dw] = pullBack(g.ref);
    pullBack.dispose();
    return [y, dx, dw];
  });
}

/** Arrays are owned: `.ref` lends one for a single use, and reading a result gives it up. */
function entry(inputs: readonly JaxArray[], compute: () => readonly JaxArray[]): Entry {
  return {
    async run() {
      const outputs: Float32Array[] = [];
      for (const result of compute()) outputs.push((await result.data()) as Float32Array);
      return outputs;
    },
    canonical: (outputs) => outputs,
    dispose() {
      for (const input of inputs) input.dispose();
    },
  };
}
