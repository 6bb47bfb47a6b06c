import { reshape } from '../../autograd/ops.js';
import { globalAvgPool2d } from '../../autograd/pooling.js';
import { asCapable, asOptions } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';
import { ConvBlock } from './convBlock.js';
import type { ModelEntry } from './entry.js';
import type { LayerFactory } from './factory.js';

/** Output channels and stride of each depthwise-separable block. */
const BLOCKS: readonly (readonly [width: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** Settings of MobileNetV1. */
export interface MobileNetV1Options {
  readonly classes: number;
  /** Stride of the stem: 1 for CIFAR (default), 2 for ImageNet. */
  readonly stemStride?: 1 | 2;
  /** Multiplies every width. Default 1. */
  readonly widthMultiplier?: number;
}

/** A depthwise 3×3 convolution, then a pointwise 1×1, each with batch norm and ReLU. */
class SeparableBlock extends Module {
  readonly depthwise: ConvBlock;
  readonly pointwise: ConvBlock;

  constructor(make: LayerFactory, channels: readonly [number, number], stride: number, input: Module) {
    super();
    const [inner, outer] = channels;
    const depthwise = { role: 'hidden', input, stride, padding: 1, groups: inner } as const;
    this.depthwise = new ConvBlock(make, [inner, inner], 3, depthwise);
    this.pointwise = new ConvBlock(make, [inner, outer], 1, { role: 'hidden', input: this.depthwise.act });
  }

  override forward(x: Tensor): Tensor {
    return this.pointwise.forward(this.depthwise.forward(x));
  }
}

/** MobileNetV1 (Howard et al. 2017), the papers' CIFAR stem: normalised `x [N, 3, H, W]` → logits `[N, classes]`. */
export class MobileNetV1 extends Module {
  readonly input: Module;
  readonly stem: ConvBlock;
  readonly blocks: readonly SeparableBlock[];
  /** Puts the pooled features on the grid of the last layer. */
  readonly pooled: Module;
  readonly fc: Module;

  constructor(make: LayerFactory, options: MobileNetV1Options) {
    super();
    const { classes, stemStride = 1, widthMultiplier = 1 } = asOptions('MobileNetV1', options);
    const scaled = (width: number) => Math.max(8, Math.round(width * widthMultiplier));
    this.input = asCapable('MobileNetV1', 'the layer factory', make, 'input').input({ signed: true });
    let channels = scaled(32);
    const stem = { role: 'first', input: this.input, stride: stemStride, padding: 1 } as const;
    this.stem = new ConvBlock(make, [3, channels], 3, stem);
    const blocks: SeparableBlock[] = [];
    let source = this.stem.act;
    for (const [width, stride] of BLOCKS) {
      const block = new SeparableBlock(make, [channels, scaled(width)], stride, source);
      blocks.push(block);
      source = block.pointwise.act;
      channels = scaled(width);
    }
    this.blocks = blocks;
    this.pooled = make.input({ signed: false });
    this.fc = make.linear(channels, classes, { role: 'last', input: this.pooled });
  }

  override forward(image: Tensor): Tensor {
    let x = this.stem.forward(this.input.forward(image));
    for (const block of this.blocks) x = block.forward(x);
    return this.fc.forward(this.pooled.forward(reshape(globalAvgPool2d(x), [x.shape[0], x.shape[1]])));
  }
}

export const mobilenetv1: ModelEntry = {
  kind: 'labels',
  channels: 3,
  about: 'depthwise-separable convolutions (Howard et al. 2017), stem of stride 1',
  build: (make, { classes }) => new MobileNetV1(make, { classes }),
};
