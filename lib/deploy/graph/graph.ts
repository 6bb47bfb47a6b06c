/**
 * The integer graph: what is left of a trained network when every number in it is an integer. It is made by `lower`,
 * read from files by `decodeNetwork`, and is the one thing that runtime, audit, overflow laboratory, cost report and
 * exporters read. Values are named after the node that makes them (single assignment); nodes stand in an order in which
 * they can be computed. Images are `[N, C, H, W]`, row-major; N is never fixed, H and W only where a node says so.
 */

/** A network of integers. Immutable, plain data. */
export interface IntegerGraph {
  /** For people. */
  readonly name: string;
  readonly input: GraphInput;
  readonly nodes: readonly GraphNode[];
  readonly output: GraphOutput;
  /** Weights, thresholds and multipliers, by the names that nodes give. */
  readonly tensors: ReadonlyMap<string, IntegerTensor>;
  /** What the network is for, and how pictures become its inputs; null if that is not known. */
  readonly task: GraphTask | null;
  /** What could not be carried over to the last bit, for people. */
  readonly notes: readonly string[];
}

/** Integers in row-major order, in the narrowest array that holds them. */
export interface IntegerTensor {
  readonly shape: readonly number[];
  readonly data: Int8Array | Int16Array | Int32Array;
}

/** An integer grid: a real value is worth `scale · q`, with q of `low … high`. */
export interface IntegerGrid {
  /** c and d of the papers. */
  readonly low: number;
  readonly high: number;
  readonly scale: number;
}

/** How a real input becomes integers: `q = clip(roundHalfEven(fround(x / scale)), low, high)`. */
export interface GraphInput extends IntegerGrid {
  readonly name: string;
  /** Of one sample: `[C, H, W]` or `[F]`, as the network was lowered; see `inferShapes` for others. */
  readonly shape: readonly number[];
}

/** How the integers of the last value become real numbers: the steps one after the other, each rounded to float32. */
export interface GraphOutput {
  /** The value. */
  readonly value: string;
  readonly decode: readonly DecodeStep[];
}

/** One float32 operation, elementwise, with one number or one for each channel (axis 1); maximum 0 is a ReLU. */
export interface DecodeStep {
  readonly op: 'multiply' | 'divide' | 'add' | 'maximum';
  readonly values: readonly number[];
}

/** What a network is for. Pixels are bytes; the network sees `(byte / 255 − mean) / std`, in float32, per channel. */
export type GraphTask =
  | { readonly kind: 'labels'; readonly classes: readonly string[]; readonly pixels: PixelMap }
  | { readonly kind: 'images'; readonly factor: number; readonly pixels: PixelMap };

