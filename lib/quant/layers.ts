import { conv2d } from '../autograd/convolution.js';
import { type ConvOptions, evenGeometry, type Pair } from '../autograd/geometry.js';
import { add, clip, div, matmul, mul, reshape, roundHalfEven, transpose } from '../autograd/ops.js';
import { fakeQuantize } from '../autograd/quantize.js';
import { pixelShuffle, resizeConv2d, subPixelKernel } from '../autograd/resample.js';
import type { QuantGrid } from '../kernels/fast.js';
import type { ConvGeometry } from '../kernels/geometry.js';
import type { Join } from '../nn/layers/chain.js';
import { resizeWeightShape, weightShape } from '../nn/layers/conv.js';
import { type LayerRole, WeightedModule } from '../nn/layers/weighted.js';
import { asModule, Module } from '../nn/module.js';
import type { Parameter } from '../nn/parameter.js';
import { asCapable, asChoice, asFunction, asInstance, asOptions } from '../tensor/argument.js';
import { full } from '../tensor/create.js';
import { QuantError, ShapeError } from '../tensor/errors.js';
import type { Random } from '../tensor/random.js';
import type { Tensor } from '../tensor/tensor.js';
import { type ActivationFactory, type ActivationOptions, ActivationQuantizer } from './activation.js';
import { FrozenWeights } from './frozenWeights.js';
import { MAX_INT32_BIAS } from './integerRange.js';
import type { QuantTensor } from './quantTensor.js';
import type { WeightQuantizer, WeightQuantizerFactory } from './weightQuantizer.js';

/** How a layer is quantized. */
export interface QuantLayerOptions {
  /** How its weights become integers, for example `a2qPlus({ bits: 4, accumulatorBits: 13 })`. */
  readonly weight: WeightQuantizerFactory;
  /** The quantizer of its input: a factory for one of its own, or the module upstream whose grid the values are on. */
  readonly input: ActivationFactory | ActivationQuantizer;
  /** Default true. */
  readonly bias?: boolean;
  /** Default hidden. */
  readonly role?: LayerRole;
  /** `int32` rounds the bias to the accumulator's grid s_x·s_w, within int32. Default `float`. */
  readonly biasQuant?: 'float' | 'int32';
  /** Draws the initial weights. */
  readonly random: Random;
}

/** A product of integers carried out in some other way than the float simulation, e.g. by a P-bit accumulator. */
export type IntegerProduct = (layer: QuantLayer, x: Tensor, w: QuantTensor) => Tensor;

/** What every layer with an accumulator has: quantized input, quantized weights, one dot product per output. */
export abstract class QuantLayer extends WeightedModule {
  /** Parameters of the weight quantizer appear under `weight_quant`. */
  readonly weightQuant: WeightQuantizer;
  /** The layer's own input quantizer; null if the module upstream quantizes. */
  readonly inputQuant: ActivationQuantizer | null;
  readonly biasQuant: 'float' | 'int32';
  /** Replaces the float simulation of the integer product; null means float. */
  product: IntegerProduct | null = null;
  /** Sees input and output of every call; null means nobody. */
  observer: ((layer: QuantLayer, x: Tensor, y: Tensor) => void) | null = null;
  /** False computes with the float weights, for comparison. */
  quantizeWeights = true;
  readonly #upstream: ActivationQuantizer;
  #frozen: FrozenWeights | null = null;

