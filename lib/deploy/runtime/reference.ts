import type {
  ConvNode,
  FixedPointNode,
  GraphNode,
  IntegerGraph,
  IntegerTensor,
  LinearNode,
  MaxPoolNode,
  SumPoolNode,
  ThresholdNode,
} from '../graph/graph.js';
import { countReached, multiplyAndShift } from '../graph/requantize.js';
import { inferShapes, shapeOf } from '../graph/shapes.js';

/** Integers `[N, …]` in row-major order. */
export interface IntegerValue {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

/** Carries out the dot products of a layer in some other way than exactly, such as in a register that overflows. */
export type ProductHook = (node: ConvNode | LinearNode, x: IntegerValue, w: IntegerTensor) => IntegerValue;

/** What may be told and changed while a network runs. */
export interface ReferenceOptions {
  /** Default: exact sums. */
  readonly product?: ProductHook;
  /** Sees every value as it is made. */
  readonly see?: (node: GraphNode, value: IntegerValue) => void;
}

/**
 * Runs a network on integers, plainly: the definition that every faster engine is held to, bit by bit.
 * @param x integers of the input's grid, `[N, …]` @returns those of the output's value
 * @throws DataError if the shape does not fit
 */
export function runReference(graph: IntegerGraph, x: IntegerValue, options: ReferenceOptions = {}): IntegerValue {
  inferShapes(graph, x.shape);
  const lastUse = new Map<string, number>();
  for (const [i, node] of graph.nodes.entries()) for (const name of node.inputs) lastUse.set(name, i);
  const values = new Map<string, IntegerValue>([[graph.input.name, x]]);
  for (const [i, node] of graph.nodes.entries()) {
    const inputs = node.inputs.map((name) => values.get(name) as IntegerValue);
    const value = computeNode(node, inputs, graph.tensors, options.product);
    options.see?.(node, value);
    values.set(node.name, value);
    for (const name of node.inputs) if (lastUse.get(name) === i && name !== graph.output.value) values.delete(name);
  }
  return values.get(graph.output.value) as IntegerValue;
}

/** The result of one node. */
export function computeNode(
  node: GraphNode,
  inputs: readonly IntegerValue[],
  tensors: ReadonlyMap<string, IntegerTensor>,
  product: ProductHook = exactProduct,
): IntegerValue {
  const [x] = inputs;
  const tensor = (name: string) => tensors.get(name) as IntegerTensor;
  const shape = shapeOf(
    node,
    inputs.map((input) => input.shape),
    tensors,
  );
  switch (node.op) {
    case 'conv':
    case 'linear':
      return product(node, x, tensor(node.weights));
    case 'add': {
      const data = x.data.slice();
      for (const other of inputs.slice(1)) for (let i = 0; i < data.length; i++) data[i] += other.data[i];
      return { shape, data };
    }
    case 'maxPool':
      return { shape, data: pool(node, node.kernel, x, shape, Math.max, -(2 ** 31)) };
    case 'sumPool':
      return { shape, data: pool(node, node.kernel ?? [x.shape[2], x.shape[3]], x, shape, (a, b) => a + b, 0) };
    case 'upsample':
      return repeatPixels(x, node.factor);
    case 'pixelShuffle': {
      const r = node.factor;
      const [n, c, h, w] = x.shape;
      const split = { shape: [n, c / r ** 2, r, r, h, w], data: x.data };
      return { shape, data: permuted(split, [0, 1, 4, 2, 5, 3]) };
    }
    case 'concat': {
      const data = new Int32Array(shape.reduce((product, extent) => product * extent, 1));
      const block = data.length / shape[0];
      let at = 0;
      for (const input of inputs) {
        const part = input.data.length / shape[0];
        for (let n = 0; n < shape[0]; n++) data.set(input.data.subarray(n * part, (n + 1) * part), n * block + at);
        at += part;
      }
      return { shape, data };
    }
    case 'reshape':
      return { shape, data: x.data };
    case 'permute':
      return { shape, data: permuted(x, node.axes) };
    case 'requantize':
      return { shape, data: node.mode === 'thresholds' ? threshold(node, x, tensor) : scaleAndShift(node, x, tensor) };
  }
}

/** Sums of products without limits, exact in int32 as ranges promise. */
export function exactProduct(node: ConvNode | LinearNode, x: IntegerValue, w: IntegerTensor): IntegerValue {
  if (node.op === 'linear') return linear(x, w);
  const { groups, stride, padding, dilation } = node;
  const image = repeatPixels(x, node.resize);
  const shape = shapeOf(node, [x.shape], new Map([[node.weights, w]]));
  const [, channels, height, width] = image.shape;
  const [images, outputs, oh, ow] = shape;
  const [, perGroup, kh, kw] = w.shape;
  const data = new Int32Array(images * outputs * oh * ow);
  for (let n = 0; n < images; n++) {
    for (let o = 0; o < outputs; o++) {
      const out = data.subarray((n * outputs + o) * oh * ow, (n * outputs + o + 1) * oh * ow);
      const first = Math.floor(o / (outputs / groups)) * perGroup;
      for (let tap = 0; tap < perGroup * kh * kw; tap++) {
        const q = w.data[o * perGroup * kh * kw + tap];
        if (q === 0) continue;
        const channel = first + Math.floor(tap / (kh * kw));
        const down = Math.floor((tap % (kh * kw)) / kw) * dilation[0] - padding[0];
        const across = (tap % kw) * dilation[1] - padding[1];
        const plane = (n * channels + channel) * height * width;
        for (let y = 0; y < oh; y++) {
          const row = y * stride[0] + down;
          if (row < 0 || row >= height) continue;
          const from = plane + row * width;
          for (let i = 0, column = across; i < ow; i++, column += stride[1]) {
            if (column >= 0 && column < width) out[y * ow + i] += q * image.data[from + column];
          }
        }
      }
    }
  }
  return { shape, data };
}

function linear(x: IntegerValue, w: IntegerTensor): IntegerValue {
  const [rows, length] = x.shape;
  const [outputs] = w.shape;
  const data = new Int32Array(rows * outputs);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += x.data[n * length + k] * w.data[o * length + k];
      data[n * outputs + o] = sum;
    }
  }
  return { shape: [rows, outputs], data };
}

