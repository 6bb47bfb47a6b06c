import { formatShape } from '../../../tensor/errors.js';
import { roundHalfEven } from '../../../tensor/float32.js';
import { sizeOf } from '../../../tensor/shape.js';
import { axisOf, constantAt, type Inputs, optionalAt } from './importArguments.js';
import type { ImportNode } from './importNode.js';
import { broadcastShape, type Constant, constant, constantOf, expanded, MOST_NUMBERS } from './importValues.js';
import { elementType } from './tensors.js';

/** What a node makes of numbers that the file knows. */
type Folder = (node: ImportNode, inputs: Inputs) => Constant;

/** An operation on two numbers. Factors move a grid along. */
const binary =
  (at: (a: number, b: number) => number, scales = false): Folder =>
  (node, inputs) => {
    const [a, b] = [0, 1].map((i) => constantAt(node, inputs, i, 'operand'));
    const shape = broadcastShape(a.shape, b.shape);
    if (shape === null || sizeOf(shape) > MOST_NUMBERS) {
      return node.fail(`joins numbers of shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
    }
    const spread = (of: Constant, data: ArrayLike<number>) => expanded({ shape: of.shape, data }, shape);
    const both = (left: ArrayLike<number>, right: ArrayLike<number>) => {
      const [x, y] = [spread(a, left), spread(b, right)];
      return Float64Array.from({ length: sizeOf(shape) }, (_, i) => at(x[i], y[i]));
    };
    const made = { ...constant(shape, both(a.data, b.data), a.type), bits: a.bits ?? b.bits };
    if (!scales || (a.steps === null) === (b.steps === null)) return { ...made, bits: null };
    const steps = both(a.steps ?? a.data, b.steps ?? b.data).map(Math.abs);
    return steps.every((step) => step > 0 && Number.isFinite(step)) ? { ...made, steps } : { ...made, bits: null };
  };

const unary =
  (at: (x: number) => number): Folder =>
  (node, inputs) => {
    const x = constantAt(node, inputs, 0, 'operand');
    return constant(x.shape, Float64Array.from(x.data, at), x.type);
  };

const keep: Folder = (node, inputs) => constantAt(node, inputs, 0, 'operand');

/** Limits that change nothing leave a grid as it is; others keep its step. */
const clip: Folder = (node, inputs) => {
  const x = constantAt(node, inputs, 0, 'operand');
  const bound = (i: number, name: string, otherwise: number) => {
    const given = optionalAt(node, inputs, i, name);
    return given?.data[0] ?? (node.has(name) ? node.float(name) : otherwise);
  };
  const [low, high] = [bound(1, 'min', Number.NEGATIVE_INFINITY), bound(2, 'max', Number.POSITIVE_INFINITY)];
  const data = Float64Array.from(x.data, (value) => Math.min(high, Math.max(low, value)));
  return { ...x, data };
};

const cast: Folder = (node, inputs) => {
  const x = constantAt(node, inputs, 0, 'operand');
  const type = elementType(node.int('to'));
  if (type === null) return node.fail(`casts to the element type ${node.int('to')}, which is not read`);
  const isReal = type === 'float32' || type === 'float64';
  return { ...x, type, data: isReal ? x.data : Float64Array.from(x.data, Math.trunc) };
};

const given: Folder = (node) => {
  for (const name of ['value', 'value_float', 'value_floats', 'value_int', 'value_ints'] as const) {
    if (!node.has(name)) continue;
    if (name === 'value') return constantOf(node.tensor(name));
    if (name === 'value_float') return constant([], [node.float(name)]);
    if (name === 'value_int') return constant([], [node.int(name)], 'int64');
    const list = name === 'value_floats' ? node.floats(name) : node.ints(name);
    return constant([list.length], list, name === 'value_floats' ? 'float32' : 'int64');
  }
  return node.fail('holds no numbers that are read');
};

const filled: Folder = (node, inputs) => {
  const shape = Array.from(constantAt(node, inputs, 0, 'shape').data);
  const fill = node.has('value') ? constantOf(node.tensor('value')) : constant([1], [0]);
  if (fill.data.length !== 1 || shape.length > 8 || !shape.every((extent) => extent >= 0) || sizeOf(shape) > 2 ** 22) {
    node.fail(`makes ${formatShape(shape.slice(0, 9))}`);
  }
  return constant(shape, new Float64Array(sizeOf(shape)).fill(fill.data[0]), fill.type);
};

const gather: Folder = (node, inputs) => {
  const x = constantAt(node, inputs, 0, 'operand');
  const which = constantAt(node, inputs, 1, 'list of indices');
  const axis = axisOf(node, node.int('axis', 0), x.shape.length);
  const [outer, extent, inner] = [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1))];
  const shape = [...x.shape.slice(0, axis), ...which.shape, ...x.shape.slice(axis + 1)];
  if (sizeOf(shape) > MOST_NUMBERS) node.fail(`makes ${formatShape(shape)}`);
  const rows = Array.from(which.data, (index) => axisOf(node, index, extent));
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    const row = rows[Math.floor(i / inner) % rows.length];
    data[i] = x.data[(Math.floor(i / inner / rows.length) * extent + row) * inner + (i % inner)];
  }
  if (outer === 0) node.fail('gathers from nothing');
  return constant(shape, data, x.type);
};

/** A range of a list, as exporters write it for shapes. */
const slice: Folder = (node, inputs) => {
  const x = constantAt(node, inputs, 0, 'operand');
  const numbers = (i: number, name: string) =>
    node.opset < 10 ? node.ints(name) : Array.from(constantAt(node, inputs, i, name).data);
  const [start, ...more] = numbers(1, 'starts');
  const [end] = numbers(2, 'ends');
  const step = inputs[4] ? constantAt(node, inputs, 4, 'steps').data[0] : 1;
  if (x.shape.length !== 1 || more.length > 0 || step !== 1) node.fail('slices other numbers than a list');
  const data = Array.from(x.data).slice(start, end);
  return constant([data.length], data, x.type);
};

/** What is computed from the file alone; what also moves traced values stands with those. */
export const FOLDERS: Readonly<Record<string, Folder>> = {
  Constant: given,
  ConstantOfShape: filled,
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b, true),
  Div: binary((a, b) => a / b, true),
  Pow: binary((a, b) => a ** b),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Neg: (node, inputs) => {
    const x = constantAt(node, inputs, 0, 'operand');
    return { ...x, data: Float64Array.from(x.data, (value) => -value) };
  },
  Abs: unary(Math.abs),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Reciprocal: unary((x) => 1 / x),
  Round: unary(roundHalfEven),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Relu: unary((x) => Math.max(0, x)),
  Clip: clip,
  Cast: cast,
  Identity: keep,
  Gather: gather,
  Slice: slice,
};
