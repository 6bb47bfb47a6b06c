import type { OnnxAttribute, OnnxModel } from '../../../../lib/deploy/exchange/onnx/model.js';
import { Random } from '../../../../lib/tensor/random.js';
import { NetworkWriter } from './floatOnnx.js';

export const ints = (...value: number[]): OnnxAttribute => ({ type: 'ints', value });
export const int = (value: number): OnnxAttribute => ({ type: 'int', value });
export const text = (value: string): OnnxAttribute => ({ type: 'string', value });

/** Draws the numbers of networks. */
export class Draw {
  readonly random: Random;
  readonly net: NetworkWriter;

  constructor(seed: number, opset: number, domain?: string) {
    this.random = new Random(seed);
    this.net = new NetworkWriter(opset, domain);
  }

  list(length: number, low: number, high: number): number[] {
    return Array.from({ length }, () => Math.fround(this.random.uniform(low, high)));
  }

  /** Weights through a quantizer; one scale for all, or one a channel. */
  weights(shape: readonly number[], bits: number, perChannel: boolean): string {
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = this.list(perChannel ? shape[0] : 1, 0.02, 0.06);
    const x = this.net.tensor(shape, this.list(size, -0.4, 0.4));
    return this.net.quant(x, scale, bits, { signed: true, narrow: true, rank: shape.length });
  }

  norm(x: string, channels: number): string {
    const numbers = [
      [-1, 2],
      [-0.5, 0.5],
      [-0.5, 0.5],
      [0.3, 2],
    ].map(([low, high]) => this.net.tensor([channels], this.list(channels, low, high)));
    return this.net.node('BatchNormalization', [x, ...numbers], { epsilon: { type: 'float', value: 1e-5 } });
  }

  conv(
    x: string,
    shape: readonly number[],
    bits: number,
    given: Readonly<Record<string, OnnxAttribute>>,
    bias = false,
  ): string {
    const w = this.weights(shape, bits, bias);
    const b = bias ? [this.net.tensor([shape[0]], this.list(shape[0], -0.3, 0.3))] : [];
    return this.net.node('Conv', [x, w, ...b], given);
  }
}

/** A classifier with residuals, depthwise layers, every pooling and a concatenation. */
export function classifier(seed: number): OnnxModel {
  const draw = new Draw(seed, 11 + (seed % 8), seed % 2 ? 'onnx.brevitas' : 'qonnx.custom_op.general');
  const { net } = draw;
  const relu = (x: string) => net.node('Relu', [x]);
  const c = 5 + (seed % 3);
  const same = { pads: ints(1, 1, 1, 1), strides: ints(1, 1), kernel_shape: ints(3, 3) };
  let x = net.quant('x', [1 / 255], 8, { op: seed % 2 ? 'Quant' : 'IntQuant' });
  x = draw.conv(x, [c, 3, 3, 3], 8, { pads: ints(0, 1, 1, 2), strides: ints(2, 1) }, true);
  x = net.quant(relu(draw.norm(x, c)), [0.11], 4);
  const shortcut = x;
  x = draw.conv(x, [c, 1, 3, 3], 4, { ...same, group: int(c) });
  x = net.node('LeakyRelu', [draw.norm(x, c)], { alpha: { type: 'float', value: 0.125 } });
  x = net.quant(x, [0.07], 4, { signed: true });
  x = draw.conv(x, [c, c, 3, 3], 3, same, true);
  const step = [0.09];
  const sum = net.node('Add', [
    net.quant(draw.norm(x, c), step, 5, { signed: true }),
    net.quant(shortcut, step, 5, { signed: true }),
  ]);
  x = net.quant(relu(sum), [0.2], 4);
  const pooled = net.node('MaxPool', [x], { kernel_shape: ints(3, 3), strides: ints(1, 1), pads: ints(1, 1, 1, 1) });
  x = net.node('Concat', [pooled, x], { axis: int(1) });
  x = draw.conv(x, [6, 2 * c, 1, 1], 4, {});
  x = net.node('MaxPool', [draw.norm(x, 6)], { kernel_shape: ints(2, 2), strides: ints(2, 2) });
  x = net.quant(relu(x), [0.13], 4);
  x = net.node('AveragePool', [x], { kernel_shape: ints(2, 2), strides: ints(1, 1) });
  x = net.quant(x, [0.125], 4);
  x = net.node('Flatten', [net.node('GlobalAveragePool', [x])]);
  const w = draw.weights(seed % 2 ? [10, 6] : [6, 10], 8, false);
  const bias = net.tensor([10], draw.list(10, -1, 1));
  x =
    seed % 2 ? net.node('Gemm', [x, w, bias], { transB: int(1) }) : net.node('Add', [net.node('MatMul', [x, w]), bias]);
  return net.model(['batch', 3, 10, 9], x);
}

/** A super-resolution network in one of three forms. */
export function upscaler(seed: number, form: 'resize' | 'CRD' | 'DCR', factor: number): OnnxModel {
  const draw = new Draw(seed, 11);
  const { net } = draw;
  const same = { pads: ints(1, 1, 1, 1) };
  let x = net.quant(net.node('Relu', ['x']), [1 / 255], 8);
  x = draw.conv(x, [7, 3, 5, 5], 8, { pads: ints(2, 2, 2, 2) }, true);
  x = net.quant(net.node('Relu', [draw.norm(x, 7)]), [0.15], 4);
  if (form === 'resize') {
    const scales = net.tensor([4], [1, 1, factor, factor]);
    x = net.node('Resize', [x, net.tensor([0], []), scales], {
      mode: text('nearest'),
      coordinate_transformation_mode: text(seed % 2 ? 'asymmetric' : 'half_pixel'),
      nearest_mode: text(seed % 2 ? 'floor' : 'round_prefer_floor'),
    });
    x = draw.conv(x, [3, 7, 3, 3], 8, same, true);
  } else {
    x = draw.conv(x, [3 * factor ** 2, 7, 3, 3], 8, same, false);
    x = net.node('DepthToSpace', [x], { blocksize: int(factor), mode: text(form) });
  }
  return net.model([1, 3, 6, 7], net.quant(net.node('Relu', [x]), [1 / 100], 8));
}
