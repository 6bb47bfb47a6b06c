import { DataError } from '../../../tensor/errors.js';
import type { IntegerTensor, ProductNode, SumPoolNode } from '../../graph/graph.js';
import { extremesOf } from '../../graph/ranges.js';
import { type Context, resize, type Value, windowAttributes } from './encode.js';

/** Most that float32 counts to. */
const MOST = 2 ** 24;

/** Refuses networks whose integers float32 does not hold. @throws DataError naming the value */
export function checkFloats({ ranges }: Context): void {
  for (const [name, range] of ranges) {
    const { low, high } = extremesOf(range);
    if (low < -MOST || high > MOST) {
      throw new DataError('export', `${name} can be ${low} … ${high}; the format computes in float32, exact to 2^24`);
    }
  }
}

/** A product in float32, exact on integers. @param names of the inputs, as ONNX has them; bias where there is one */
export function floatProduct(
  { graph, builder }: Context,
  node: ProductNode,
  { x, weights, bias }: { readonly x: string; readonly weights: string; readonly bias?: string },
  name: string,
): string {
  const kind = name === node.name ? 'value' : 'node';
  if (node.op === 'linear') {
    if (bias === undefined) return builder[kind](name, 'MatMul', [x, weights]);
    return builder[kind](name, 'Gemm', [x, weights, bias]);
  }
  const { shape } = graph.tensors.get(node.weights) as IntegerTensor;
  const attributes = { group: node.groups, kernel_shape: shape.slice(2), ...windowAttributes(node) };
  return builder[kind](name, 'Conv', bias === undefined ? [x, weights] : [x, weights, bias], attributes);
}

/** A sum over windows in float32: of whole planes, or as a convolution of each channel with ones. */
export function floatSums({ shapes, builder }: Context, node: SumPoolNode, x: string): string {
  if (node.kernel === null) {
    const axes = builder.tensor(`${node.name}/axes`, 'int64', [2], [2, 3]);
    return builder.value(node.name, 'ReduceSum', [x, axes], { keepdims: 1 });
  }
  const [, channels] = shapes.get(node.inputs[0]) as readonly number[];
  const shape = [channels, 1, ...node.kernel];
  const ones = new Array<number>(channels * node.kernel[0] * node.kernel[1]).fill(1);
  const weights = builder.tensor(`${node.name}/ones`, 'float32', shape, ones);
  const attributes = { group: channels, kernel_shape: node.kernel, ...windowAttributes(node) };
  return builder.value(node.name, 'Conv', [x, weights], attributes);
}

/** What a convolution reads where it up-samples first. */
export function resized({ builder }: Context, node: ProductNode, x: Value): Value {
  if (node.op === 'linear' || node.resize === 1) return x;
  return { ...x, name: resize(builder, `${node.name}/resized`, x.name, node.resize) };
}
