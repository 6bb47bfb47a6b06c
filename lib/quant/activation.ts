import type { NormFollower } from '../autograd/normalization.js';
import { abs, add, div, kthSmallest, log2, maximum, mul, relu, reshape } from '../autograd/ops.js';
import { atLeastSmallest, fakeQuantize, powerScale, SMALLEST } from '../autograd/quantize.js';
import { noGrad } from '../autograd/tape.js';
import type { QuantGrid } from '../kernels/fast.js';
import { Activation } from '../nn/layers/activation.js';
import { Buffer, Counter, Parameter } from '../nn/parameter.js';
import { asBoolean, asChoice, asTensor } from '../tensor/argument.js';
import { full } from '../tensor/create.js';
import { QuantError } from '../tensor/errors.js';
import { dispose, scope } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkFloatBits, type IntegerFormat, type IntegerRange, inputRange } from './integerRange.js';
import { powerOfTwoScale } from './powerOfTwo.js';

/** Settings of an activation quantizer; the defaults are Brevitas's. */
export interface ActivationOptions {
  /** N: signed 2 … 24, unsigned 1 … 23, what float32 carries. */
  readonly bits: number;
  /** True: two's complement. False: from 0, for values that are never negative. */
  readonly signed: boolean;
  /** Apply max(x, 0) first. Default false. */
  readonly relu?: boolean;
  /** `log` learns log2 of the threshold (the papers), `linear` the threshold itself. Default `log`. */
  readonly domain?: 'log' | 'linear';
  /** Training calls that take the threshold from the batch before it is learned. Default 300. */
  readonly collectStatsSteps?: number;
  /** Percentile of |x| that becomes the threshold. Default 99.999. */
  readonly percentile?: number;
  /** Weight of a new batch in the running threshold. Default 0.1. */
  readonly momentum?: number;
  /** Round the scale up to a power of two: see `powerOfTwoScale`. Default false. */
  readonly powerOfTwoScales?: boolean;
}

/**
 * One scale for a whole tensor: `y = clip(round_half_even(x/s), c, d)·s`, `s = θ/D`, where the threshold θ is first
 * taken from the data (a percentile of |x|), then learned as `θ = 2^value`. D is 2^N − 1 unsigned, 2^(N−1) signed.
 */
export class ActivationQuantizer extends Activation implements IntegerFormat {
  readonly bits: number;
  readonly signed: boolean;
  readonly relu: boolean;
  readonly domain: 'log' | 'linear';
  readonly collectStatsSteps: number;
  readonly percentile: number;
  readonly momentum: number;
  readonly powerOfTwoScales: boolean;
  /** log2 θ (or θ); learned once the statistics phase is over. */
  readonly value: Parameter;
  /** Running threshold of the statistics phase. */
  readonly runningThreshold: Buffer;
  /** Training calls so far, up to one past the statistics phase. */
  readonly steps = new Counter();
  /** True lets values pass unquantized while thresholds are collected (see `calibrate`). */
  calibrating = false;
  /** False lets values pass unquantized, for comparison. */
  quantizes = true;

  constructor(options: ActivationOptions) {
    super();
    checkFloatBits('ActivationQuantizer', 'activation bits N', options);
    const { collectStatsSteps = 300, percentile = 99.999, momentum = 0.1 } = options;
    if (!Number.isInteger(collectStatsSteps) || collectStatsSteps < 0) {
      throw new QuantError('ActivationQuantizer', `collectStatsSteps must be a count; got ${collectStatsSteps}`);
    }
    if (!(percentile > 0 && percentile <= 100)) {
      throw new QuantError('ActivationQuantizer', `percentile must be in (0, 100]; got ${percentile}`);
    }
    if (!(momentum > 0 && momentum <= 1)) {
      throw new QuantError('ActivationQuantizer', `momentum must be in (0, 1]; got ${momentum}`);
    }
    this.bits = options.bits;
    this.signed = options.signed;
    this.relu = options.relu ?? false;
    this.domain = asChoice('ActivationQuantizer', 'domain', options.domain ?? 'log', ['log', 'linear']);
    this.collectStatsSteps = collectStatsSteps;
    this.percentile = percentile;
    this.momentum = momentum;
    this.powerOfTwoScales = asBoolean('ActivationQuantizer', 'powerOfTwoScales', options.powerOfTwoScales ?? false);
    const one = full([], 1);
    this.value = new Parameter(one);
    this.runningThreshold = new Buffer(one);
    dispose(one);
  }

