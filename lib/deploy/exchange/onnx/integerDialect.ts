import { DataError } from '../../../tensor/errors.js';
import type {
  FixedPointNode,
  IntegerTensor,
  ProductNode,
  RequantizeNode,
  SumPoolNode,
  ThresholdNode,
} from '../../graph/graph.js';
import { type ChannelRange, extremesOf } from '../../graph/ranges.js';
import { staircaseOf } from '../staircase.js';
import { asByte, byteType, quantized } from './bytes.js';
import { countReached } from './countReached.js';
import { type Context, channelShape, type Dialect, resize, type Value, windowAttributes } from './encode.js';
import type { ElementType } from './model.js';
import { TYPE_CODES } from './tensors.js';
import { byDivision, transposed } from './weights.js';

/**
 * Integers only, between a QuantizeLinear and the last Cast: ConvInteger and MatMulInteger, thresholds as comparisons
 * that are counted, fixed point in int64.
 */
export function integerDialect(context: Context): Dialect {
  const { graph, ranges, shapes, builder } = context;
  const tensor = (key: string) => graph.tensors.get(key) as IntegerTensor;
  const rankOf = (value: string) => (shapes.get(value) as readonly number[]).length;

  const convert = (value: Value, type: ElementType): Value => {
    if (value.type === type) return value;
    return { name: builder.node(`${value.name}/${type}`, 'Cast', [value.name], { to: TYPE_CODES[type] }), type };
  };

  /** What a product reads. */
  const byte = (name: string, x: Value, from: string) =>
    convert(x, asByte(extremesOf(ranges.get(from) as ChannelRange), `${name} reads`)).name;

  const narrowed = (node: RequantizeNode, x: string): Value => {
    const type = byteType(node) ?? 'int32';
    return { name: builder.value(node.name, 'Cast', [x], { to: TYPE_CODES[type] }), type };
  };

  const product = (node: ProductNode, x: Value): Value => {
    const q = tensor(node.weights);
    if (node.weightBits > 8) {
      throw new DataError('export', `${node.name} has weights of ${node.weightBits} bits; integer ONNX takes 8`);
    }
    const name = byte(node.name, x, node.inputs[0]);
    const { shape, data } = node.op === 'linear' ? transposed(q) : q;
    const weights = builder.tensor(node.weights, 'int8', shape, data);
    if (node.op === 'linear') {
      return { name: builder.value(node.name, 'MatMulInteger', [name, weights]), type: 'int32' };
    }
    const image = node.resize === 1 ? name : resize(builder, `${node.name}/resized`, name, node.resize);
    const attributes = { group: node.groups, kernel_shape: shape.slice(2), ...windowAttributes(node) };
    return { name: builder.value(node.name, 'ConvInteger', [image, weights], attributes), type: 'int32' };
  };

  const sumPool = (node: SumPoolNode, x: Value): Value => {
    if (node.kernel === null) {
      const axes = builder.tensor(`${node.name}/axes`, 'int64', [2], [2, 3]);
      const sums = builder.value(node.name, 'ReduceSum', [convert(x, 'int32').name, axes], { keepdims: 1 });
      return { name: sums, type: 'int32' };
    }
    // No runtime averages integers: a sum over a window is a convolution of each channel with ones.
    const [, channels] = shapes.get(node.inputs[0]) as readonly number[];
    const [kh, kw] = node.kernel;
    const ones = new Array<number>(channels * kh * kw).fill(1);
    const weights = builder.tensor(`${node.name}/ones`, 'int8', [channels, 1, kh, kw], ones);
    const name = byte(node.name, x, node.inputs[0]);
    const attributes = { group: channels, kernel_shape: node.kernel, ...windowAttributes(node) };
    return { name: builder.value(node.name, 'ConvInteger', [name, weights], attributes), type: 'int32' };
  };

  const count = (node: ThresholdNode, x: Value): Value => {
    const stairs = staircaseOf(node, graph, ranges);
    return narrowed(node, countReached(context, node, convert(x, 'int32'), stairs));
  };

  const scale = (node: FixedPointNode, x: Value): Value => {
    const { multiplier, added, divisor, lift } = byDivision(node, context);
    const rank = rankOf(node.inputs[0]);
    const constant = (name: string, values: BigInt64Array<ArrayBuffer>) =>
      builder.tensor(`${node.name}/${name}`, 'int64', channelShape(values.length, rank), values);
    const step = (name: string, op: string, operand: string, from: string) =>
      builder.node(`${node.name}/${name}`, op, [from, operand]);
    const wide = convert(x, 'int64').name;
    const product = step('scaled', 'Mul', constant('multiplier', multiplier), wide);
    const positive = step('positive', 'Add', constant('added', added), product);
    const divided = step('shifted', 'Div', constant('divisor', divisor), positive);
    const back = step('lowered', 'Sub', constant('lift', lift), divided);
    const bounds = [node.low, node.high].map((bound) => constant('bound', BigInt64Array.of(BigInt(bound))));
    const clipped = builder.node(`${node.name}/clipped`, 'Clip', [back, ...bounds]);
    return narrowed(node, clipped);
  };

  return {
    irVersion: 8,
    opset: 13,
    wide: ['int32', 'float64'],
    input: (real) => {
      const type = asByte(graph.input, `${real} is`);
      return quantized(builder, 'node', `${real}/integers`, { real, scale: graph.input.scale, type }, graph.input);
    },
    convert,
    product,
    sumPool,
    requantize: (node: RequantizeNode, x) => (node.mode === 'thresholds' ? count(node, x) : scale(node, x)),
  };
}
