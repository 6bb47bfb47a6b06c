import { logSoftmax } from '../autograd/activations.js';
import { checkOperands } from '../autograd/operands.js';
import { add, div, equal, mean, mul, neg, reshape, square, sub, sum, where } from '../autograd/ops.js';
import { asNumbers, asOptions } from '../tensor/argument.js';
import { type TensorOptions, tensor } from '../tensor/create.js';
import { A2QError, DataError, DTypeError, ShapeError } from '../tensor/errors.js';
import { broadcastShapes, checkShape, type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import { hostArray, type TypedArray } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';

/** Class numbers, 0 … classes−1, one a sample (row-major, where each sample is a map of predictions). */
export type Labels = Int32Array | readonly number[];

/** What becomes of the losses of single samples: their mean, their sum, or nothing. PyTorch's names. */
export type Reduction = 'mean' | 'sum' | 'none';

const REDUCTIONS: readonly Reduction[] = ['mean', 'sum', 'none'];

/** Settings of {@link crossEntropy}; PyTorch's names and formulas. */
export interface CrossEntropyOptions {
  /** A factor for each class, C numbers. Default all 1. */
  readonly weight?: Tensor | readonly number[];
  /** A label of samples that do not count, such as 255 or −100; with class numbers only. Default none. */
  readonly ignoreIndex?: number;
  /** ε, 0 … 1: targets become `(1 − ε)·target + ε/C` (Szegedy et al. 2016); a masked class then costs ∞. Default 0. */
  readonly labelSmoothing?: number;
  /** Default `mean`: over samples; with class numbers and weights, divided by the weights of the labels. */
  readonly reduction?: Reduction;
}

/**
 * Row i holds 1 at column `labels[i]` and 0 elsewhere.
 *
 * @returns `[labels.length, classes]`
 * @throws DataError for a label that is not an integer in 0 … classes−1
 */
export function oneHot(labels: Labels, classes: number, options: TensorOptions = {}): Tensor {
  checkShape('oneHot', [asNumbers('oneHot', 'labels', labels).length, classes]);
  checkLabels('oneHot', labels, classes, null);
  return spread(labels, [labels.length, classes], 1, 0, options);
}

/**
 * `−log softmax(logits)[label]` over axis 1, in nats. A class of probability 0 adds nothing, even if its logit is −∞
 * (masked); a sample whose logits are all −∞ has no softmax, and the loss is NaN, as in PyTorch.
 *
 * @param logits `[N, C]`, or dense `[N, C, d₁, …]`
 * @param labels `N·d₁·…` class numbers, or probabilities of the shape of the logits, one-hot or softened
 * @returns a scalar; `[N, d₁, …]` where nothing is reduced
 * @throws ShapeError if the shapes do not fit; DataError for a label out of range, or if all are ignored in a mean;
 *   A2QError for settings out of range
 * @example
 * const logits = tensor([[2, Number.NEGATIVE_INFINITY, 1]]);
 * await crossEntropy(logits, [0]).item(); // 0.3132…: the masked class adds nothing
 */
export function crossEntropy(logits: Tensor, labels: Labels | Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkOperands('crossEntropy', [logits]);
  if (logits.rank < 2 || logits.size === 0) {
    throw new ShapeError('crossEntropy', 'logits must be [N, C, …], not empty', [logits.shape]);
  }
  checkSettings(asOptions('crossEntropy', options));
  const weight = options.weight === undefined ? null : classWeights(logits, options.weight);
  const { target, divisor } =
    labels instanceof Tensor ? probabilities(logits, labels, options) : classNumbers(logits, labels, weight, options);
  const plain = !(labels instanceof Tensor) && weight === null && (options.labelSmoothing ?? 0) === 0;
  const logp = logSoftmax(logits, 1);
  const share = weight === null ? target : mul(target, weight);
  // Ones and zeros choose; that keeps −∞ out without another pass.
  const terms = plain ? where(target, logp, 0) : times(logp, share);
  if (options.reduction === 'none') return neg(sum(terms, { axes: 1 }));
  const total = neg(sum(terms));
  return options.reduction === 'sum' ? total : div(total, divisor);
}

/** `share·logp`, 0 where the share is 0 and the logarithm −∞. */
function times(logp: Tensor, share: Tensor): Tensor {
  const impossible = mul(equal(share, 0), equal(logp, Number.NEGATIVE_INFINITY));
  return mul(where(impossible, 0, logp), share);
}

/** What the logarithms are multiplied by, of the logits' shape, and what a mean divides their sum by. */
interface Target {
  readonly target: Tensor;
  readonly divisor: Tensor | number;
}

function probabilities(logits: Tensor, given: Tensor, options: CrossEntropyOptions): Target {
  if (given.dtype === 'int32') {
    throw new DTypeError('crossEntropy', 'class numbers come as Int32Array or number[], probabilities as floats');
  }
  if (!sameShape(given.shape, logits.shape)) {
    throw new ShapeError('crossEntropy', 'probabilities must have the shape of the logits', [
      given.shape,
      logits.shape,
    ]);
  }
  if (options.ignoreIndex !== undefined) {
    throw new A2QError('crossEntropy', 'ignoreIndex is for class numbers; give ignored samples no probability instead');
  }
  const classes = logits.shape[1];
  const { labelSmoothing: smoothing = 0 } = options;
  return {
    target: smoothing === 0 ? given : add(mul(given, 1 - smoothing), smoothing / classes),
    divisor: logits.size / classes,
  };
}

function classNumbers(logits: Tensor, labels: Labels, weight: Tensor | null, options: CrossEntropyOptions): Target {
  const classes = logits.shape[1];
  const samples = logits.size / classes;
  if (asNumbers('crossEntropy', 'labels', labels).length !== samples) {
    throw new ShapeError('crossEntropy', `${labels.length} labels for ${samples} samples`, [logits.shape]);
  }
  const { ignoreIndex = null, labelSmoothing: smoothing = 0, reduction } = options;
  const counts = checkLabels('crossEntropy', labels, classes, ignoreIndex);
  const counted = counts.reduce((total, count) => total + count, 0);
  if (counted === 0 && (reduction ?? 'mean') === 'mean') {
    throw new DataError(
      'crossEntropy',
      `all labels are ignored (${ignoreIndex}); there is nothing to take the mean of`,
    );
  }
  const where = { dtype: logits.dtype, device: logits.device };
  const off = smoothing / classes;
  const target = spread(labels, logits.shape, 1 - smoothing + off, off, where, ignoreIndex);
  const perClass = () => tensor(counts, [1, classes, ...logits.shape.slice(2).map(() => 1)], where);
  return { target, divisor: weight === null ? counted : sum(mul(perClass(), weight)) };
}

/** How often each class occurs. @throws DataError for a label that is neither a class nor the ignored one */
function checkLabels(op: string, labels: Labels, classes: number, ignored: number | null): Float64Array {
  const counts = new Float64Array(classes);
  for (const [i, label] of labels.entries()) {
    if (label === ignored) continue;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new DataError(op, `label ${label} at position ${i} is not a class of 0 … ${classes - 1}`);
    }
    counts[label] += 1;
  }
  return counts;
}

