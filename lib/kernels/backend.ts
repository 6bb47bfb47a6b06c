import type { Shape } from '../tensor/shape.js';
import type { Device, DType } from '../tensor/storage.js';
import type { View } from '../tensor/view.js';

/**
 * The contract between the tensors and the machine.
 *
 * Every kernel reads views (any strides, offset, stride 0 for broadcast axes; operands on this backend, of one dtype,
 * shapes already checked) and returns a fresh contiguous view it has allocated. Kernels neither validate nor warn, and
 * know nothing of gradients. `RequiredKernels` is what a new backend must write; `FusedKernels` all have a default
 * composed from simpler ones (`defaults.ts`), which is their definition: a faster one must agree with it.
 */

/** Elementwise functions of one operand. `exp2` is 2^x; `roundHalfEven` rounds ties to even, `trunc` toward zero. */
export const UNARY_OPS = [
  'neg',
  'abs',
  'sign',
  'exp',
  'exp2',
  'log',
  'log2',
  'sqrt',
  'square',
  'relu',
  'tanh',
  'sigmoid',
  'roundHalfEven',
  'trunc',
  'floor',
  'ceil',
] as const;
export type UnaryOp = (typeof UNARY_OPS)[number];

/** Elementwise functions of two operands of one shape. Comparisons give 1 or 0 in the operands' dtype. */
export const BINARY_OPS = [
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'equal',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
] as const;
export type BinaryOp = (typeof BINARY_OPS)[number];

export type ReduceOp = 'sum' | 'max';

/** Geometry of a sliding window, `[vertical, horizontal]` each. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** Geometry of a convolution: a window, and groups that divide input and output channels. */
export interface ConvGeometry extends Omit<Window, 'kernel'> {
  readonly groups: number;
}

/** Output extents of a window sliding over `[height, width]`. */
export function windowExtents(window: Window, height: number, width: number): [number, number] {
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor(
      (size + 2 * window.padding[axis] - window.dilation[axis] * (window.kernel[axis] - 1) - 1) / window.stride[axis],
    ) + 1;
  return [extent(height, 0), extent(width, 1)];
}

/** What a backend must write. */
export interface RequiredKernels {
  fill(shape: Shape, value: number, dtype: DType): View;
  /** A contiguous copy of any view. */
  copy(x: View): View;
  /**
   * Writes `x` into the elements of `into`, a view of equal shape into a storage the caller owns. Views do not overlap.
   */
  copyInto(x: View, into: View): void;
  unary(op: UnaryOp, x: View): View;
  binary(op: BinaryOp, a: View, b: View): View;
  /** Elementwise `condition ≠ 0 ? a : b`; three views of one shape. */
  where(condition: View, a: View, b: View): View;
  /** Collapses `axes` (ascending, not empty) to extent 1. The maximum of no elements is −∞. */
  reduce(op: ReduceOp, x: View, axes: readonly number[]): View;
  /** `a [B, m, k] · b [B, k, n] → [B, m, n]`. */
  matmul(a: View, b: View): View;
  /** As `matmul`, on int32, exact modulo 2³². */
  integerMatmul(a: View, b: View): View;
  /** `x [N, C, H, W] → [N, C, kh·kw, oh·ow]`: every window as a column, zeros outside the image. */
  im2col(x: View, window: Window): View;
  /** The adjoint of `im2col`: adds every column back into an image of `shape` `[N, C, H, W]`. */
  col2im(columns: View, shape: Shape, window: Window): View;
}

/** Statistics of the channels of a batch. */
export interface ChannelStats {
  /** `[C]`. */
  readonly mean: View;
  /** Biased variance, `[C]`. */
  readonly variance: View;
}

/** An integer grid `low … high`, and whether a ReLU comes before it (activations). */
export interface QuantGrid {
  readonly low: number;
  readonly high: number;
  /** Quantize max(x, 0) in place of x; the gradient to x is 0 where x ≤ 0. Default false. */
  readonly relu?: boolean;
}

/** Batch norm in training, and what follows it in the same pass. */
export interface NormSettings {
  /** Added to the variance. */
  readonly epsilon: number;
  /** Nothing, a ReLU, or quantization on a grid (by a scale given beside it). */
  readonly activation: 'none' | 'relu' | QuantGrid;
}

