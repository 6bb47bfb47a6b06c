import { asChoice, asOptions } from '../tensor/argument.js';
import { normal, type TensorOptions, uniform } from '../tensor/create.js';
import { ShapeError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import { checkShape, type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * Initial weights as PyTorch's `nn.init` defines them. Each returns a fresh tensor of the given shape, for
 * `parameter.assign`. Plain uniform and normal draws are `uniform` and `normal` of `lib/tensor`.
 */

/** Numbers one output reads (`fanIn`), and outputs one input reaches (`fanOut`). */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** The fans of a weight `[out, in, …kernel]`. @throws ShapeError for fewer than 2 axes */
export function fansOf(shape: Shape): Fans {
  checkShape('init', shape);
  if (shape.length < 2) throw new ShapeError('init', 'fans need a weight of at least 2 axes [out, in, …]', [shape]);
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: shape[1] * kernel, fanOut: shape[0] * kernel };
}

/** What follows the layer; its gain keeps the variance of activations from layer to layer. */
export type Nonlinearity = (typeof NONLINEARITIES)[number];

const NONLINEARITIES = ['linear', 'sigmoid', 'tanh', 'relu', 'leakyRelu', 'selu'] as const;

/** The recommended gain of a nonlinearity; `slope` is that of `leakyRelu`. @throws ArgumentError for another name */
export function gainOf(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (asChoice('gainOf', 'nonlinearity', nonlinearity, NONLINEARITIES)) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + slope * slope));
    case 'selu':
      return 3 / 4;
  }
}

/** Settings of He initialisation. */
export interface KaimingOptions extends TensorOptions {
  /** Keep the variance of activations (`fanIn`, default) or of gradients (`fanOut`). */
  readonly mode?: keyof Fans;
  /** Default `leakyRelu`. */
  readonly nonlinearity?: Nonlinearity;
  /** Negative slope of `leakyRelu`. Default 0, which makes it a ReLU. */
  readonly slope?: number;
}

function kaimingDeviation(shape: Shape, options: KaimingOptions): number {
  const { mode = 'fanIn' } = asOptions('kaiming', options);
  const fan = fansOf(shape)[asChoice('kaiming', 'mode', mode, ['fanIn', 'fanOut'])];
  return gainOf(options.nonlinearity ?? 'leakyRelu', options.slope ?? 0) / Math.sqrt(fan);
}

/** He initialisation (He et al. 2015), uniform in ±√3·gain/√fan. */
export function kaimingUniform(shape: Shape, random: Random, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingDeviation(shape, options);
  return uniform(shape, random, -bound, bound, options);
}

/** He initialisation (He et al. 2015), normal with deviation gain/√fan. */
export function kaimingNormal(shape: Shape, random: Random, options: KaimingOptions = {}): Tensor {
  return normal(shape, random, 0, kaimingDeviation(shape, options), options);
}

/** Settings of Xavier initialisation. */
export interface XavierOptions extends TensorOptions {
  /** Default 1. */
  readonly gain?: number;
}

function xavierDeviation(shape: Shape, options: XavierOptions): number {
  const { fanIn, fanOut } = fansOf(shape);
  return (asOptions('xavier', options).gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut));
}

/** Xavier initialisation (Glorot and Bengio 2010), uniform in ±gain·√(6/(fanIn + fanOut)). */
export function xavierUniform(shape: Shape, random: Random, options: XavierOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierDeviation(shape, options);
  return uniform(shape, random, -bound, bound, options);
}

/** Xavier initialisation (Glorot and Bengio 2010), normal with deviation gain·√(2/(fanIn + fanOut)). */
export function xavierNormal(shape: Shape, random: Random, options: XavierOptions = {}): Tensor {
  return normal(shape, random, 0, xavierDeviation(shape, options), options);
}

/** The default weight of linear and convolutional layers: uniform in ±1/√fanIn. */
export function defaultWeight(shape: Shape, random: Random, options: TensorOptions = {}): Tensor {
  return kaimingUniform(shape, random, { ...options, slope: Math.sqrt(5) });
}

/** The default bias that goes with a weight of `weightShape`: one number an output, uniform in ±1/√fanIn. */
export function defaultBias(weightShape: Shape, random: Random, options: TensorOptions = {}): Tensor {
  const bound = 1 / Math.sqrt(fansOf(weightShape).fanIn);
  return uniform([weightShape[0]], random, -bound, bound, options);
}
