import {
  numbersOf,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxTensor,
} from '../../../../lib/deploy/exchange/onnx/model.js';
import { roundHalfEven } from '../../../../lib/tensor/float32.js';

/** A naive float64 interpreter of the ONNX and QONNX operators that networks of specs use: the oracle of imports. */

interface Array4 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

export function runOnnx(
  model: OnnxModel,
  input: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
) {
  const values = new Map<string, Array4>();
  const real = ({ shape, data }: { shape: readonly number[]; data: ArrayLike<number> }) => ({
    shape,
    data: Float64Array.from(data),
  });
  for (const [name, tensor] of model.graph.initializers) {
    values.set(name, real({ shape: tensor.shape, data: numbersOf(tensor) }));
  }
  values.set(model.graph.inputs[0].name, real(input));
  for (const node of model.graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name) as Array4);
    values.set(node.outputs[0], run(node, inputs));
  }
  return values.get(model.graph.outputs[0].name) as Array4;
}

function run(node: OnnxNode, inputs: readonly Array4[]): Array4 {
  const attribute = <T>(name: string, otherwise: T) => (node.attributes.get(name)?.value ?? otherwise) as T;
  const [x, w, b] = inputs;
  const map = (at: (value: number, channel: number) => number): Array4 => {
    const area = product(x.shape.slice(2));
    return { shape: x.shape, data: x.data.map((value, i) => at(value, Math.floor(i / area) % x.shape[1])) };
  };
  switch (node.op) {
    case 'Constant': {
      const tensor = attribute('value', null as unknown as OnnxTensor);
      return { shape: tensor.shape, data: Float64Array.from(numbersOf(tensor)) };
    }
    case 'Quant':
    case 'IntQuant': {
      const bits = inputs[3].data[0];
      const signed = attribute<number>('signed', 1) === 1;
      const narrow = attribute('narrow', 0);
      const low = signed ? -(2 ** (bits - 1)) + narrow : 0;
      const high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1 - narrow;
      return broadcast(x, w, (value, s) => roundHalfEven(Math.min(high, Math.max(low, value / s))) * s);
    }
    case 'QuantizeLinear': {
      const [low, high] = [0, 255];
      return broadcast(x, w, (value, s) => Math.min(high, Math.max(low, roundHalfEven(value / s))));
    }
    case 'DequantizeLinear':
    case 'Mul':
      return broadcast(x, w, (value, s) => value * s);
    case 'Add':
      return broadcast(x, w, (value, s) => value + s);
    case 'Relu':
      return map((value) => Math.max(0, value));
    case 'Clip':
      return map((value) => Math.min(b.data[0], Math.max(w.data[0], value)));
    case 'LeakyRelu':
      return map((value) => (value < 0 ? value * attribute('alpha', 0.01) : value));
    case 'BatchNormalization': {
      const [, scale, bias, mean, variance] = inputs.map(({ data }) => data);
      const epsilon = attribute('epsilon', 1e-5);
      return map((value, c) => ((value - mean[c]) / Math.sqrt(variance[c] + epsilon)) * scale[c] + bias[c]);
    }
    case 'Conv':
      return conv(x, w, b, attribute('strides', [1, 1]), attribute('pads', [0, 0, 0, 0]), attribute('group', 1));
    case 'MatMul':
    case 'Gemm': {
      const turned = attribute<number>('transB', 0) === 1;
      const [rows, length] = x.shape;
      const columns = turned ? w.shape[0] : w.shape[1];
      const data = new Float64Array(rows * columns);
      for (let i = 0; i < data.length; i++) {
        const [n, o] = [Math.floor(i / columns), i % columns];
        for (let k = 0; k < length; k++) {
          data[i] += x.data[n * length + k] * w.data[turned ? o * length + k : k * columns + o];
        }
        if (b) data[i] += b.data[o];
      }
      return { shape: [rows, columns], data };
    }
    case 'MaxPool':
      return pool(
        x,
        attribute('kernel_shape', [1, 1]),
        attribute('strides', [1, 1]),
        attribute('pads', [0, 0]),
        Math.max,
        Number.NEGATIVE_INFINITY,
      );
    case 'AveragePool': {
      const kernel = attribute('kernel_shape', [1, 1]);
      const sums = pool(x, kernel, attribute('strides', [1, 1]), [0, 0], (a, c) => a + c, 0);
      return { ...sums, data: sums.data.map((value) => value / (kernel[0] * kernel[1])) };
    }
    case 'GlobalAveragePool': {
      const kernel = x.shape.slice(2);
      const sums = pool(x, kernel, [1, 1], [0, 0], (a, c) => a + c, 0);
      return { ...sums, data: sums.data.map((value) => value / (kernel[0] * kernel[1])) };
    }
    case 'Resize': {
      const factor = inputs[2].data[3];
      return gather(x, [x.shape[0], x.shape[1], x.shape[2] * factor, x.shape[3] * factor], ([n, c, y, z]) => [
        n,
        c,
        Math.floor(y / factor),
        Math.floor(z / factor),
      ]);
    }
    case 'DepthToSpace': {
      const r = attribute('blocksize', 1);
      const [n, c, h, width] = x.shape;
      const made = c / r ** 2;
      const isCrd = attribute<string>('mode', 'DCR') === 'CRD';
      return gather(x, [n, made, h * r, width * r], ([image, channel, y, z]) => {
        const block = (y % r) * r + (z % r);
        return [image, isCrd ? channel * r ** 2 + block : block * made + channel, Math.floor(y / r), Math.floor(z / r)];
      });
    }
    case 'Concat': {
      const [n, , ...rest] = x.shape;
      const area = product(rest);
      const channels = inputs.reduce((sum, { shape }) => sum + shape[1], 0);
      const data = new Float64Array(n * channels * area);
      for (let image = 0, at = 0; image < n; image++) {
        for (const { shape, data: own } of inputs) {
          const length = shape[1] * area;
          data.set(own.subarray(image * length, (image + 1) * length), at);
          at += length;
        }
      }
      return { shape: [n, channels, ...rest], data };
    }
    case 'Flatten':
      return { shape: [x.shape[0], product(x.shape.slice(1))], data: x.data };
    default:
      throw new Error(`the oracle has no ${node.op}`);
  }
}

