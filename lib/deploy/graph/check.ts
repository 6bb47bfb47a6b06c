import { DataError, formatShape } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { GraphNode, IntegerGraph, IntegerTensor } from './graph.js';
import { extremesOf, type GraphRanges, inferRanges } from './ranges.js';
import { inferShapes } from './shapes.js';

/** Most elements one value of one sample may have: 2^28, a gigabyte of int32. */
const MOST_ELEMENTS = 2 ** 28;

/** What each member of a node must be. */
type Kind = (value: unknown) => boolean;

const whole =
  (low: number, high: number): Kind =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
const text: Kind = (value) => typeof value === 'string' && value.length > 0 && value.length <= 500;
const either =
  (...values: readonly unknown[]): Kind =>
  (value) =>
    values.includes(value);
const list =
  (of: Kind, fewest: number, most: number): Kind =>
  (value) =>
    Array.isArray(value) && value.length >= fewest && value.length <= most && value.every(of);
const orNull =
  (kind: Kind): Kind =>
  (value) =>
    value === null || kind(value);
const positive: Kind = (value) => typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY;

const EXTENT = 2 ** 16;
const int32 = whole(-(2 ** 31), 2 ** 31 - 1);
const factor = whole(1, 64);
const pairOf = (low: number) => list(whole(low, EXTENT), 2, 2);
const windows = { stride: pairOf(1), padding: pairOf(0), dilation: pairOf(1) };
const product = { weights: text, weightBits: whole(1, 32), accumulatorBits: orNull(whole(2, 32)) };
const requantized = { low: int32, high: int32, scale: positive };

const MEMBERS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  conv: { ...product, ...windows, groups: whole(1, EXTENT), resize: factor },
  linear: product,
  add: {},
  maxPool: { ...windows, kernel: pairOf(1) },
  sumPool: { ...windows, kernel: orNull(pairOf(1)) },
  upsample: { factor },
  pixelShuffle: { factor },
  concat: {},
  reshape: { shape: list((value) => value === -1 || whole(1, 2 ** 31 - 1)(value), 1, 7) },
  permute: { axes: list(whole(0, 7), 2, 8) },
  thresholds: { mode: text, ...requantized, thresholds: text, sign: text, base: text },
  fixed: {
    ...{ mode: text, ...requantized, lift: whole(0, 52), multiplier: text, offset: text, shift: text },
    error: (value) => typeof value === 'number' && value >= 0,
  },
};

const PAIRED = ['add', 'concat'];

/**
 * Refuses a graph that is none: unknown operations, members of the wrong kind, values used before they are made, shapes
 * or weights that do not fit, integers out of their stated range. What passes can be run, on inputs of its shape.
 * @param name of the file, for errors
 * @throws DataError naming the node and the problem
 */
export function checkGraph(graph: IntegerGraph, name: string): void {
  const fail = (problem: string): never => {
    throw new DataError('graph', `${name}: ${problem}`);
  };
  const { input, nodes, output, tensors } = graph;
  checkInput(input, fail);
  if (!Array.isArray(nodes) || nodes.length === 0) fail('it has no nodes');
  const made = new Set([input.name]);
  const used = new Set<string>();
  for (const node of nodes) {
    checkMembers(node, fail);
    for (const from of node.inputs) if (!made.has(from)) fail(`${node.name} reads ${quoted(from)}, which is not made`);
    if (made.has(node.name)) fail(`two values are called ${quoted(node.name)}`);
    made.add(node.name);
    checkTensors(node, tensors, used, fail);
  }
  for (const key of tensors.keys()) if (!used.has(key)) fail(`no node uses the tensor ${quoted(key)}`);
  checkOutput(output, made, fail);
  checkTask(graph, fail);
  let ranges: GraphRanges;
  try {
    const shapes = inferShapes(graph);
    for (const [value, shape] of shapes) {
      if (sizeOf(shape) > MOST_ELEMENTS) fail(`${value} would have shape ${formatShape(shape)}`);
    }
    const channels = shapes.get(output.value)?.[1];
    if (output.decode.some(({ values }) => values.length !== 1 && values.length !== channels)) {
      fail(`a step of the output has neither 1 nor ${channels} numbers`);
    }
    ranges = inferRanges(graph, shapes);
  } catch (error) {
    if (error instanceof DataError && !error.message.includes(name)) fail(error.message.replace('graph: ', ''));
    throw error;
  }
  for (const [value, range] of ranges) {
    const { low, high } = extremesOf(range);
    if (low < -(2 ** 31) || high >= 2 ** 31) fail(`${value} can be ${low} … ${high}, beyond int32`);
  }
}

type Fail = (problem: string) => never;

const quoted = (word: unknown) => String(word).slice(0, 80);

function checkInput(input: IntegerGraph['input'], fail: Fail): void {
  if (typeof input !== 'object' || input === null) fail('it has no input');
  if (!text(input.name)) fail('its input has no name');
  if (!list(whole(1, 2 ** 24), 1, 7)(input.shape)) fail('the shape of its input is no list of extents');
  if (!int32(input.low) || !int32(input.high) || input.low > 0 || input.high < 0) {
    fail(`the range of its input must hold 0; it is ${quoted(input.low)} … ${quoted(input.high)}`);
  }
  if (!positive(input.scale)) fail(`the scale of its input is ${quoted(input.scale)}`);
}

