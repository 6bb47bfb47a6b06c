import { asCapable, asOptions } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { BatchNorm2d } from '../layers/batchNorm.js';
import { chain } from '../layers/chain.js';
import { Module } from '../module.js';
import type { ModelEntry } from './entry.js';
import type { LayerFactory } from './factory.js';

/** Settings of ESPCN. */
export interface EspcnOptions {
  /** Up-scaling factor r. */
  readonly scale: number;
  /** Channels of the three hidden convolutions. Default 64, 64, 32. */
  readonly widths?: readonly [number, number, number];
}

/**
 * ESPCN for super-resolution (Shi et al. 2016), in the nearest-neighbour form of the A2Q papers: three convolutions
 * with batch norm and ReLU, nearest resize ×r, a last convolution. `x [N, 3, H, W]` in [0, 1] → `[N, 3, r·H, r·W]`.
 */
export class Espcn extends Module {
  readonly input: Module;
  readonly conv1: Module;
  readonly bn1: BatchNorm2d;
  readonly act1: Module;
  readonly conv2: Module;
  readonly bn2: BatchNorm2d;
  readonly act2: Module;
  readonly conv3: Module;
  readonly bn3: BatchNorm2d;
  readonly act3: Module;
  readonly conv4: Module;
  readonly act4: Module;

  constructor(make: LayerFactory, options: EspcnOptions) {
    super();
    const [a, b, c] = asOptions('Espcn', options).widths ?? [64, 64, 32];
    this.input = asCapable('Espcn', 'the layer factory', make, 'input').input({ signed: false });
    this.conv1 = make.conv2d(3, a, 5, { role: 'first', input: this.input, padding: 2, bias: false });
    this.bn1 = new BatchNorm2d(a);
    this.act1 = make.relu();
    this.conv2 = make.conv2d(a, b, 3, { role: 'hidden', input: this.act1, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(b);
    this.act2 = make.relu();
    this.conv3 = make.conv2d(b, c, 3, { role: 'hidden', input: this.act2, padding: 1, bias: false });
    this.bn3 = new BatchNorm2d(c);
    this.act3 = make.relu();
    this.conv4 = make.resizeConv2d(c, 3, 3, options.scale, { role: 'last', input: this.act3 });
    this.act4 = make.relu({ feeds: 'output' });
  }

  override forward(image: Tensor): Tensor {
    let x = chain(image, this.input, this.conv1, this.bn1, this.act1);
    x = chain(x, this.conv2, this.bn2, this.act2);
    x = chain(x, this.conv3, this.bn3, this.act3);
    return chain(x, this.conv4, this.act4);
  }
}

export const espcn: ModelEntry = {
  kind: 'images',
  channels: 3,
  about: 'super-resolution with a nearest-neighbour resize (Shi et al. 2016, as in the A2Q papers)',
  build: (make, { factor }) => new Espcn(make, { scale: factor }),
};