/** `[N, C, d₁, …]`: `on` at each sample's label and `off` at its other classes; 0 throughout for ignored samples. */
function spread(
  labels: Labels,
  shape: Shape,
  on: number,
  off: number,
  options: TensorOptions,
  ignored: number | null = null,
): Tensor {
  const dtype = options.dtype ?? 'float32';
  const data: TypedArray = hostArray(dtype, sizeOf(shape));
  const classes = shape[1];
  const positions = sizeOf(shape.slice(2));
  for (const [i, label] of labels.entries()) {
    if (label === ignored) continue;
    const first = Math.floor(i / positions) * classes * positions + (i % positions);
    if (off !== 0) for (let c = 0; c < classes; c++) data[first + c * positions] = off;
    data[first + label * positions] = on;
  }
  return tensor(data, shape, { ...options, dtype });
}

/** One factor a class, shaped to broadcast along axis 1 of the logits. */
function classWeights(logits: Tensor, weight: Tensor | readonly number[]): Tensor {
  const given =
    weight instanceof Tensor
      ? weight
      : tensor(checkedWeights(asNumbers('crossEntropy', 'weight', weight)), undefined, {
          dtype: logits.dtype,
          device: logits.device,
        });
  if (given.rank !== 1 || given.size !== logits.shape[1]) {
    throw new ShapeError('crossEntropy', 'weight must hold one number a class', [given.shape, logits.shape]);
  }
  return reshape(given, [1, given.size, ...logits.shape.slice(2).map(() => 1)]);
}

/** @throws A2QError for a factor that is negative or not finite */
function checkedWeights(weight: readonly number[]): number[] {
  const wrong = weight.findIndex((factor) => !(factor >= 0 && Number.isFinite(factor)));
  if (wrong < 0) return [...weight];
  throw new A2QError(
    'crossEntropy',
    `weight must hold finite numbers of at least 0; number ${wrong} is ${weight[wrong]}`,
  );
}

function checkSettings({ ignoreIndex, labelSmoothing, reduction }: CrossEntropyOptions): void {
  checkReduction('crossEntropy', reduction);
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex)) {
    throw new A2QError('crossEntropy', `ignoreIndex must be an integer; it is ${ignoreIndex}`);
  }
  if (labelSmoothing !== undefined && !(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new A2QError('crossEntropy', `labelSmoothing must be 0 … 1; it is ${labelSmoothing}`);
  }
}

function checkReduction(op: string, reduction: Reduction = 'mean'): void {
  if (REDUCTIONS.includes(reduction)) return;
  throw new A2QError(op, `reduction must be ${REDUCTIONS.join(', ')}; it is ${String(reduction)}`);
}

/**
 * `(x − target)²`, of shapes that broadcast; by default the mean over all elements.
 *
 * @returns a scalar; the common shape where nothing is reduced
 * @throws ShapeError if the shapes do not broadcast, or have no elements to take the mean of
 */
export function mse(x: Tensor, target: Tensor, options: { readonly reduction?: Reduction } = {}): Tensor {
  const { reduction = 'mean' } = asOptions('mse', options);
  checkReduction('mse', reduction);
  checkOperands('mse', [x, target]);
  const shape = broadcastShapes('mse', x.shape, target.shape);
  if (reduction === 'mean' && sizeOf(shape) === 0) {
    throw new ShapeError('mse', 'there are no elements to take the mean of', [x.shape, target.shape]);
  }
  const squares = square(sub(x, target));
  if (reduction === 'none') return squares;
  return reduction === 'sum' ? sum(squares) : mean(squares);
}
