import { DataError } from '../../../tensor/errors.js';
import type { IntegerTensor, ProductNode, RequantizeNode } from '../../graph/graph.js';
import { type Staircase, staircaseOf } from '../staircase.js';
import { float } from './builder.js';
import type { Range } from './bytes.js';
import { type Context, channelShape, type Dialect, type Value } from './encode.js';
import { checkFloats, floatProduct, floatSums, resized } from './floats.js';
import { transposed } from './weights.js';

const DOMAIN = 'qonnx.custom_op.general';

/**
 * QONNX with an all-integer graph inside: weights and input behind `Quant` of scale 1, requantizations as
 * `MultiThreshold`. Channels that fall are multiplied by −1 before it, which FINN absorbs into the weights.
 * @param opName what the quantizer is called
 */
export const qonnxDialect =
  (opName: 'Quant' | 'IntQuant') =>
  (context: Context): Dialect => {
    checkFloats(context);
    const { graph, ranges, shapes, builder } = context;
    const value = (name: string): Value => ({ name, type: 'float32' });

    /** Steps of 1. */
    const quant = (name: string, x: string, { bits, signed, narrow }: IntegerType): string => {
      const constant = (what: string, number: number) => builder.tensor(`${name}/${what}`, 'float32', [], [number]);
      const inputs = [x, constant('scale', 1), constant('zeropt', 0), constant('bitwidth', bits)];
      const attributes = { signed: Number(signed), narrow: Number(narrow), rounding_mode: 'ROUND' };
      return builder.node(name, opName, inputs, attributes, DOMAIN);
    };

    const product = (node: ProductNode, x: Value): Value => {
      const tensor = graph.tensors.get(node.weights) as IntegerTensor;
      const { shape, data } = node.op === 'linear' ? transposed(tensor) : tensor;
      // One signed bit is −1 and 1 in QONNX, not −1 and 0.
      const bits = Math.max(2, node.weightBits);
      const narrow = data.every((q) => q > -(2 ** (bits - 1)));
      const stored = builder.tensor(node.weights, 'float32', shape, data);
      const weights = quant(`${node.weights}/quantized`, stored, { bits, signed: true, narrow });
      return value(floatProduct(context, node, { x: resized(context, node, x).name, weights }, node.name));
    };

    const requantize = (node: RequantizeNode, x: Value): Value => {
      const stairs = staircaseOf(node, graph, ranges);
      const { rows, sign } = stairs;
      const rank = (shapes.get(node.inputs[0]) as readonly number[]).length;
      if (rows > 1 && rank === 3) {
        throw new DataError('export', `${node.name}: MultiThreshold takes [N, C] or images, not 3 axes`);
      }
      let a = x.name;
      if (sign.includes(-1)) {
        const signs = builder.tensor(`${node.name}/sign`, 'float32', channelShape(rows, rank), sign);
        builder.datatype(signs, 'BIPOLAR');
        a = builder.node(`${node.name}/signed`, 'Mul', [a, signs]);
      }
      const type = typeOf(node);
      const { values, low } = filled(stairs, type);
      const count = values.length / rows;
      const thresholds = builder.tensor(`${node.name}/thresholds`, 'float32', [rows, count], values);
      builder.datatype(thresholds, nameOf(typeOf(extremes(values))));
      const attributes = {
        ...{ out_dtype: nameOf(type), out_scale: float(1), out_bias: float(low) },
        data_layout: 'NCHW',
      };
      return value(builder.value(node.name, 'MultiThreshold', [a, thresholds], attributes, DOMAIN));
    };

    return {
      irVersion: 8,
      opset: 13,
      domains: { [DOMAIN]: 1 },
      fixedSizes: true,
      wide: ['float32'],
      input: (real) => {
        const { scale, low, high } = graph.input;
        const type = typeOf(graph.input);
        // Divided first, the quantizer's results are integers; s·q / s would not always be q in float32.
        const step = builder.tensor(`${real}/scale`, 'float32', [], [scale]);
        const q = quant(`${real}/quantized`, builder.node(`${real}/steps`, 'Div', [real, step]), type);
        const [least, most] = endsOf(type);
        if (low === least && high === most) return value(q);
        const bounds = [low, high].map((bound) => builder.tensor(`${real}/bound`, 'float32', [], [bound]));
        return value(builder.node(`${real}/clipped`, 'Clip', [q, ...bounds]));
      },
      convert: (x) => x,
      product,
      sumPool: (node, x) => value(floatSums(context, node, x.name)),
      requantize,
    };
  };

/** Integers as QONNX has them. */
interface IntegerType {
  readonly bits: number;
  readonly signed: boolean;
  readonly narrow: boolean;
}

/** The narrowest that holds a range. */
function typeOf({ low, high }: Range): IntegerType {
  const signed = low < 0;
  let bits = signed ? 2 : 1;
  while (high > endsOf({ bits, signed, narrow: false })[1] || low < endsOf({ bits, signed, narrow: false })[0]) bits++;
  return { bits, signed, narrow: signed && low > -(2 ** (bits - 1)) };
}

function endsOf({ bits, signed, narrow }: IntegerType): readonly [number, number] {
  if (!signed) return [0, 2 ** bits - 1];
  return [-(2 ** (bits - 1)) + Number(narrow), 2 ** (bits - 1) - 1];
}

const nameOf = ({ bits, signed }: IntegerType) => (!signed && bits === 1 ? 'BINARY' : `${signed ? '' : 'U'}INT${bits}`);

const extremes = (values: Int32Array): Range => ({
  low: values.reduce((a, b) => Math.min(a, b)),
  high: values.reduce((a, b) => Math.max(a, b)),
});

/**
 * Thresholds for every step of a type, 2^N − 1 as FINN wants them: those of steps below the grid are always reached,
 * those above it never.
 */
function filled({ rows, steps, low, thresholds, reach }: Staircase, type: IntegerType) {
  const [least, most] = endsOf({ ...type, narrow: false });
  const count = most - least;
  const values = Int32Array.from({ length: rows * count }, (_, i) => {
    const row = Math.floor(i / count);
    const k = (i % count) - (low - least);
    if (k < 0) return reach.low[row];
    return k < steps ? thresholds[row * steps + k] : reach.high[row] + 1;
  });
  return { values, low: least };
}