function gather(x: Array4, shape: readonly number[], from: (at: readonly number[]) => readonly number[]): Array4 {
  const data = new Float64Array(product(shape));
  for (let i = 0; i < data.length; i++) {
    const at = shape.map((extent, axis) => Math.floor(i / product(shape.slice(axis + 1))) % extent);
    data[i] = x.data[from(at).reduce((index, part, axis) => index * x.shape[axis] + part, 0)];
  }
  return { shape, data };
}

function broadcast(x: Array4, y: Array4, at: (a: number, b: number) => number): Array4 {
  const lead = x.shape.length - y.shape.length;
  const other = gather({ shape: [...new Array(lead).fill(1), ...y.shape], data: y.data }, x.shape, (index) =>
    index.map((part, axis) => (axis < lead || y.shape[axis - lead] === 1 ? 0 : part)),
  );
  return { shape: x.shape, data: x.data.map((value, i) => at(value, other.data[i])) };
}

function conv(
  x: Array4,
  w: Array4,
  bias: Array4 | undefined,
  [sy, sx]: readonly number[],
  [top, left, bottom, right]: readonly number[],
  groups: number,
): Array4 {
  const [n, , height, width] = x.shape;
  const [outputs, perGroup, kh, kw] = w.shape;
  const oh = Math.floor((height + top + bottom - kh) / sy) + 1;
  const ow = Math.floor((width + left + right - kw) / sx) + 1;
  const data = new Float64Array(n * outputs * oh * ow);
  for (let i = 0; i < data.length; i++) {
    const [image, o] = [Math.floor(i / (outputs * oh * ow)), Math.floor(i / (oh * ow)) % outputs];
    const [y, z] = [Math.floor(i / ow) % oh, i % ow];
    const first = Math.floor(o / (outputs / groups)) * perGroup;
    for (let k = 0; k < perGroup * kh * kw; k++) {
      const row = y * sy - top + (Math.floor(k / kw) % kh);
      const column = z * sx - left + (k % kw);
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      const channel = first + Math.floor(k / (kh * kw));
      data[i] +=
        w.data[o * perGroup * kh * kw + k] * x.data[((image * x.shape[1] + channel) * height + row) * width + column];
    }
    if (bias) data[i] += bias.data[o];
  }
  return { shape: [n, outputs, oh, ow], data };
}

