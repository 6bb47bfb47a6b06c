import { formatShape } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import { constantAt, type Inputs, noZeroPoint, optionalAt, type Reader, tracedAt } from './importArguments.js';
import { scaled } from './importElementwise.js';
import type { Importer, Settled } from './importer.js';
import type { ImportNode } from './importNode.js';
import { add, multiply } from './importProgram.js';
import { type Constant, constant, type Traced } from './importValues.js';
import { paddingOf, windowOf } from './importWindows.js';

/** The integers of weights, output channels first, and what their steps are worth. */
interface IntegerWeights {
  readonly shape: readonly number[];
  readonly q: Float64Array;
  /** One for each output channel. */
  readonly steps: Float64Array;
  /** M. */
  readonly bits: number;
}

/**
 * The integers behind weights that a quantizer has put on a grid; weights that are whole numbers are their own.
 * @throws DataError naming the node, if they are on no grid, or a channel's are on several
 */
function integersOf(node: ImportNode, weights: Constant): IntegerWeights {
  const { shape, data, steps } = weights;
  const [outputs] = shape;
  const length = data.length / outputs;
  if (!(outputs > 0) || !(length > 0)) node.fail(`has weights of shape ${formatShape(shape)}`);
  if (steps === null && !Array.from(data).every(Number.isInteger)) {
    node.fail('has weights that no Quant node has put on a grid');
  }
  const own = Float64Array.from({ length: outputs }, (_, o) => steps?.[o * length] ?? 1);
  const q = new Float64Array(data.length);
  let most = 1;
  for (let i = 0; i < q.length; i++) {
    const step = own[Math.floor(i / length)];
    if (steps !== null && steps[i] !== step) node.fail('has weights whose scale varies within an output channel');
    q[i] = Math.round(data[i] / step) + 0;
    most = Math.max(most, q[i] < 0 ? -q[i] : q[i] + 1);
  }
  const needed = Math.ceil(Math.log2(most)) + 1;
  const bits = Math.max(weights.bits ?? 2, needed);
  if (bits > 32) node.fail(`has weights of ${bits} bits; at most 32 are read`);
  return { shape, q, steps: own, bits };
}

/** Adds the node of a product. @returns what the sums are worth */
function summed(
  node: ImportNode,
  importer: Importer,
  x: Settled,
  { shape, q, steps, bits }: IntegerWeights,
  given: { readonly op: 'linear' } | ConvGiven,
): Traced {
  const integer = node.op.endsWith('Integer');
  const weights = importer.builder.keep(`${node.name}.weight`, shape, q);
  const common = { inputs: [x.source], weights, weightBits: bits, accumulatorBits: null };
  const made = importer.made(node, node.name, { ...given, ...common }, { step: 1, integer });
  const worth = steps.map((step) => step * x.grid.step);
  if (worth.every((step) => step === worth[0])) return importer.plain(made.source, { step: worth[0], integer });
  return { ...made, program: [multiply(worth)], grid: null, plain: false };
}

interface ConvGiven {
  readonly op: 'conv';
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly resize: number;
}

/** Adds a bias `[O]` to sums; it stays out of the register. */
function biased(node: ImportNode, importer: Importer, sums: Traced, bias: Constant | null): Traced {
  if (bias === null) return sums;
  if (bias.data.length !== sums.shape[1] && bias.data.length !== 1) {
    node.fail(`has a bias of shape ${formatShape(bias.shape)} for ${sums.shape[1]} channels`);
  }
  const values = Array.from(bias.data);
  return values.every((value) => value === 0) ? sums : importer.follow(node, sums, add(values), null);
}

function convolved(node: ImportNode, inputs: Inputs, importer: Importer): Traced {
  const x = tracedAt(node, inputs, 0, true);
  const kernel = constantAt(node, inputs, 1, 'weight');
  if (x.shape.length !== 4 || kernel.shape.length !== 4) {
    node.fail(`convolves ${formatShape(x.shape)} with ${formatShape(kernel.shape)}; images [N, C, H, W] are read`);
  }
  const weights = integersOf(node, kernel);
  const [, , kh, kw] = weights.shape;
  const { stride, dilation, pads } = windowOf(node, x, [kh, kw]);
  const { padding, extra } = paddingOf(node, pads, dilation);
  const groups = node.int('group', 1);
  if (groups < 1 || weights.shape[0] % groups !== 0 || weights.shape[1] * groups !== x.shape[1]) {
    node.fail(`has ${formatShape(weights.shape)} weights in ${groups} groups for ${x.shape[1]} channels`);
  }
  const settled = importer.settle(node, x.pads === null ? x : { ...x, pads: null });
  const { source, resize } = repeated(importer, settled.source);
  // Sums over windows are written as convolutions of each channel with ones.
  const isSum = groups === x.shape[1] && weights.shape[0] === groups && weights.q.every((q) => q === 1);
  if (isSum && kernel.steps === null && resize === 1 && extra.every((rows) => rows === 0)) {
    const given = { op: 'sumPool', inputs: [source], kernel: [kh, kw], stride, padding, dilation } as const;
    return importer.made(node, node.name, given, { step: settled.grid.step, integer: settled.integer });
  }
  const given = { op: 'conv', stride, padding, dilation, groups, resize } as const;
  return summed(node, importer, { ...settled, source }, withZeros(weights, extra), given);
}

