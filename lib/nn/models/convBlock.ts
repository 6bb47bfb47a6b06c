import type { ConvOptions, Pair } from '../../autograd/geometry.js';
import type { Tensor } from '../../tensor/tensor.js';
import { BatchNorm2d } from '../layers/batchNorm.js';
import { chain } from '../layers/chain.js';
import { Module } from '../module.js';
import type { LayerFactory, LayerRole } from './factory.js';

/** One convolution of a block. */
export interface ConvBlockOptions extends ConvOptions {
  readonly role: LayerRole;
  readonly input: Module;
  /** Role of the layer that reads the activation. Default hidden. */
  readonly feeds?: LayerRole;
}

/** Convolution, batch norm, ReLU. */
export class ConvBlock extends Module {
  readonly conv: Module;
  readonly bn: BatchNorm2d;
  readonly act: Module;

  constructor(make: LayerFactory, channels: readonly [number, number], kernel: Pair, options: ConvBlockOptions) {
    super();
    const { feeds = 'hidden', ...conv } = options;
    this.conv = make.conv2d(channels[0], channels[1], kernel, { ...conv, bias: false });
    this.bn = new BatchNorm2d(channels[1]);
    this.act = make.relu({ feeds });
  }

  override forward(x: Tensor): Tensor {
    return chain(x, this.conv, this.bn, this.act);
  }
}
