import { asList, asOptions } from '../../tensor/argument.js';
import type { TensorOptions } from '../../tensor/create.js';
import { ShapeError } from '../../tensor/errors.js';
import type { Random } from '../../tensor/random.js';
import type { Shape } from '../../tensor/shape.js';
import { scope } from '../../tensor/storage.js';
import { defaultBias, defaultWeight } from '../init.js';
import { Module } from '../module.js';
import { Parameter } from '../parameter.js';

/** Where a layer stands in its network; quantization treats the ends of a network apart from its middle. */
export type LayerRole = 'first' | 'hidden' | 'last';

/** What every layer with drawn weights takes. */
export interface WeightedOptions extends TensorOptions {
  /** Source of the initial weights; the same seed gives the same layer on every backend. */
  readonly random: Random;
  /** Whether to add a learned number to each output channel. Default true. */
  readonly bias?: boolean;
  /** Default hidden. */
  readonly role?: LayerRole;
}

/** A layer of dot products: one row of `weight` per output channel, and perhaps a bias. */
export abstract class WeightedModule extends Module {
  /** `[out, in, …kernel]`, drawn as PyTorch's default: uniform in ±1/√fanIn. */
  readonly weight: Parameter;
  /** `[out]`, from the same range; null without bias. */
  bias: Parameter | null;

  readonly role: LayerRole;

  /** @throws ShapeError if an extent of the weight is not a positive integer */
  constructor(op: string, shape: Shape, options: WeightedOptions) {
    super();
    asOptions(op, options);
    if (asList(op, 'the shape', shape).some((extent) => !Number.isInteger(extent) || extent < 1)) {
      throw new ShapeError(op, 'every extent of the weight must be a positive integer', [shape]);
    }
    const { random, bias = true, role = 'hidden', ...where } = options;
    this.role = role;
    this.weight = scope(() => new Parameter(defaultWeight(shape, random, where)));
    this.bias = bias ? scope(() => new Parameter(defaultBias(shape, random, where))) : null;
  }
}
