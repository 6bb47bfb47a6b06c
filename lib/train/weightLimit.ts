import type { Pair } from '../autograd/geometry.js';
import type { LayerFactory } from '../nn/models/factory.js';
import { DataError } from '../tensor/errors.js';

/** Where weights are to be loaded from, and how many numbers are there. */
export interface WeightSource {
  /** For errors, usually the file's path. */
  readonly name: string;
  readonly count: number;
}

/**
 * A factory of layers that refuses before it would make more weights than there are to load into them, so that what a
 * file says of its model is never believed beyond what the file holds.
 *
 * @throws DataError (while making a layer) naming the source and both numbers
 */
export function limitWeights(make: LayerFactory, { name, count: most }: WeightSource): LayerFactory {
  let used = 0;
  const take = (weights: number) => {
    used += weights;
    if (used <= most) return;
    throw new DataError(
      'model',
      `${name}: its configuration asks for ${used} weights or more; it holds ${most} numbers`,
    );
  };
  return {
    ...make,
    conv2d(inChannels, outChannels, kernel, options) {
      take((inChannels / (options.groups ?? 1)) * outChannels * area(kernel));
      return make.conv2d(inChannels, outChannels, kernel, options);
    },
    resizeConv2d(inChannels, outChannels, kernel, factor, options) {
      take(inChannels * outChannels * area(kernel));
      return make.resizeConv2d(inChannels, outChannels, kernel, factor, options);
    },
    linear(inFeatures, outFeatures, options) {
      take(inFeatures * outFeatures);
      return make.linear(inFeatures, outFeatures, options);
    },
  };
}

function area(kernel: Pair): number {
  return typeof kernel === 'number' ? kernel ** 2 : kernel[0] * kernel[1];
}