/** A convolution repeats the pixels that it reads by itself. */
function repeated({ builder }: Importer, source: string): { readonly source: string; readonly resize: number } {
  const made = builder.nodes.find(({ name }) => name === source);
  return made?.op === 'upsample' ? { source: made.inputs[0], resize: made.factor } : { source, resize: 1 };
}

/** A larger kernel with rows and columns of zeros before (top, left) and behind (bottom, right) its own. */
function withZeros(weights: IntegerWeights, extra: readonly number[]): IntegerWeights {
  const [top, left, bottom, right] = extra;
  if (extra.every((rows) => rows === 0)) return weights;
  const [outputs, channels, kh, kw] = weights.shape;
  const [height, width] = [top + kh + bottom, left + kw + right];
  const q = new Float64Array(outputs * channels * height * width);
  for (let i = 0; i < weights.q.length; i++) {
    const row = Math.floor(i / kw);
    const at = (Math.floor(row / kh) * height + (row % kh) + top) * width + left + (i % kw);
    q[at] = weights.q[i];
  }
  return { ...weights, shape: [outputs, channels, height, width], q };
}

const conv: Reader = (node, inputs, importer) =>
  biased(node, importer, convolved(node, inputs, importer), optionalAt(node, inputs, 2, 'bias'));

const convInteger: Reader = (node, inputs, importer) => {
  noZeroPoint(node, inputs, 2);
  noZeroPoint(node, inputs, 3);
  return convolved(node, inputs, importer);
};

/** `x [N, K] · w`, with `w` given as `[K, O]`, or as `[O, K]`. */
function multiplied(node: ImportNode, inputs: Inputs, importer: Importer, outputsFirst: boolean): Traced {
  const x = tracedAt(node, inputs, 0);
  const given = constantAt(node, inputs, 1, 'weight');
  if (x.shape.length !== 2 || given.shape.length !== 2) {
    node.fail(`multiplies ${formatShape(x.shape)} by ${formatShape(given.shape)}; matrices [N, K] are read`);
  }
  const weights = integersOf(node, outputsFirst ? given : turned(given));
  if (weights.shape[1] !== x.shape[1]) node.fail(`has weights for ${weights.shape[1]} of ${x.shape[1]} features`);
  return summed(node, importer, importer.settle(node, x), weights, { op: 'linear' });
}

function turned(matrix: Constant): Constant {
  const [rows, columns] = matrix.shape;
  const turn = (values: ArrayLike<number>) =>
    Float64Array.from({ length: sizeOf(matrix.shape) }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
  const steps = matrix.steps && turn(matrix.steps);
  return { ...matrix, shape: [columns, rows], data: turn(matrix.data), steps };
}

const matMul: Reader = (node, inputs, importer) => multiplied(node, inputs, importer, false);

const matMulInteger: Reader = (node, inputs, importer) => {
  noZeroPoint(node, inputs, 2);
  noZeroPoint(node, inputs, 3);
  return multiplied(node, inputs, importer, false);
};

const gemm: Reader = (node, inputs, importer) => {
  if (node.int('transA', 0) !== 0) node.fail('transposes its first matrix, whose rows are the batch');
  const sums = multiplied(node, inputs, importer, node.int('transB', 0) !== 0);
  const alpha = node.float('alpha', 1);
  const beta = node.float('beta', 1);
  const product = alpha === 1 ? sums : scaled(node, importer, sums, constant([], [alpha]));
  const bias = optionalAt(node, inputs, 2, 'bias');
  return biased(node, importer, product, bias && { ...bias, data: Float64Array.from(bias.data, (b) => b * beta) });
};

export const PRODUCTS = {
  Conv: conv,
  ConvInteger: convInteger,
  MatMul: matMul,
  MatMulInteger: matMulInteger,
  Gemm: gemm,
} as const satisfies Record<string, Reader>;