/** `[N, C, H, W] → [N, C, r·H, r·W]`, each pixel r × r times. */
export function repeatPixels({ shape, data }: IntegerValue, factor: number): IntegerValue {
  if (factor === 1) return { shape, data };
  const [n, c, h, w] = shape;
  const out = new Int32Array(data.length * factor ** 2);
  for (let i = 0; i < out.length; i++) {
    const column = i % (w * factor);
    const row = Math.floor(i / (w * factor));
    out[i] = data[Math.floor(row / factor) * w + Math.floor(column / factor)];
  }
  return { shape: [n, c, h * factor, w * factor], data: out };
}

function pool(
  { stride, padding, dilation }: MaxPoolNode | SumPoolNode,
  kernel: readonly [number, number],
  x: IntegerValue,
  [n, c, oh, ow]: readonly number[],
  join: (a: number, b: number) => number,
  start: number,
): Int32Array {
  const [, , height, width] = x.shape;
  const out = new Int32Array(n * c * oh * ow).fill(start);
  for (let i = 0; i < out.length; i++) {
    const plane = Math.floor(i / (oh * ow)) * height * width;
    const top = Math.floor((i % (oh * ow)) / ow) * stride[0] - padding[0];
    const left = (i % ow) * stride[1] - padding[1];
    for (let tap = 0; tap < kernel[0] * kernel[1]; tap++) {
      const row = top + Math.floor(tap / kernel[1]) * dilation[0];
      const column = left + (tap % kernel[1]) * dilation[1];
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      out[i] = join(out[i], x.data[plane + row * width + column]);
    }
  }
  return out;
}

function permuted({ shape, data }: IntegerValue, axes: readonly number[]): Int32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const to = axes.map((axis) => shape[axis]);
  const steps = axes.map((axis) => strides[axis]);
  const out = new Int32Array(data.length);
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let from = 0;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += (rest % to[axis]) * steps[axis];
      rest = Math.floor(rest / to[axis]);
    }
    out[i] = data[from];
  }
  return out;
}

/** Calls `visit` for each element with its row of per-channel parameters. */
function eachChannel({ shape, data }: IntegerValue, rows: number, visit: (i: number, row: number) => void): void {
  const [, channels, ...rest] = shape;
  const area = rest.reduce((product, extent) => product * extent, 1);
  for (let i = 0; i < data.length; i++) visit(i, rows === 1 ? 0 : Math.floor(i / area) % channels);
}

function threshold(node: ThresholdNode, x: IntegerValue, tensor: (name: string) => IntegerTensor): Int32Array {
  const { shape, data: steps } = tensor(node.thresholds);
  const [rows, count] = shape;
  const [sign, base] = [tensor(node.sign).data, tensor(node.base).data];
  const out = new Int32Array(x.data.length);
  eachChannel(x, rows, (i, row) => {
    out[i] = base[row] + sign[row] * countReached(steps, x.data[i], row * count, (row + 1) * count);
  });
  return out;
}

function scaleAndShift(node: FixedPointNode, x: IntegerValue, tensor: (name: string) => IntegerTensor): Int32Array {
  const [multiplier, offset, shift] = [node.multiplier, node.offset, node.shift].map((name) => tensor(name).data);
  const numbers = { multiplier, offset, shift, lift: node.lift };
  const out = new Int32Array(x.data.length);
  eachChannel(x, offset.length, (i, row) => {
    out[i] = Math.min(node.high, Math.max(node.low, multiplyAndShift(numbers, row, x.data[i])));
  });
  return out;
}
