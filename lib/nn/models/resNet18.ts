import { reshape } from '../../autograd/ops.js';
import { globalAvgPool2d } from '../../autograd/pooling.js';
import { asCapable, asOptions } from '../../tensor/argument.js';
import type { Tensor } from '../../tensor/tensor.js';
import { BatchNorm2d } from '../layers/batchNorm.js';
import { chain, type Join, residual } from '../layers/chain.js';
import { Module } from '../module.js';
import type { ModelEntry } from './entry.js';
import type { LayerFactory } from './factory.js';

/** Settings of ResNet18. */
export interface ResNet18Options {
  readonly classes: number;
  /** Channels of the four stages. Default 64, 128, 256, 512. */
  readonly widths?: readonly [number, number, number, number];
}

/** Two 3×3 convolutions and a shortcut, which is a 1×1 convolution where shapes change. */
class BasicBlock extends Module {
  readonly conv1: Module;
  readonly bn1: BatchNorm2d;
  readonly act1: Module;
  readonly conv2: Module;
  readonly bn2: BatchNorm2d;
  /** 1×1 convolution and batch norm; null where the input passes as it is. */
  readonly downsample: readonly [conv: Module, bn: BatchNorm2d] | null;
  readonly add: Join;
  readonly act2: Module;

  constructor(make: LayerFactory, channels: readonly [number, number], stride: number, input: Module) {
    super();
    const [inner, outer] = channels;
    this.conv1 = make.conv2d(inner, outer, 3, { role: 'hidden', input, stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(outer);
    this.act1 = make.relu();
    this.conv2 = make.conv2d(outer, outer, 3, { role: 'hidden', input: this.act1, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(outer);
    const changes = stride !== 1 || inner !== outer;
    this.downsample = changes
      ? [make.conv2d(inner, outer, 1, { role: 'hidden', input, stride, bias: false }), new BatchNorm2d(outer)]
      : null;
    this.add = make.add();
    this.act2 = make.relu();
  }

  override forward(x: Tensor): Tensor {
    const main = [this.conv1, this.bn1, this.act1, this.conv2, this.bn2];
    return this.act2.forward(residual(x, main, this.downsample ?? [], this.add));
  }
}

/**
 * ResNet18 (He et al. 2016) in its CIFAR form: 3×3 stem of stride 1, no max-pool, convolutional shortcuts; residual
 * additions on one grid. State-dict names are torchvision's. `x [N, 3, H, W]`, normalised → logits `[N, classes]`.
 */
export class ResNet18 extends Module {
  readonly input: Module;
  readonly conv1: Module;
  readonly bn1: BatchNorm2d;
  readonly act1: Module;
  readonly layer1: readonly BasicBlock[];
  readonly layer2: readonly BasicBlock[];
  readonly layer3: readonly BasicBlock[];
  readonly layer4: readonly BasicBlock[];
  /** Puts the pooled features on the grid of the last layer. */
  readonly pooled: Module;
  readonly fc: Module;

  constructor(make: LayerFactory, options: ResNet18Options) {
    super();
    const widths = asOptions('ResNet18', options).widths ?? [64, 128, 256, 512];
    this.input = asCapable('ResNet18', 'the layer factory', make, 'input').input({ signed: true });
    this.conv1 = make.conv2d(3, widths[0], 3, { role: 'first', input: this.input, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(widths[0]);
    this.act1 = make.relu();
    let source = this.act1;
    let channels = widths[0];
    const stage = (width: number, stride: number) => {
      const first = new BasicBlock(make, [channels, width], stride, source);
      const second = new BasicBlock(make, [width, width], 1, first.act2);
      source = second.act2;
      channels = width;
      return [first, second];
    };
    this.layer1 = stage(widths[0], 1);
    this.layer2 = stage(widths[1], 2);
    this.layer3 = stage(widths[2], 2);
    this.layer4 = stage(widths[3], 2);
    this.pooled = make.input({ signed: false });
    this.fc = make.linear(channels, options.classes, { role: 'last', input: this.pooled });
  }

  override forward(image: Tensor): Tensor {
    let x = chain(image, this.input, this.conv1, this.bn1, this.act1);
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) {
      for (const block of stage) x = block.forward(x);
    }
    return this.fc.forward(this.pooled.forward(reshape(globalAvgPool2d(x), [x.shape[0], x.shape[1]])));
  }
}

export const resnet18: ModelEntry = {
  kind: 'labels',
  channels: 3,
  about: 'residual network (He et al. 2016) with a 3x3 stem',
  build: (make, { classes }) => new ResNet18(make, { classes }),
};
