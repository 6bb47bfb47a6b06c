import type { Random } from '../lib/tensor/random.js';

/** `a [m, k] · b [k, n]`. */
export interface MatmulProblem {
  readonly kind: 'matmul';
  readonly name: string;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** Multiplications and additions of one run. */
  readonly flops: number;
}

/** Extents of a square convolution, padded by half its kernel. */
export interface ConvShape {
  readonly batch: number;
  readonly channels: number;
  /** Height and width of the images. */
  readonly side: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride?: number;
}

/**
 * `x [N, C, H, W]` with `w [O, C, kh, kw]`; with `gradients` also the derivatives of `Σ g·y` with respect to both, `g`
 * of the shape of the output `y`.
 */
export interface ConvProblem extends Required<ConvShape> {
  readonly kind: 'conv';
  readonly name: string;
  readonly gradients: boolean;
  readonly padding: number;
  /** Height and width of the output. */
  readonly outputSide: number;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly g: Float32Array;
  /** Multiplications and additions of the direct algorithm; three times the forward pass's with gradients. */
  readonly flops: number;
}

/** One computation, with its numbers, that several engines are to do. */
export type Problem = MatmulProblem | ConvProblem;

function noise(size: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => random.uniform(-1, 1));
}

export function matmulProblem([m, k, n]: readonly [number, number, number], random: Random): MatmulProblem {
  const name = `matmul ${m}x${k}x${n}`;
  return { kind: 'matmul', name, m, k, n, a: noise(m * k, random), b: noise(k * n, random), flops: 2 * m * k * n };
}

export function convProblem(shape: ConvShape, gradients: boolean, random: Random): ConvProblem {
  const { batch, channels, side, outputs, kernel, stride = 1 } = shape;
  const padding = Math.floor(kernel / 2);
  const outputSide = Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const y = batch * outputs * outputSide * outputSide;
  const window = `${kernel}x${kernel}${stride > 1 ? `/${stride}` : ''}`;
  const pass = gradients ? 'forward+backward' : 'forward';
  return {
    kind: 'conv',
    name: `conv ${window} ${batch}x${channels}x${side}x${side} -> ${outputs} ${pass}`,
    gradients,
    ...shape,
    stride,
    padding,
    outputSide,
    x: noise(batch * channels * side * side, random),
    w: noise(outputs * channels * kernel * kernel, random),
    g: noise(y, random),
    flops: 2 * y * channels * kernel * kernel * (gradients ? 3 : 1),
  };
}