function pool(
  x: Array4,
  [kh, kw]: readonly number[],
  [sy, sx]: readonly number[],
  [top, left]: readonly number[],
  join: (a: number, b: number) => number,
  start: number,
): Array4 {
  const [n, c, height, width] = x.shape;
  const oh = Math.floor((height + 2 * top - kh) / sy) + 1;
  const ow = Math.floor((width + 2 * left - kw) / sx) + 1;
  const data = new Float64Array(n * c * oh * ow).fill(start);
  for (let i = 0; i < data.length; i++) {
    const plane = Math.floor(i / (oh * ow)) * height * width;
    for (let k = 0; k < kh * kw; k++) {
      const row = (Math.floor(i / ow) % oh) * sy - top + Math.floor(k / kw);
      const column = (i % ow) * sx - left + (k % kw);
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      data[i] = join(data[i], x.data[plane + row * width + column]);
    }
  }
  return { shape: [n, c, oh, ow], data };
}

/** Writes the nodes of a network one after the other. */
export class NetworkWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxTensor>();
  readonly #opset: number;
  readonly #domain: string;
  #count = 0;

  constructor(opset: number, domain = 'qonnx.custom_op.general') {
    this.#opset = opset;
    this.#domain = domain;
  }

  tensor(shape: readonly number[], values: ArrayLike<number>, type: OnnxTensor['type'] = 'float32'): string {
    const name = `c${this.#count++}`;
    this.initializers.set(name, onnxTensor(type, shape, values));
    return name;
  }

  /** A tensor as a node, which some files have in place of initializers. */
  constantNode(shape: readonly number[], values: ArrayLike<number>): string {
    return this.node('Constant', [], { value: { type: 'tensor', value: onnxTensor('float32', shape, values) } });
  }

  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = `v${this.#count++}`;
    const domain = ['Quant', 'IntQuant', 'BipolarQuant', 'MultiThreshold'].includes(op) ? this.#domain : '';
    this.nodes.push({
      name: `${op}_${this.#count}`,
      op,
      domain,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  }

  /** A quantizer of one scale, or of one for each channel of the first axis. */
  quant(
    x: string,
    scale: ArrayLike<number>,
    bits: number,
    { signed = false, narrow = false, rank = 4, op = 'Quant' } = {},
  ): string {
    const shape = scale.length === 1 ? [] : [scale.length, ...new Array<number>(rank - 1).fill(1)];
    const parameters = [this.tensor(shape, scale), this.constantNode([], [0]), this.tensor([], [bits])];
    const flag = (value: boolean) => ({ type: 'int', value: value ? 1 : 0 }) as const;
    return this.node(op, [x, ...parameters], {
      signed: flag(signed),
      narrow: flag(narrow),
      rounding_mode: { type: 'string', value: 'ROUND' },
    });
  }

  model(input: readonly (number | string)[], output: string): OnnxModel {
    return {
      ...{ irVersion: 8, producer: 'spec', metadata: new Map() },
      opsets: new Map([
        ['', this.#opset],
        [this.#domain, 1],
      ]),
      graph: {
        ...{ name: 'spec', datatypes: new Map(), nodes: this.nodes, initializers: this.initializers },
        inputs: [{ name: 'x', type: 'float32', shape: input }],
        outputs: [{ name: output, type: 'float32', shape: [] }],
      },
    };
  }
}
