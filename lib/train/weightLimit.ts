import type { Pair } from '../autograd/imageOps.js';
import type { LayerFactory } from '../nn/models/factory.js';
import { DataError } from '../tensor/errors.js';

/**
 * A factory of layers that refuses before it would make more weights than there are to load into them, so that what a
 * file says of its model is never believed beyond what the file holds.
 *
 * @param most weights of all layers in all
 * @throws DataError (while making a layer) naming both numbers
 */
export function limitWeights(make: LayerFactory, most: number): LayerFactory {
  let used = 0;
  const take = (count: number) => {
    used += count;
    if (used <= most) return;
    throw new DataError('model', `the configuration asks for ${used} weights or more; only ${most} are there to load`);
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