  /** The integer range [c, d]. */
  get range(): IntegerRange {
    return inputRange(this);
  }

  /** Whether the threshold is a trained parameter by now. */
  get learned(): boolean {
    return this.steps.value > this.collectStatsSteps;
  }

  /** The scale s in use outside of the statistics phase's own batches, a scalar. */
  scale(): Tensor {
    if (!this.learned) return this.#scaleOf(this.runningThreshold.detach());
    if (this.domain === 'log') return this.#restricted(powerScale(this.value, this.#divisor));
    return this.#scaleOf(abs(this.value));
  }

  override forward(x: Tensor): Tensor {
    asTensor('ActivationQuantizer', 'x', x);
    if (this.calibrating) {
      const passed = this.relu ? relu(x) : x;
      this.#observe(noGrad(() => this.#threshold(passed)));
      return passed;
    }
    if (!this.quantizes) return this.relu ? relu(x) : x;
    const scale = this.training && !this.learned ? this.#trainingScale(x) : this.scale();
    return fakeQuantize(x, scale, this.#grid);
  }

  /** Its grid, once the scale no longer depends on the values. */
  override follower(): NormFollower | null {
    return this.calibrating || !this.quantizes || !this.learned ? null : { scale: this.scale(), grid: this.#grid };
  }

  get #grid(): QuantGrid {
    const { low, high } = this.range;
    return { low, high, relu: this.relu };
  }

  /** Starts learning from a threshold θ > 0 found elsewhere. */
  setThreshold(theta: number): void {
    if (!(theta > 0 && Number.isFinite(theta))) {
      throw new QuantError('setThreshold', `the threshold must be positive and finite; got ${theta}`);
    }
    this.value.write(Float32Array.of(this.domain === 'log' ? Math.log2(theta) : theta));
    this.steps.value = this.collectStatsSteps + 1;
  }

  /** Ends the statistics phase: the running threshold becomes the learned one. */
  finishStats(): void {
    const value = scope(() => noGrad(() => this.#valueOf(this.runningThreshold)));
    this.value.assign(value);
    dispose(value);
    this.steps.value = this.collectStatsSteps + 1;
  }

  /** Forgets what was learned: the next training calls, or a calibration, collect statistics anew. */
  restartStats(): void {
    this.steps.value = 0;
  }

  #trainingScale(x: Tensor): Tensor {
    if (this.steps.value === this.collectStatsSteps) {
      this.finishStats();
      return this.scale();
    }
    const theta = this.#threshold(this.relu ? relu(x) : x);
    this.#observe(theta.detach());
    return this.#scaleOf(theta);
  }

  /** The k-th smallest |x|, k = ⌊percentile/100 · n + 0.5⌋, 1-based. */
  #threshold(x: Tensor): Tensor {
    const k = Math.floor((this.percentile / 100) * x.size + 0.5);
    return kthSmallest(this.relu ? x : abs(x), Math.max(1, k));
  }

  #observe(theta: Tensor): void {
    const running = this.runningThreshold;
    const next = noGrad(() =>
      this.steps.value === 0 ? theta : add(mul(running, 1 - this.momentum), mul(theta, this.momentum)),
    );
    running.assign(reshape(next, []));
    this.steps.value += 1;
  }

  #valueOf(threshold: Tensor): Tensor {
    const floor = maximum(threshold, SMALLEST);
    return this.domain === 'log' ? log2(floor) : floor;
  }

  /** `max(θ, 1e-10) / D`; the floor passes the gradient on. */
  #scaleOf(theta: Tensor): Tensor {
    return this.#restricted(div(atLeastSmallest(theta), this.#divisor));
  }

  #restricted(scale: Tensor): Tensor {
    return this.powerOfTwoScales ? powerOfTwoScale(scale) : scale;
  }

  /** D. */
  get #divisor(): number {
    return this.signed ? 2 ** (this.bits - 1) : 2 ** this.bits - 1;
  }
}

/** Makes an activation quantizer; what layers take as their `input` option. */
export type ActivationFactory = () => ActivationQuantizer;

/** Unsigned N-bit activations, for values that are never negative. */
export function uintActivation(options: Omit<ActivationOptions, 'signed'>): ActivationFactory {
  return () => new ActivationQuantizer({ ...options, signed: false });
}

/** Signed N-bit activations. */
export function intActivation(options: Omit<ActivationOptions, 'signed'>): ActivationFactory {
  return () => new ActivationQuantizer({ ...options, signed: true });
}