/** How accumulator-aware weights are normalised. */
export interface WeightBound {
  /** Q: integers are −Q … Q. */
  readonly limit: number;
  /** Whether the channel's mean is taken off first (A2Q+). */
  readonly centred: boolean;
}

/** The above, with the cap the accumulator sets. */
export interface AccumulatorBound extends WeightBound {
  /** T (T₊): the largest l1 norm of a channel on the integer grid. */
  readonly budget: number;
}

/** A parameter, its gradient and what SGD remembers of it; all but the gradient are contiguous and updated in place. */
export interface SgdState {
  readonly parameter: View;
  readonly gradient: View;
  /** Null without momentum. */
  readonly velocity: View | null;
}

/**
 * A parameter, its gradient and what Adam remembers of it; all but the gradient are contiguous and updated in place.
 */
export interface AdamState {
  readonly parameter: View;
  readonly gradient: View;
  readonly first: View;
  readonly second: View;
}

export interface SgdStep {
  readonly learningRate: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** First step: the momentum buffer becomes the gradient itself. */
  readonly first: boolean;
}

export interface AdamStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** True multiplies the parameter by 1 − lr·decay (AdamW); false adds decay·parameter to the gradient (Adam). */
  readonly decoupled: boolean;
  /** 1 for the first step. */
  readonly step: number;
}

/** Gradients of batch norm and what follows it. */
export interface NormGradients {
  readonly x: View;
  readonly weight: View;
  readonly bias: View;
  /** Null where there is no grid. */
  readonly scale: View | null;
}

/**
 * What a backend may write, because the composed default is slower. Some defaults are composed of other fused kernels
 * of the backend: `a2qWeights` of `boundWeights`, `sgdSteps` of `sgdStep`, and so on.
 */
