import { reshape } from '../../autograd/ops.js';
import { asCapable, asOptions } from '../../tensor/argument.js';
import { ShapeError } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';
import { ConvBlock } from './convBlock.js';
import type { ModelEntry } from './entry.js';
import type { LayerFactory } from './factory.js';

/** Settings of the small classifier. */
export interface SmallCnnOptions {
  readonly inChannels: number;
  /** Side of the square images; divisible by 2^(stages − 1). */
  readonly imageSize: number;
  readonly classes: number;
  /** Channels of each stage. Default 16, 32, 32. */
  readonly widths?: readonly number[];
  /** Whether inputs can be negative (normalised images). Default false. */
  readonly signedInput?: boolean;
}

/**
 * A small image classifier: 3×3 convolutions with batch norm and ReLU, the first at full resolution, each later one
 * with stride 2, then one linear layer. `x [N, C, S, S]` → logits `[N, classes]`.
 */
export class SmallCnn extends Module {
  readonly input: Module;
  readonly stages: readonly ConvBlock[];
  readonly fc: Module;

  constructor(make: LayerFactory, options: SmallCnnOptions) {
    super();
    const widths = asOptions('SmallCnn', options).widths ?? [16, 32, 32];
    const side = options.imageSize / 2 ** (widths.length - 1);
    if (!Number.isInteger(side) || side < 1) {
      throw new ShapeError('SmallCnn', `images of ${options.imageSize} cannot be halved ${widths.length - 1} times`);
    }
    this.input = asCapable('SmallCnn', 'the layer factory', make, 'input').input({
      signed: options.signedInput ?? false,
    });
    const stages: ConvBlock[] = [];
    let source = this.input;
    let channels = options.inChannels;
    for (const [i, width] of widths.entries()) {
      const stage = new ConvBlock(make, [channels, width], 3, {
        role: i === 0 ? 'first' : 'hidden',
        feeds: i === widths.length - 1 ? 'last' : 'hidden',
        input: source,
        stride: i === 0 ? 1 : 2,
        padding: 1,
      });
      stages.push(stage);
      source = stage.act;
      channels = width;
    }
    this.stages = stages;
    this.fc = make.linear(channels * side * side, options.classes, { role: 'last', input: source });
  }

  override forward(image: Tensor): Tensor {
    let x = this.input.forward(image);
    for (const stage of this.stages) x = stage.forward(x);
    return this.fc.forward(reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]));
  }
}

/** Widths of the small classifier: for images of up to 16 pixels, and for larger ones. */
const SMALL_WIDTHS: readonly number[] = [16, 32, 32];
const LARGE_WIDTHS: readonly number[] = [32, 64, 64, 64];

export const cnn: ModelEntry = {
  kind: 'labels',
  about: 'three or four 3x3 convolutions and a linear layer',
  build: (make, { inputShape: [inChannels, height], classes, signed }) =>
    new SmallCnn(make, {
      inChannels,
      imageSize: height,
      classes,
      widths: height <= 16 ? SMALL_WIDTHS : LARGE_WIDTHS,
      signedInput: signed,
    }),
};
