import { batchNorm, type NormFollower } from '../../autograd/normalization.js';
import { add, div, mul, reshape, sqrt, sub } from '../../autograd/ops.js';
import { choose } from '../../kernels/trace.js';
import * as v from '../../kernels/value.js';
import { offer } from '../../kernels/wasm/fast.js';
import { normalizationKernels } from '../../kernels/wasm/normalization.js';
import { asOptions, asTensor } from '../../tensor/argument.js';
import { ones, type TensorOptions, zeros } from '../../tensor/create.js';
import { A2QError, ShapeError } from '../../tensor/errors.js';
import { scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { View } from '../../tensor/view.js';
import { asModule, Module } from '../module.js';
import { Buffer, Counter, Parameter } from '../parameter.js';

offer(normalizationKernels);

/** Settings of batch norm; PyTorch's defaults. */
export interface BatchNormOptions extends TensorOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Share of each batch in the running statistics, 0 … 1. Default 0.1. */
  readonly momentum?: number;
}

/** Told how many values per channel a batch norm is given. */
let witness: ((count: number) => void) | null = null;

/** The fewest values per channel that any batch norm is given while `work` runs; Infinity if there is none. */
export function fewestValuesPerChannel(work: () => void): number {
  let fewest = Number.POSITIVE_INFINITY;
  const outer = witness;
  witness = (count) => {
    fewest = Math.min(fewest, count);
  };
  try {
    work();
  } finally {
    witness = outer;
  }
  return fewest;
}

/** A batch norm in evaluation, as one multiplication and one addition per channel. */
export interface ChannelAffine {
  /** `γ/√(runningVar + ε)`, `[C]`. */
  readonly scale: Tensor;
  /** `β − runningMean·scale`, `[C]`. */
  readonly shift: Tensor;
}

/**
 * Batch normalisation (Ioffe and Szegedy 2015) per channel of `[N, C, H, W]` or `[N, C]`.
 *
 * Training uses the batch's mean and biased variance and moves the running (unbiased) ones, which evaluation uses.
 */
export class BatchNorm2d extends Module {
  /** γ `[C]`, 1 at the start. */
  readonly weight: Parameter;
  /** β `[C]`, 0 at the start. */
  readonly bias: Parameter;
  readonly runningMean: Buffer;
  /** Running average of the unbiased variance, `[C]`. */
  readonly runningVar: Buffer;
  readonly numBatchesTracked = new Counter();
  readonly epsilon: number;
  readonly momentum: number;

  /** @throws A2QError for a momentum outside 0 … 1 or a negative epsilon */
  constructor(
    readonly channels: number,
    options: BatchNormOptions = {},
  ) {
    super();
    const { epsilon = 1e-5, momentum = 0.1, ...where } = asOptions('BatchNorm2d', options);
    if (!(epsilon >= 0)) throw new A2QError('BatchNorm2d', `epsilon must not be negative; it is ${epsilon}`);
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new A2QError('BatchNorm2d', `momentum must be 0 … 1; it is ${momentum}`);
    }
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = scope(() => new Parameter(ones([channels], where)));
    this.bias = scope(() => new Parameter(zeros([channels], where)));
    this.runningMean = scope(() => new Buffer(zeros([channels], where)));
    this.runningVar = scope(() => new Buffer(ones([channels], where)));
  }

  override forward(x: Tensor): Tensor {
    return this.training ? this.normalizeBatch(x, 'none') : this.#normalizeRunning(x);
  }

  #check(x: Tensor): void {
    if (asTensor('BatchNorm2d', 'x', x).rank < 2 || x.shape[1] !== this.channels) {
      throw new ShapeError('BatchNorm2d', `x must have ${this.channels} channels on axis 1`, [x.shape]);
    }
    witness?.(x.size / this.channels);
  }

  /** What evaluation multiplies by and adds; differentiable in γ and β. */
  folded(): ChannelAffine {
    const scale = div(this.weight, sqrt(add(this.runningVar, this.epsilon)));
    return { scale, shift: sub(this.bias, mul(this.runningMean, scale)) };
  }

  /** What training does, and in the same pass what follows: see `chain`. */
  normalizeBatch(x: Tensor, follower: NormFollower): Tensor {
    this.#check(x);
    const { y, mean, variance } = batchNorm(x, this.weight, this.bias, this.epsilon, follower);
    const count = x.size / this.channels;
    const { momentum } = this;
    blend(mean, this.runningMean, 1 - momentum, momentum);
    blend(variance, this.runningVar, 1 - momentum, momentum * (count / (count - 1)));
    this.numBatchesTracked.value += 1;
    return y;
  }

  #normalizeRunning(x: Tensor): Tensor {
    this.#check(x);
    const { scale, shift } = this.folded();
    const perChannel = [1, this.channels, ...x.shape.slice(2).map(() => 1)];
    return add(mul(x, reshape(scale, perChannel)), reshape(shift, perChannel));
  }
}

/** `into ← keep·into + share·x`, in place on a contiguous view of equal shape: a running average. */
export function blend(x: View, into: View, keep: number, share: number): void {
  const backend = v.backendOf(into);
  const { fast } = backend;
  const own = fast?.blend ? () => fast.blend?.(x, into, keep, share) ?? null : null;
  choose<true>(backend, 'blend', 'step', [x], own, () => {
    scope(() => backend.copyInto(v.add(v.mul(into, keep), v.mul(x, share)), into));
    return true;
  });
  into.storage.overwritten();
}

/**
 * Lets every batch norm of a model in training use, and keep, its running statistics, until the next `train()`. Late in
 * quantized training this takes the noise of small batches away (Krishnamoorthi 2018, arXiv 1806.08342, section 3.2.3).
 */
export function freezeBatchNorms(model: Module): void {
  for (const [, module] of asModule('freezeBatchNorms', model).namedModules())
    if (module instanceof BatchNorm2d) module.train(false);
}