function checkMembers(node: GraphNode, fail: Fail): void {
  if (typeof node !== 'object' || node === null) fail('a node is no object');
  if (!text(node.name)) fail('a node has no name');
  const { op } = node;
  const key = op === 'requantize' ? node.mode : op;
  if (typeof key !== 'string' || !Object.hasOwn(MEMBERS, key) || (op !== 'requantize' && key !== op)) {
    fail(`${node.name} has an unknown operation, ${quoted(op)} ${op === 'requantize' ? quoted(key) : ''}`);
  }
  const inputs = PAIRED.includes(op) ? list(text, 1, 1000) : list(text, 1, 1);
  const members = { inputs, ...MEMBERS[key] };
  for (const [member, kind] of Object.entries(members)) {
    const value = (node as unknown as Record<string, unknown>)[member];
    if (!kind(value)) fail(`${node.name} (${op}): ${member} cannot be ${quoted(JSON.stringify(value))}`);
  }
  if (node.op === 'requantize' && node.low > node.high) fail(`${node.name}: its range is ${node.low} … ${node.high}`);
  if (node.op === 'reshape' && node.shape.filter((extent) => extent === -1).length > 1) {
    fail(`${node.name}: only one extent can be −1`);
  }
  if (node.op === 'permute' && (node.axes[0] !== 0 || new Set(node.axes).size !== node.axes.length)) {
    fail(`${node.name}: axes must be an order of all, the batch first`);
  }
  if (node.op === 'permute' && node.axes.some((axis) => axis >= node.axes.length)) {
    fail(`${node.name}: axes must be an order of all, the batch first`);
  }
}

function checkTensors(node: GraphNode, tensors: IntegerGraph['tensors'], used: Set<string>, fail: Fail): void {
  const named = (key: string, rank: number): IntegerTensor => {
    const tensor = tensors.get(key);
    used.add(key);
    if (tensor === undefined) return fail(`${node.name} names the tensor ${quoted(key)}, which is not there`);
    if (tensor.shape.length !== rank || sizeOf(tensor.shape) !== tensor.data.length || tensor.shape[0] < 1) {
      fail(`${node.name}: ${quoted(key)} has shape ${formatShape(tensor.shape)}`);
    }
    return tensor;
  };
  if (node.op === 'conv' || node.op === 'linear') {
    const { shape, data } = named(node.weights, node.op === 'conv' ? 4 : 2);
    const most = 2 ** (node.weightBits - 1);
    if (data.some((q) => q < -most || q >= most))
      fail(`${node.name}: a weight is no integer of ${node.weightBits} bits`);
    if (sizeOf(shape) === 0) fail(`${node.name}: it has no weights`);
    if (node.op === 'conv' && shape[0] % node.groups !== 0) {
      fail(`${node.name}: ${shape[0]} channels do not make ${node.groups} groups`);
    }
  } else if (node.op === 'requantize' && node.mode === 'thresholds') {
    const { shape, data } = named(node.thresholds, 2);
    const [rows, count] = shape;
    const [sign, base] = [named(node.sign, 1), named(node.base, 1)];
    if (sign.data.length !== rows || base.data.length !== rows) fail(`${node.name}: its rows differ in number`);
    if (sign.data.some((value) => value !== 1 && value !== -1)) fail(`${node.name}: a sign is neither 1 nor −1`);
    for (let i = 1; i < data.length; i++) {
      if (i % count !== 0 && data[i] < data[i - 1])
        fail(`${node.name}: the thresholds of row ${Math.floor(i / count)} fall`);
    }
    for (let row = 0; row < rows; row++) {
      const ends = [base.data[row], base.data[row] + sign.data[row] * count];
      if (Math.min(...ends) < node.low || Math.max(...ends) > node.high) {
        fail(`${node.name}: results of row ${row} leave ${node.low} … ${node.high}`);
      }
    }
  } else if (node.op === 'requantize') {
    const [multiplier, offset, shift] = [node.multiplier, node.offset, node.shift].map((key) => named(key, 1).data);
    if (multiplier.length !== offset.length || shift.length !== offset.length) {
      fail(`${node.name}: its rows differ in number`);
    }
    if (shift.some((bits) => bits < 0 || bits > 52)) fail(`${node.name}: a shift is not 0 … 52`);
  }
}

function checkOutput(output: IntegerGraph['output'], made: ReadonlySet<string>, fail: Fail): void {
  if (typeof output !== 'object' || output === null || !made.has(output.value)) fail('its output is no value of it');
  const step: Kind = (value) => {
    const { op, values } = (value ?? {}) as Record<string, unknown>;
    return (
      either('multiply', 'divide', 'add', 'maximum')(op) &&
      list((number) => Number.isFinite(number), 1, 2 ** 24)(values)
    );
  };
  if (!list(step, 0, 1000)(output.decode)) fail('its output cannot be decoded: a step is not known');
}

function checkTask({ task, input }: IntegerGraph, fail: Fail): void {
  if (task === null) return;
  if (typeof task !== 'object' || !either('labels', 'images')(task.kind)) fail('its task is not known');
  const { mean, std } = task.pixels ?? {};
  const numbers = list((value) => Number.isFinite(value), input.shape[0], input.shape[0]);
  if (!numbers(mean) || !list(positive, input.shape[0], input.shape[0])(std)) {
    fail(`its pixels need ${input.shape[0]} means and positive deviations`);
  }
  if (task.kind === 'labels' && !list((value) => typeof value === 'string', 1, 2 ** 20)(task.classes)) {
    fail('its classes are no list of names');
  }
  if (task.kind === 'images' && !factor(task.factor)) fail('its factor is no small count');
}
