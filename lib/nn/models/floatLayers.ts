import { add } from '../../autograd/ops.js';
import type { Random } from '../../tensor/random.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Identity, ReLU } from '../layers/activation.js';
import type { Join } from '../layers/chain.js';
import { Conv2d, ResizeConv2d } from '../layers/conv.js';
import { Linear } from '../layers/linear.js';
import { Module } from '../module.js';
import type { LayerFactory } from './factory.js';

/** a + b. */
class Add extends Module implements Join {
  readonly branch = new Identity();

  override forward(a: Tensor, b: Tensor): Tensor {
    return add(a, b);
  }
}

/** Layers in floating point. @param random draws the initial weights, in the order the layers are made */
export function floatLayers(random: Random): LayerFactory {
  return {
    input: ({ signed }) => (signed ? new Identity() : new ReLU()),
    conv2d: (inChannels, outChannels, kernel, { input: _, ...options }) =>
      new Conv2d(inChannels, outChannels, kernel, { ...options, random }),
    resizeConv2d: (inChannels, outChannels, kernel, factor, { input: _, ...options }) =>
      new ResizeConv2d(inChannels, outChannels, kernel, factor, { ...options, random }),
    linear: (inFeatures, outFeatures, { input: _, ...options }) =>
      new Linear(inFeatures, outFeatures, { ...options, random }),
    relu: () => new ReLU(),
    add: () => new Add(),
  };
}
