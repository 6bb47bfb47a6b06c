import type { GraphNode, IntegerTensor, ProductNode, RequantizeNode } from '../../graph/graph.js';
import { affineOf } from '../affine.js';
import { type Staircase, staircaseOf } from '../staircase.js';
import { asByte, clipped, halfByteType, quantized, type Range } from './bytes.js';
import { countReached } from './countReached.js';
import { type Context, channelShape, type Dialect, type Value } from './encode.js';
import { checkFloats, floatProduct, floatSums, resized } from './floats.js';
import { type FusedLayer, fusedLayers, rowOf } from './fusedLayers.js';
import type { ElementType } from './model.js';
import { transposed } from './weights.js';

export interface QdqOptions {
  /** Whether what has exactly 4 bits is stored in INT4 and UINT4, which ONNX has from operator set 21 on. */
  readonly halfBytes: boolean;
  /** Whether every layer takes the form that runtimes fuse, its bias rounded to whole steps of the accumulator. */
  readonly fused: boolean;
}

/**
 * Floats between QuantizeLinear and DequantizeLinear, with a Clip where a grid is narrower than its type. Values
 * between layers have scale 1: they are the integers.
 */
export const qdqDialect =
  ({ halfBytes, fused }: QdqOptions) =>
  (context: Context): Dialect => {
    checkFloats(context);
    const { graph, ranges, shapes, builder } = context;
    const layers = fusedLayers(context, fused);
    const floats = new Map<string, Value>();
    /** Runtimes multiply 4-bit types, but do not pool or join them. */
    const isMultiplied = (name: string) =>
      graph.nodes.every((node) => !node.inputs.includes(name) || node.op === 'linear' || isPlainConv(node));
    const typeOf = (range: Range, name: string) => {
      const half = halfBytes && isMultiplied(name) ? halfByteType(range) : null;
      return half ?? asByte(range, `${name} is`);
    };

    /** Integers as real numbers; one scale, or one for each channel of an axis. */
    const dequantized = (name: string, { name: x, type }: Value, scales: readonly number[] = [1], axis = 0): string => {
      const shape = scales.length === 1 ? [] : [scales.length];
      const scale = builder.tensor(`${name}/scale`, 'float32', shape, scales);
      const zero = builder.tensor(`${name}/zero`, type, shape, new Uint8Array(scales.length));
      return builder.node(name, 'DequantizeLinear', [x, scale, zero], shape.length === 0 ? {} : { axis });
    };

    const convert = (value: Value, type: ElementType): Value => {
      if (value.type === type) return value;
      const made = floats.get(value.name) ?? { name: dequantized(`${value.name}/float`, value), type };
      floats.set(value.name, made);
      return made;
    };

    /** Weights as real numbers, integers of their grid behind a Clip that tells how many bits they have. */
    const weightsOf = (node: ProductNode, layer: FusedLayer | undefined): string => {
      const tensor = graph.tensors.get(node.weights) as IntegerTensor;
      const [channels] = tensor.shape;
      const row = tensor.data.length / channels;
      const turned = Int32Array.from(tensor.data, (q, i) => {
        return layer === undefined ? q : q * layer.sign[rowOf(layer.sign, Math.floor(i / row))];
      });
      const given = { shape: tensor.shape, data: turned };
      const { shape, data } = node.op === 'linear' ? transposed(given) : given;
      const scales = layer === undefined ? [1] : perChannel(layer.slope, channels);
      const axis = node.op === 'linear' ? 1 : 0;
      const most = 2 ** (node.weightBits - 1);
      const range = { low: data.includes(-most) ? -most : 1 - most, high: most - 1 };
      const type = node.weightBits > 8 ? 'int32' : halfBytes && node.weightBits <= 4 ? 'int4' : 'int8';
      const stored = builder.tensor(node.weights, type, shape, data);
      const name = `${node.weights}/clipped`;
      const q = type === 'int8' ? clipped(builder, 'node', name, { make: () => stored, type }, range).name : stored;
      return dequantized(`${node.weights}/float`, { name: q, type }, scales, axis);
    };

    const product = (node: ProductNode, x: Value): Value => {
      const layer = layers.get(node.name);
      const real = convert(resized(context, node, x), 'float32').name;
      const inputs = { x: real, weights: weightsOf(node, layer) };
      if (layer === undefined) return { name: floatProduct(context, node, inputs, node.name), type: 'float32' };
      const [channels] = (graph.tensors.get(node.weights) as IntegerTensor).shape;
      const whole = builder.tensor(`${node.name}/bias`, 'int32', [channels], perChannel(layer.bias, channels));
      const scales = perChannel(layer.slope, channels);
      const bias = dequantized(`${node.name}/bias/float`, { name: whole, type: 'int32' }, scales);
      return { name: floatProduct(context, node, { ...inputs, bias }, `${node.name}/scaled`), type: 'float32' };
    };

    /** What is rounded to the integers of a grid: scale and bias where they give all steps, else the steps counted. */
    const transfer = (node: RequantizeNode, x: string, stairs: Staircase): string => {
      const rank = (shapes.get(node.inputs[0]) as readonly number[]).length;
      const affine = affineOf(stairs);
      if (affine === null) return countReached(context, node, { name: x, type: 'float32' }, stairs);
      const constant = (name: string, values: Float32Array) =>
        builder.tensor(`${node.name}/${name}`, 'float32', channelShape(values.length, rank), values);
      const scaled = builder.node(`${node.name}/scaled`, 'Mul', [x, constant('slope', affine.slope)]);
      return builder.node(`${node.name}/biased`, 'Add', [scaled, constant('intercept', affine.intercept)]);
    };

    return {
      irVersion: halfBytes ? 10 : 8,
      opset: halfBytes ? 21 : 13,
      wide: ['float32'],
      input: (real) => {
        const type = typeOf(graph.input, graph.input.name);
        return quantized(builder, 'node', `${real}/integers`, { real, scale: graph.input.scale, type }, graph.input);
      },
      convert,
      product,
      sumPool: (node, x) => ({ name: floatSums(context, node, convert(x, 'float32').name), type: 'float32' }),
      requantize: (node, x) => {
        const { name } = convert(x, 'float32');
        const isDone = layers.has(node.inputs[0]);
        const real = isDone ? name : transfer(node, name, staircaseOf(node, graph, ranges));
        const type = typeOf(node, node.name);
        return quantized(builder, 'value', node.name, { real, scale: 1, type }, node);
      },
    };
  };

const isPlainConv = (node: GraphNode) => node.op === 'conv' && node.resize === 1;

const perChannel = (rows: Float32Array | Int32Array, channels: number) =>
  Array.from({ length: channels }, (_, channel) => rows[rowOf(rows, channel)]);
