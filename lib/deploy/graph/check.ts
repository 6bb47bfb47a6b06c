import { asOptions } from '../../tensor/argument.js';
import { DataError, formatShape } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import type { GraphNode, GraphTask, IntegerGraph, IntegerTensor } from './graph.js';
import { factor, finite, int32, isRecord, list, MEMBERS, positive, text, told, whole, words } from './members.js';
import { inferRanges } from './ranges.js';
import { type GraphShapes, inferShapes } from './shapes.js';

type Fail = (problem: string) => never;

/**
 * Refuses a graph that is none: unknown operations, members of the wrong kind, values used before they are made, shapes
 * or weights that do not fit, integers out of their stated range. What passes can be run, on inputs of its shape.
 * @param name of the file, for errors
 * @throws DataError naming the node and the problem
 */
export function checkGraph(graph: IntegerGraph, name: string): void {
  const fail: Fail = (problem) => {
    throw new DataError('graph', `${name}: ${problem}`);
  };
  const { input, nodes, output, tensors, task, notes } = asOptions('graph', graph, 'the network');
  if (!words(graph.name)) fail('it has no name');
  if (!list(words, 0, 1000)(notes)) fail('its notes are no list of sentences');
  checkInput(input, fail);
  if (!Array.isArray(nodes) || nodes.length === 0) fail('it has no nodes');
  if (!(tensors instanceof Map)) fail('it has no tensors');
  const made = new Set([input.name]);
  const used = new Set<string>();
  for (const node of nodes) {
    checkMembers(node, fail);
    for (const from of node.inputs) if (!made.has(from)) fail(`${node.name} reads ${told(from)}, which is not made`);
    if (made.has(node.name)) fail(`two values are called ${told(node.name)}`);
    made.add(node.name);
    checkTensors(node, tensors, used, fail);
  }
  for (const key of tensors.keys()) if (!used.has(key)) fail(`no node uses the tensor ${told(key)}`);
  checkTask(task, input.shape[0], fail);
  checkOutput(output, made, fail);
  const shapes = inferAll(graph, fail);
  const channels = shapes.get(output.value)?.[1];
  if (output.decode.some(({ values }) => values.length !== 1 && values.length !== channels)) {
    fail(`a step of the output has neither 1 nor ${channels} numbers`);
  }
}

/** The shapes, once shapes and ranges can be told. */
function inferAll(graph: IntegerGraph, fail: Fail): GraphShapes {
  try {
    const shapes = inferShapes(graph);
    inferRanges(graph, shapes);
    return shapes;
  } catch (error) {
    if (error instanceof DataError) return fail(error.message.slice(`${error.op}: `.length));
    throw error;
  }
}

function checkInput(input: IntegerGraph['input'], fail: Fail): void {
  if (!isRecord(input)) fail('it has no input');
  if (!text(input.name)) fail('its input has no name');
  if (!list(whole(1, 2 ** 24), 1, 7)(input.shape)) fail('the shape of its input is no list of extents');
  checkRange('its input', input, fail);
  if (!positive(input.scale)) fail(`the scale of its input is ${told(input.scale)}`);
}

/** A range without 0 would not bound the sums on the way to a total, nor those that meet padding. */
function checkRange(what: string, range: { readonly low: number; readonly high: number }, fail: Fail): void {
  if (int32(range.low) && int32(range.high) && range.low <= 0 && range.high >= 0) return;
  fail(`the range of ${what} must hold 0 and fit int32; it is ${told(range.low)} … ${told(range.high)}`);
}