  constructor(op: string, shape: readonly number[], options: QuantLayerOptions) {
    super(op, shape, {
      random: asOptions(op, options).random,
      bias: options.bias ?? true,
      role: options.role ?? 'hidden',
    });
    checkQuantizers(op, options);
    this.inputQuant = options.input instanceof ActivationQuantizer ? null : options.input();
    this.#upstream = this.inputQuant ?? (options.input as ActivationQuantizer);
    this.weightQuant = asCapable(op, 'what weight makes', options.weight(this.weight, this.#upstream), 'quantize');
    this.biasQuant = asChoice(op, 'biasQuant', options.biasQuant ?? 'float', ['float', 'int32']);
  }

  /** The quantizer that put this layer's inputs on their grid: N, 1s and s_x. */
  get input(): ActivationQuantizer {
    return this.#upstream;
  }

  /** K, terms of one dot product. */
  get dotLength(): number {
    return this.weight.size / this.weight.shape[0];
  }

  /** Whether the layer computes with integers from before: see {@link freeze}. */
  get frozen(): boolean {
    return this.#frozen !== null;
  }

  /**
   * Computes with these integers from now on, in evaluation: those a run has stored, on whatever backend.
   * @param q `[O, …]`, row-major, of the weight's shape @param scales `[O]`
   * @throws ShapeError, QuantError as {@link FrozenWeights}
   */
  freeze(q: ArrayLike<number>, scales: ArrayLike<number>): void {
    this.#frozen = new FrozenWeights(this.weight, this.weightQuant, q, scales);
  }

  /** Quantizes the weights as they are again. */
  unfreeze(): void {
    this.#frozen = null;
  }

  /** The weights on their grid. @throws QuantError if they are frozen, and trained or overwritten since */
  quantWeight(): QuantTensor {
    if (this.#frozen === null) {
      return asOptions('QuantLayer', this.weightQuant.quantize(this.weight), 'what the weight quantizer returns');
    }
    if (!this.training) return this.#frozen.quantTensor();
    throw new QuantError('QuantLayer', 'the integers of this layer are frozen; unfreeze() it before training');
  }

  /** The float product of dequantized values; shapes as the layer's. */
  abstract multiply(x: Tensor, w: Tensor): Tensor;

  /** As {@link multiply}, of integers; those of `w` are at most `most` in magnitude. Override both or neither. */
  multiplyIntegers(x: Tensor, w: Tensor, _most: number): Tensor {
    return this.multiply(x, w);
  }

  /**
   * The product of values on their grids. In training that of the floats. In evaluation the inputs are taken to be on
   * the grid they should be on, and `s_x·s_w·Σ q_x·q_w` is rounded where the product is, the sum being exact in float32
   * below 2^24 (`‖q_w‖₁·max|q_x|`): what is evaluated is what integers will compute.
   */
  multiplyQuantized(x: Tensor, w: QuantTensor): Tensor {
    if (this.training || this.input.calibrating || !multipliesPlainly(this)) return this.multiply(x, w.value);
    const { low, high } = this.input.range;
    const s = reshape(this.input.scale(), []);
    const qx = onUnitGrid(div(x, s), { low, high });
    const most = 2 ** (w.bits - 1);
    const qw = onUnitGrid(div(w.value, w.scale), { low: -most, high: most - 1 });
    // Sums that were scaled on the way, as tiles' are, are a little off their integers.
    const sums = roundHalfEven(this.multiplyIntegers(qx, qw, most));
    const steps = mul(reshape(w.scale, [w.scale.size]), reshape(s, [1]));
    return mul(sums, reshape(steps, [1, steps.size, ...sums.shape.slice(2).map(() => 1)]));
  }

  override forward(input: Tensor): Tensor {
    const x = this.inputQuant ? this.inputQuant.forward(input) : input;
    const w = this.quantizeWeights ? this.quantWeight() : null;
    let y: Tensor;
    if (w === null) y = this.multiply(x, this.weight);
    else if (this.product) y = this.product(this, x, w);
    else y = this.multiplyQuantized(x, w);
    if (this.bias) {
      const perChannel = [1, this.bias.size, ...y.shape.slice(2).map(() => 1)];
      y = add(y, reshape(w ? this.#quantBias(w, this.bias) : this.bias, perChannel));
    }
    this.observer?.(this, x, y);
    return y;
  }

  /** `clip(round(b / (s_x·s_w))) · s_x·s_w`, straight through; the clip is to int32. */
  #quantBias(w: QuantTensor, bias: Parameter): Tensor {
    if (this.biasQuant === 'float') return bias;
    const step = mul(reshape(w.scale, [this.weight.shape[0]]), reshape(this.input.scale(), [1]));
    return mul(clip(roundHalfEven(div(bias, step)), -MAX_INT32_BIAS, MAX_INT32_BIAS), step);
  }
}

/** Rounded to integers, which backends then know to be such: their products can be exact. */
function onUnitGrid(x: Tensor, grid: QuantGrid): Tensor {
  return fakeQuantize(x, full([], 1, { dtype: x.dtype, device: x.device }), grid);
}

function checkQuantizers(op: string, { weight, input }: QuantLayerOptions): void {
  asFunction(op, 'weight', weight);
  if (!(input instanceof ActivationQuantizer)) asFunction(op, 'input', input);
}

/** `y = x·Wᵀ + b` with integer weights and inputs; x `[N, in]`, W `[out, in]`. */
export class QuantLinear extends QuantLayer {
  constructor(inFeatures: number, outFeatures: number, options: QuantLayerOptions) {
    super('QuantLinear', [outFeatures, inFeatures], options);
  }

  override multiply(x: Tensor, w: Tensor): Tensor {
    if (x.rank !== 2 || x.shape[1] !== w.shape[1]) {
      throw new ShapeError('QuantLinear', `wants [N, ${w.shape[1]}]`, [x.shape]);
    }
    return matmul(x, transpose(w));
  }
}

/** Settings of a quantized convolution. */
export interface QuantConvOptions extends QuantLayerOptions, ConvOptions {}

/** `x [N, Cin, H, W] * W [Cout, Cin/groups, kh, kw] → [N, Cout, oh, ow]` with integer weights and inputs. */
export class QuantConv2d extends QuantLayer {
  readonly geometry: ConvGeometry;

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: QuantConvOptions) {
    const { groups } = asOptions('QuantConv2d', options);
    super('QuantConv2d', weightShape('QuantConv2d', inChannels, outChannels, kernel, groups), options);
    this.geometry = evenGeometry('QuantConv2d', options, kernel);
  }

  override multiply(x: Tensor, w: Tensor): Tensor {
    return conv2d(x, w, null, this.geometry);
  }
}

/** Nearest up-sampling by `factor`, then a convolution that keeps the size, with integer weights and inputs. */
export class QuantResizeConv2d extends QuantLayer {
  /** Of the convolution at the large resolution. */
  readonly geometry: ConvGeometry;

  /** @param kernel side of the square kernel, odd @throws ShapeError for an even kernel or a factor below 1 */
  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number,
    readonly factor: number,
    options: QuantLayerOptions,
  ) {
    super(
      'QuantResizeConv2d',
      resizeWeightShape('QuantResizeConv2d', inChannels, outChannels, kernel, factor),
      options,
    );
    this.geometry = evenGeometry('QuantResizeConv2d', { padding: (kernel - 1) / 2 }, kernel);
  }

  override multiply(x: Tensor, w: Tensor): Tensor {
    return resizeConv2d(x, w, null, this.factor);
  }

  override multiplyIntegers(x: Tensor, w: Tensor, most: number): Tensor {
    const { kernel, padding } = subPixelKernel(w, this.factor);
    const sum = most * w.shape[2] * w.shape[3];
    const geometry = { stride: [1, 1], padding, dilation: [1, 1], groups: 1 } as const;
    return pixelShuffle(conv2d(x, onUnitGrid(kernel, { low: -sum, high: sum }), null, geometry), this.factor);
  }
}

/** Whether the layer multiplies inputs and weights as this library does, and not by a method of its author's own. */
export function multipliesPlainly(layer: QuantLayer): boolean {
  const { multiply } = asInstance('multipliesPlainly', 'the layer', layer, QuantLayer);
  return [QuantLinear, QuantConv2d, QuantResizeConv2d].some(({ prototype }) => multiply === prototype.multiply);
}

/** max(x, 0), then unsigned N bits. */
export class QuantReLU extends ActivationQuantizer {
  constructor(options: Omit<ActivationOptions, 'signed' | 'relu'>) {
    super({ ...options, signed: false, relu: true });
  }
}

/** N bits and nothing else; signed unless told otherwise. */
export class QuantIdentity extends ActivationQuantizer {
  constructor(options: Omit<ActivationOptions, 'signed' | 'relu'> & { readonly signed?: boolean }) {
    super({ ...options, signed: asOptions('QuantIdentity', options).signed ?? true });
  }
}

/** Residual addition: both branches go through one quantizer first, so that their integers share a scale. */
export class QuantAdd extends Module implements Join {
  readonly branchQuant: ActivationQuantizer;

  constructor(options: Omit<ActivationOptions, 'relu'>) {
    super();
    this.branchQuant = new ActivationQuantizer(options);
  }

  get branch(): ActivationQuantizer {
    return this.branchQuant;
  }

  override forward(a: Tensor, b: Tensor): Tensor {
    return add(this.branch.forward(a), this.branch.forward(b));
  }
}

/** The layers of a model that have an accumulator, with their names. */
export function* quantLayers(model: Module): Generator<[name: string, layer: QuantLayer]> {
  const modules = asModule('quantLayers', model).namedModules();
  for (const [name, module] of modules) if (module instanceof QuantLayer) yield [name, module];
}

/** The activation quantizers of a model, with their names. */
export function* activationQuantizers(model: Module): Generator<[name: string, quantizer: ActivationQuantizer]> {
  const modules = asModule('activationQuantizers', model).namedModules();
  for (const [name, module] of modules) if (module instanceof ActivationQuantizer) yield [name, module];
}
