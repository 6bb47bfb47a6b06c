import { windowExtents } from '../../kernels/geometry.js';
import { DataError, formatShape } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import { asGraph } from './argument.js';
import type { GraphNode, IntegerGraph, IntegerTensor, MaxPoolNode } from './graph.js';

/** Most elements of one value: 2^28, a gigabyte of int32. */
const MOST_ELEMENTS = 2 ** 28;

/** The shapes of all values, by name. */
export type GraphShapes = ReadonlyMap<string, readonly number[]>;

/**
 * The shape of every value for inputs of a shape.
 * @param batch `[N, C, H, W]` or `[N, F]`; default: one sample as the graph has it
 * @throws DataError naming the node whose inputs do not fit it, or whose result would have more than 2^28 elements
 */
export function inferShapes(graph: IntegerGraph, batch?: readonly number[]): GraphShapes {
  const { shape: sample } = asGraph('inferShapes', graph).input;
  const input = batch ?? [1, ...sample];
  const shapes = new Map<string, readonly number[]>();
  const alike = Array.isArray(input) && input.every((extent) => Number.isInteger(extent) && extent >= 1);
  if (!alike || input.length !== sample.length + 1 || input[1] !== sample[0]) {
    const wanted = ['N', ...sample];
    throw new DataError('graph', `inputs must be like [${wanted.join(', ')}]; got ${formatShape(input)}`);
  }
  checkSize(graph.input.name, input);
  shapes.set(graph.input.name, input);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => shapes.get(name) as readonly number[]);
    shapes.set(node.name, shapeOf(node, inputs, graph.tensors));
  }
  return shapes;
}

function checkSize(name: string, shape: readonly number[]): void {
  if (sizeOf(shape) <= MOST_ELEMENTS) return;
  throw new DataError('graph', `${name} would have shape ${formatShape(shape)}, more than 2^28 elements`);
}

/** The shape of a node's result. @throws DataError if its inputs do not fit it, or it would be too large */
export function shapeOf(
  node: GraphNode,
  inputs: readonly (readonly number[])[],
  tensors: ReadonlyMap<string, IntegerTensor>,
): readonly number[] {
  const shape = fittingShape(node, inputs, tensors);
  checkSize(node.name, shape);
  return shape;
}

function fittingShape(
  node: GraphNode,
  inputs: readonly (readonly number[])[],
  tensors: ReadonlyMap<string, IntegerTensor>,
): readonly number[] {
  const [x] = inputs;
  const fail = (problem: string): never => {
    throw new DataError('graph', `${node.name} (${node.op}): ${problem}; got ${inputs.map(formatShape).join(' and ')}`);
  };
  const image = () => (x.length === 4 ? x : fail('wants images [N, C, H, W]'));
  const extents = (height: number, width: number, kernel: readonly [number, number]) => {
    const { stride, padding, dilation } = node as Extract<GraphNode, { readonly padding: unknown }>;
    const [oh, ow] = windowExtents({ kernel, stride, padding, dilation }, height, width);
    return oh > 0 && ow > 0 ? [oh, ow] : fail('its window is larger than the image');
  };
  switch (node.op) {
    case 'conv': {
      const [n, c, h, w] = image();
      const weights = (tensors.get(node.weights) as IntegerTensor).shape;
      if (c !== weights[1] * node.groups) fail(`its weights ${formatShape(weights)} want other channels`);
      const resized = [n, c, h * node.resize, w * node.resize];
      checkSize(`the resized input of ${node.name}`, resized);
      return [n, weights[0], ...extents(resized[2], resized[3], [weights[2], weights[3]])];
    }
    case 'linear': {
      const weights = (tensors.get(node.weights) as IntegerTensor).shape;
      if (x.length !== 2 || x[1] !== weights[1]) fail(`wants [N, ${weights[1]}]`);
      return [x[0], weights[0]];
    }
    case 'add':
      if (inputs.some((other) => formatShape(other) !== formatShape(x))) fail('wants equal shapes');
      return x;
    case 'maxPool': {
      const [n, c, h, w] = image();
      if ([h, w].some((extent, axis) => missesImage(node, axis, extent))) fail('a window of it would hold no pixel');
      return [n, c, ...extents(h, w, node.kernel)];
    }
    case 'sumPool': {
      const [n, c, h, w] = image();
      return [n, c, ...(node.kernel === null ? [1, 1] : extents(h, w, node.kernel))];
    }
    case 'upsample': {
      const [n, c, h, w] = image();
      return [n, c, h * node.factor, w * node.factor];
    }
    case 'pixelShuffle': {
      const [n, c, h, w] = image();
      const { factor } = node;
      if (c % factor ** 2 !== 0) fail(`wants channels divisible by ${factor}²`);
      return [n, c / factor ** 2, h * factor, w * factor];
    }
    case 'concat': {
      const rest = ([n, , ...others]: readonly number[]) => formatShape([n, ...others]);
      if (inputs.some((other) => rest(other) !== rest(x))) fail('wants shapes that differ on axis 1 only');
      return [x[0], inputs.reduce((sum, [, c]) => sum + c, 0), ...x.slice(2)];
    }
    case 'reshape': {
      const size = sizeOf(x.slice(1));
      const known = node.shape.filter((extent) => extent !== -1).reduce((product, extent) => product * extent, 1);
      const shape = node.shape.map((extent) => (extent === -1 ? size / known : extent));
      if (sizeOf(shape) !== size || !shape.every(Number.isInteger)) fail(`cannot become ${formatShape(node.shape)}`);
      return [x[0], ...shape];
    }
    case 'permute':
      if (node.axes.length !== x.length) fail(`has ${node.axes.length} axes`);
      return node.axes.map((axis) => x[axis]);
    case 'requantize': {
      const rows = (tensors.get(node.mode === 'thresholds' ? node.base : node.offset) as IntegerTensor).shape[0];
      if (rows !== 1 && rows !== x[1]) fail(`has rows for ${rows} channels`);
      return x;
    }
  }
}

/** Whether a window might lie in the padding alone: before or behind the image, or with the image between its taps. */
function missesImage({ kernel, padding, dilation }: MaxPoolNode, axis: number, extent: number): boolean {
  if (padding[axis] === 0) return false;
  return padding[axis] > (kernel[axis] - 1) * dilation[axis] || dilation[axis] > extent;
}