function checkMembers(node: GraphNode, fail: Fail): void {
  if (!isRecord(node)) fail('a node is no object');
  if (!text(node.name)) fail('a node has no name');
  const { op } = node;
  const key: unknown = op === 'requantize' ? node.mode : op;
  const known = typeof key === 'string' && Object.hasOwn(MEMBERS, key);
  if (!known || ['thresholds', 'fixed'].includes(key) !== (op === 'requantize')) {
    fail(`${node.name} has an unknown operation, ${told(op)}${op === 'requantize' ? ` by ${told(key)}` : ''}`);
  }
  for (const [member, kind] of Object.entries(MEMBERS[key])) {
    const value = (node as unknown as Readonly<Record<string, unknown>>)[member];
    if (!kind(value)) fail(`${node.name} (${op}): ${member} cannot be ${told(value)}`);
  }
  if (node.op === 'requantize') checkRange(node.name, node, fail);
  if (node.op === 'reshape' && node.shape.filter((extent) => extent === -1).length > 1) {
    fail(`${node.name}: only one extent can be −1`);
  }
  if (node.op === 'permute') {
    const { axes } = node;
    const all = new Set(axes).size === axes.length && axes.every((axis) => axis < axes.length);
    if (axes[0] !== 0 || !all) fail(`${node.name}: axes must be an order of all, the batch first`);
  }
}

function checkTensors(node: GraphNode, tensors: IntegerGraph['tensors'], used: Set<string>, fail: Fail): void {
  const named = (key: string, rank: number): IntegerTensor => {
    const tensor = tensors.get(key);
    used.add(key);
    if (!isRecord(tensor)) return fail(`${node.name} names the tensor ${told(key)}, which is not there`);
    const { shape, data } = tensor;
    const integers = [Int8Array, Int16Array, Int32Array].some((type) => data instanceof type);
    if (!integers || !list(whole(0, 2 ** 31 - 1), rank, rank)(shape) || sizeOf(shape) !== data.length || shape[0] < 1) {
      return fail(`${node.name}: ${told(key)} holds no integers of ${rank} axes; its shape is ${formatShape(shape)}`);
    }
    return tensor;
  };
  if (node.op === 'conv' || node.op === 'linear') {
    const { shape, data } = named(node.weights, node.op === 'conv' ? 4 : 2);
    if (data.length === 0) fail(`${node.name}: it has no weights`);
    const most = 2 ** (node.weightBits - 1);
    if (data.some((q) => q < -most || q >= most)) {
      fail(`${node.name}: a weight is no integer of ${node.weightBits} bits`);
    }
    if (node.op === 'conv' && shape[0] % node.groups !== 0) {
      fail(`${node.name}: ${shape[0]} channels do not make ${node.groups} groups`);
    }
  } else if (node.op === 'requantize' && node.mode === 'thresholds') {
    const { shape, data } = named(node.thresholds, 2);
    const [rows, count] = shape;
    const [sign, base] = [named(node.sign, 1).data, named(node.base, 1).data];
    if (sign.length !== rows || base.length !== rows) fail(`${node.name}: its rows differ in number`);
    if (sign.some((value) => value !== 1 && value !== -1)) fail(`${node.name}: a sign is neither 1 nor −1`);
    for (let i = 1; i < data.length; i++) {
      if (i % count !== 0 && data[i] < data[i - 1]) {
        fail(`${node.name}: the thresholds of row ${Math.floor(i / count)} fall`);
      }
    }
    for (let row = 0; row < rows; row++) {
      const ends = [base[row], base[row] + sign[row] * count];
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
  if (!isRecord(output) || !made.has(output.value)) fail('its output is no value of it');
  const known = ['multiply', 'divide', 'add', 'maximum'];
  const step = (value: unknown) =>
    isRecord(value) && known.some((op) => op === value['op']) && list(finite, 1, 2 ** 24)(value['values']);
  if (!list(step, 0, 1000)(output.decode)) fail('its output cannot be decoded: a step is not known');
}

function checkTask(task: GraphTask | null, channels: number, fail: Fail): void {
  if (task === null) return;
  if (!isRecord(task) || (task.kind !== 'labels' && task.kind !== 'images')) fail('its task is not known');
  const pixels: unknown = task.pixels;
  const perChannel = isRecord(pixels) && list(finite, channels, channels)(pixels['mean']);
  if (!perChannel || !list(positive, channels, channels)(pixels['std'])) {
    fail(`its pixels need ${channels} means and positive deviations`);
  }
  if (task.kind === 'labels' && !list(words, 1, 2 ** 20)(task.classes)) fail('its classes are no list of names');
  if (task.kind === 'images' && !factor(task.factor)) fail('its factor is no small count');
}