/** Per-channel normalisation. */
export interface PixelMap {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

interface NodeOf<Op extends string> {
  readonly op: Op;
  /** Of the node and of the value it makes: unique in the graph. */
  readonly name: string;
  /** Values it reads. */
  readonly inputs: readonly string[];
}

/** Windows over the last two axes, `[vertical, horizontal]` each. */
interface WindowOf {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** A node with an accumulator: one dot product for each output. */
interface ProductOf<Op extends string> extends NodeOf<Op> {
  /** Name of the integer weights `[O, …]`: output channels first. */
  readonly weights: string;
  /** M. */
  readonly weightBits: number;
  /** P that the layer was trained for, and so claims; null if nobody constrained it. */
  readonly accumulatorBits: number | null;
}

/**
 * `[N, C, H, W] * [O, C/groups, kh, kw] → [N, O, oh, ow]`: sums of products of integers, zeros around the image.
 * `resize` r repeats every input pixel r × r times first (nearest up-sampling).
 */
export interface ConvNode extends ProductOf<'conv'>, WindowOf {
  readonly groups: number;
  readonly resize: number;
}

/** `[N, K] · [O, K]ᵀ → [N, O]`. */
export type LinearNode = ProductOf<'linear'>;

/** The sum of two or more values of one shape, on one grid. */
export type AddNode = NodeOf<'add'>;

/** Maximum over windows; what lies outside of the image never wins. */
export interface MaxPoolNode extends NodeOf<'maxPool'>, WindowOf {
  readonly kernel: readonly [number, number];
}

/**
 * Sum over windows, zeros around the image: an average before its division. Kernel null sums each whole plane, to
 * `[N, C, 1, 1]`.
 */
export interface SumPoolNode extends NodeOf<'sumPool'>, WindowOf {
  readonly kernel: readonly [number, number] | null;
}

/** Every pixel r × r times. */
export interface UpsampleNode extends NodeOf<'upsample'> {
  readonly factor: number;
}

/** `[N, C·r², H, W] → [N, C, r·H, r·W]`, as PyTorch's PixelShuffle (ONNX: DepthToSpace, mode CRD). */
export interface PixelShuffleNode extends NodeOf<'pixelShuffle'> {
  readonly factor: number;
}

/** Channels (axis 1) of the inputs one after the other; all on one grid. */
export type ConcatNode = NodeOf<'concat'>;

/** The same integers in row-major order under another shape. */
export interface ReshapeNode extends NodeOf<'reshape'> {
  /** Of one sample, without the batch axis; −1, once, stands for what is left. */
  readonly shape: readonly number[];
}

/** Axes in another order; axis 0, the batch, stays. */
export interface PermuteNode extends NodeOf<'permute'> {
  readonly axes: readonly number[];
}

/** What all requantizations say: per channel (axis 1), or the same for all, `[C]` or `[1]`. */
interface RequantizeOf extends NodeOf<'requantize'> {
  /** Of the results. */
  readonly low: number;
  readonly high: number;
  /** Worth of one step of the results, in the network's real numbers; what the runtime does not need. */
  readonly scale: number;
}

/**
 * `out = base + sign · #{k : a ≥ threshold_k}`: exactly what the network computes between an accumulator and the next
 * grid (scales, bias, batch norm, ReLU, rounding, clipping), for every integer `a` that can be reached.
 */
export interface ThresholdNode extends RequantizeOf {
  readonly mode: 'thresholds';
  /**
   * Name of `[C, T]`, ascending along each row. One that is always reached is the least `a` there is, one that is never
   * reached the largest + 1.
   */
  readonly thresholds: string;
  /** Name of `[C]`: 1 where results rise with `a`, −1 where they fall. */
  readonly sign: string;
  /** Name of `[C]`: the result below the first threshold, low where results rise and high where they fall. */
  readonly base: string;
}

/**
 * `out = clip((a·multiplier + offset·2^lift + 2^(shift−1)) >> shift, low, high)`, in 53 bits; no half is added for a
 * shift of 0. Within the stated error of what the network computes (Jacob et al. 2018).
 */
export interface FixedPointNode extends RequantizeOf {
  readonly mode: 'fixed';
  /** Of all offsets, 0 … 52. */
  readonly lift: number;
  /** Name of `[C]`, int32. */
  readonly multiplier: string;
  /** Name of `[C]`, int32. */
  readonly offset: string;
  /** Name of `[C]`, 0 … 52. */
  readonly shift: string;
  /** Largest difference to the exact result, in steps, over every reachable `a`. */
  readonly error: number;
}

export type RequantizeNode = ThresholdNode | FixedPointNode;

export type ProductNode = ConvNode | LinearNode;

export type GraphNode =
  | ConvNode
  | LinearNode
  | AddNode
  | MaxPoolNode
  | SumPoolNode
  | UpsampleNode
  | PixelShuffleNode
  | ConcatNode
  | ReshapeNode
  | PermuteNode
  | RequantizeNode;

/** Whether a node has an accumulator of products. */
export function isProduct(node: GraphNode): node is ProductNode {
  return node.op === 'conv' || node.op === 'linear';
}

/** The integers in the narrowest array that holds them. */
export function integerTensor(shape: readonly number[], values: ArrayLike<number>): IntegerTensor {
  let low = 0;
  let high = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  const fits = (bits: number) => low >= -(2 ** (bits - 1)) && high < 2 ** (bits - 1);
  return { shape, data: new (fits(8) ? Int8Array : fits(16) ? Int16Array : Int32Array)(values) };
}