export interface FusedKernels {
  /** `x [N, C, H, W] * w [O, C/groups, kh, kw] → [N, O, oh, ow]`. */
  conv2d(x: View, w: View, geometry: ConvGeometry): View;
  /** Gradient of `conv2d` to `x`, from `g [N, O, oh, ow]`. */
  conv2dInputGrad(g: View, w: View, inputShape: Shape, geometry: ConvGeometry): View;
  /** Gradient of `conv2d` to `w`. */
  conv2dWeightGrad(g: View, x: View, weightShape: Shape, geometry: ConvGeometry): View;
  /** Maximum over windows; padding never wins. */
  maxPool2d(x: View, window: Window): View;
  /** Gradient of `maxPool2d`, to the first maximum of each window. */
  maxPool2dGrad(g: View, x: View, y: View, window: Window): View;
  /** `[N, C, H, W] → [N, C, H·factor, W·factor]`, each pixel repeated. */
  upsampleNearest(x: View, factor: number): View;
  /** Its adjoint: sums each factor × factor block. */
  upsampleNearestGrad(g: View, factor: number): View;
  /** Mean and biased variance over all axes but 1 of `[N, C, …]`. */
  channelStats(x: View): ChannelStats;
  /** `(x − mean)·scale + shift`, per channel (axis 1); vectors are `[C]`. */
  channelAffine(x: View, mean: View, scale: View, shift: View): View;
  /**
   * Gradients of batch norm in training from `g`, with `rstd = 1/√(variance + ε)`:
   * `weight = Σ g·x̂`, `bias = Σ g`, `x = γ·rstd·(g − bias/n − x̂·weight/n)`, x̂ = (x − mean)·rstd, n values a channel.
   */
  batchNormGrad(g: View, x: View, mean: View, rstd: View, weight: View): { x: View; weight: View; bias: View };
  /**
   * Batch norm in training with what follows it: `y = (x − mean)·γ/√(variance + ε) + β` per channel (axis 1), then
   * `max(y, 0)` or `fakeQuantize(y, scale, grid)` as `settings` say. Writes the batch's mean and biased variance into
   * `stats` (contiguous). `scale` is null without a grid.
   */
  normActivate(
    x: View,
    weight: View,
    bias: View,
    scale: View | null,
    settings: NormSettings,
    stats: ChannelStats,
  ): View;
  /** Its gradients, through the statistics, from `g`, with the statistics it wrote; straight through a grid. */
  normActivateGrad(
    g: View,
    x: View,
    weight: View,
    bias: View,
    scale: View | null,
    settings: NormSettings,
    stats: ChannelStats,
  ): NormGradients;
  /** `into ← keep·into + share·x`, in place on a contiguous view of equal shape: a running average. */
  blendInto(x: View, into: View, keep: number, share: number): void;
  /** `max(2^x, 1e-10) / divisor`: scales of grids from their learned logarithms. */
  powerScale(x: View, divisor: number): View;
  /** Its gradient `g·2^x·ln2 / divisor`; the floor passes. */
  powerScaleGrad(g: View, x: View, divisor: number): View;
  /** `clip(roundHalfEven(x / scale), low, high) · scale`; scale is a 1-element view. */
  fakeQuantize(x: View, scale: View, grid: QuantGrid): View;
  /**
   * Straight-through gradients of `fakeQuantize`: to `x`, g where the *rounded* value is inside the grid, else 0; to
   * the scale (shape of `scale`), `Σ g·(q − x/s)` inside and `Σ g·q` outside.
   */
  fakeQuantizeGrad(g: View, x: View, scale: View, grid: QuantGrid): { x: View; scale: View };
  /**
   * Accumulator-aware weights (A2Q, A2Q+): `s·clip(trunc(v/p), −Q, Q)` with `p = max(‖v‖₁/r, 1e-10)`, per channel.
   * `w [O, K]`, `v` = w or w less its channel mean, `norm` r and `scale` s `[O, 1]`.
   */
  boundWeights(w: View, norm: View, scale: View, bound: WeightBound): View;
  /**
   * Straight-through gradients of `boundWeights`: trunc and the floor of p pass, the clip blocks where the truncated
   * value is outside; ‖·‖₁ (slope sign(v), 0 at 0) and the mean are differentiated.
   */
  boundWeightsGrad(g: View, w: View, norm: View, scale: View, bound: WeightBound): { w: View; norm: View; scale: View };
  /**
   * The weights of an accumulator-aware layer, from its parameters: `boundWeights` of the rows of `w [O, …]` with
   * `s = max(2^d, 1e-10)`, `g = max(2^t, 1e-10)`, `r = min(g/s, T)`; `d` and `t` `[O]`.
   */
  a2qWeights(w: View, d: View, t: View, bound: AccumulatorBound): View;
  /** Its straight-through gradients: both floors pass, `min` passes to g and s where g/s ≤ T. */
  a2qWeightsGrad(g: View, w: View, d: View, t: View, bound: AccumulatorBound): { w: View; d: View; t: View };
  /** `Σ max(g − T·s, 0)` over the channels, a scalar; s and g as above. */
  a2qPenalty(d: View, t: View, budget: number): View;
  /** Its gradients from a scalar `g`. */
  a2qPenaltyGrad(g: View, d: View, t: View, budget: number): { d: View; t: View };
  /** The k-th smallest element (1-based) of all of `x`, as a scalar, and its flat row-major index (float). */
  kthSmallest(x: View, k: number): { value: View; index: View };
  /**
   * Its gradient from a scalar `g`: zeros of the shape of `x`, but `g` at the first element equal to the value found.
   */
  kthSmallestGrad(g: View, x: View, k: number): View;
  /** One step of SGD; `velocity` is null without momentum. */
  sgdStep(parameter: View, gradient: View, velocity: View | null, step: SgdStep): void;
  /** One step of Adam or AdamW on the first and second moments. */
  adamStep(parameter: View, gradient: View, first: View, second: View, step: AdamStep): void;
  /** `sgdStep` of many parameters at once, to the same bits. */
  sgdSteps(states: readonly SgdState[], step: SgdStep): void;
  /** `adamStep` of many parameters at once, to the same bits. */
  adamSteps(states: readonly AdamState[], step: AdamStep): void;
}

/** What a backend's module provides. */
export type BackendImplementation = Device & RequiredKernels & Partial<FusedKernels>;

/** A complete backend: missing fused kernels filled with their defaults by `completeBackend`. */
export type Backend = Device & RequiredKernels & FusedKernels;
