import { asInstance, asList, asOptions } from '../../../tensor/argument.js';
import { ArgumentError, DataError, formatShape } from '../../../tensor/errors.js';
import { checkGraph } from '../../graph/check.js';
import type { DecodeStep, GraphNode, GraphTask, IntegerGraph } from '../../graph/graph.js';
import type { Inputs, Reader } from './importArguments.js';
import { COLUMNS } from './importColumns.js';
import { FOLDERS } from './importConstants.js';
import { ELEMENTWISE } from './importElementwise.js';
import { Importer } from './importer.js';
import { IMAGES } from './importImages.js';
import { LAYOUT } from './importLayout.js';
import { ImportNode } from './importNode.js';
import { PRODUCTS } from './importProducts.js';
import type { Program } from './importProgram.js';
import { LINEAR_QUANTIZERS, QUANTIZERS } from './importQuantizers.js';
import { rangeOfType } from './importTypes.js';
import { constant, constantOf, type Traced, type Value } from './importValues.js';
import type { OnnxModel, OnnxValue } from './model.js';
import { readModel } from './proto.js';

/** How a file becomes a network. */
export interface ImportOptions {
  /** For people. Default: that of the graph in the file. */
  readonly name?: string;
  /** Of one sample, `[C, H, W]`, where the file leaves extents open. Default: 64 for each that is open. */
  readonly inputShape?: readonly number[];
}

/** Domains in which QONNX's operators are found. */
const QUANTIZER_DOMAINS = ['qonnx.custom_op.general', 'onnx.brevitas', 'finn.custom_op.general'];

const READERS: Readonly<Record<string, Reader>> = {
  ...LINEAR_QUANTIZERS,
  ...ELEMENTWISE,
  ...PRODUCTS,
  ...IMAGES,
  ...LAYOUT,
  ...COLUMNS,
};

/** What an open extent is taken to be. */
const OPEN = 64;

/**
 * A quantized network from an ONNX file: of Brevitas and QONNX (`Quant`, `IntQuant`, `BipolarQuant`, `MultiThreshold`),
 * with QuantizeLinear and DequantizeLinear (QCDQ, QDQ), or of integers (ConvInteger). What the file computes between
 * the sums of a layer and the next quantizer is evaluated in float64, and becomes thresholds that are equal to it for
 * every sum that can be reached.
 *
 * @param bytes of the file @param file its name, for errors
 * @throws DataError naming file, node and operation, if the file is damaged or holds what has no form in integers
 */
export function importOnnx(bytes: Uint8Array, file: string, options: ImportOptions = {}): IntegerGraph {
  asInstance('importOnnx', 'bytes', bytes, Uint8Array);
  if (typeof file !== 'string') throw new ArgumentError('importOnnx', 'file must be a name');
  const { name, inputShape } = asOptions('importOnnx', options);
  if (inputShape) asList('importOnnx', 'inputShape', inputShape);
  return importModel(readModel(bytes, file), file, {
    ...(name ? { name } : {}),
    ...(inputShape ? { inputShape } : {}),
  });
}

function importModel(model: OnnxModel, file: string, options: ImportOptions): IntegerGraph {
  const { graph } = model;
  const fail = (problem: string): never => {
    throw new DataError('import', `${file}: ${problem}`);
  };
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) fail(`has ${graph.inputs.length} inputs; one is read`);
  if (graph.outputs.length !== 1) fail(`has ${graph.outputs.length} outputs; one is read`);
  const shape = shapeOfInput(input, options.inputShape, fail);
  const importer = new Importer(shape);
  const values = new Map<string, Value>();
  for (const [key, tensor] of graph.initializers) values.set(key, constantOf(tensor));
  values.set(input.name, startOf(input, importer, file));
  if (input.shape?.slice(1).some((extent) => typeof extent !== 'number')) {
    importer.notes.add(`extents that the file leaves open were taken to be those of ${formatShape(shape.slice(1))}`);
  }
  const uses = new Map<string, number>();
  for (const key of [...graph.nodes.flatMap((onnx) => onnx.inputs), graph.outputs[0].name]) {
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  for (const onnx of graph.nodes) {
    const readsAlone = uses.get(onnx.inputs[0]) === 1;
    const node = new ImportNode(onnx, { file, opset: model.opsets.get(onnx.domain), readsAlone });
    const inputs = onnx.inputs.map((key) => {
      if (key === '') return null;
      return values.get(key) ?? node.fail(`reads ${key.slice(0, 80)}, which is not made before it`);
    });
    const made = node.within(() => read(node, onnx.domain, inputs, importer));
    const [first] = onnx.outputs;
    if (first === undefined || values.has(first)) node.fail('makes a value that is there already, or none');
    values.set(first, made);
  }
  const [{ name: last }] = graph.outputs;
  const output = values.get(last);
  if (output?.kind !== 'traced') return fail(`its output ${last.slice(0, 80)} does not depend on its input`);
  const network = {
    ...finish(output, importer, options.name ?? (graph.name || 'network'), file),
    task: taskOf(model, fail),
  };
  checkGraph(network, file);
  return network;
}

/** What our own exports say that the network is for; null for others. @throws DataError if it is not JSON */
function taskOf({ metadata }: OnnxModel, fail: (problem: string) => never): GraphTask | null {
  const said = metadata.get('a2q.task');
  if (said === undefined) return null;
  try {
    return JSON.parse(said) as GraphTask;
  } catch {
    return fail('its a2q.task is not JSON');
  }
}

/** @throws DataError if the input has no shape, or one that the options contradict */
function shapeOfInput(
  input: OnnxValue,
  given: readonly number[] | undefined,
  fail: (problem: string) => never,
): number[] {
  const [batch, ...extents] = input.shape ?? [];
  if (extents.length === 0) fail(`its input ${input.name.slice(0, 80)} has no shape with a batch and channels`);
  if (given && given.length !== extents.length)
    fail(`its inputs have ${extents.length} axes; got ${formatShape(given)}`);
  const shape = extents.map((extent, axis) => {
    const wanted = given?.[axis];
    if (typeof extent === 'number' && extent > 0) {
      return wanted === undefined || wanted === extent ? extent : fail(`axis ${axis + 1} of its input is ${extent}`);
    }
    return wanted ?? OPEN;
  });
  const fixed = typeof batch === 'number' && batch > 0 ? batch : 1;
  if (fixed > 1024 || shape.some((extent) => !Number.isInteger(extent) || extent < 1 || extent > 2 ** 24)) {
    fail(`its inputs are ${formatShape([fixed, ...shape])}`);
  }
  return [fixed, ...shape];
}

/** Real numbers wait for a quantizer; integers are a grid of their own. */
function startOf(input: OnnxValue, importer: Importer, file: string): Value {
  if (input.type === 'float32' || input.type === 'float64') return importer.start();
  const empty = { name: input.name, op: 'Input', domain: '', inputs: [], outputs: [input.name], attributes: new Map() };
  const node = new ImportNode(empty, { file });
  const [low, high] = rangeOfType(node, input.type);
  return { ...importer.input(node, { low, high, scale: 1 }, { moves: [] }), integer: true };
}

function read(node: ImportNode, domain: string, inputs: Inputs, importer: Importer): Value {
  if (QUANTIZER_DOMAINS.includes(domain) && Object.hasOwn(QUANTIZERS, node.op)) {
    return QUANTIZERS[node.op as keyof typeof QUANTIZERS](node, inputs, importer);
  }
  if (domain !== '') node.fail(`of the domain ${domain.slice(0, 80)} is not read`);
  if (node.op === 'Shape') {
    const [x] = inputs;
    if (node.has('start') || node.has('end') || !x) return node.fail('asks for a part of a shape');
    return constant([x.shape.length], x.shape, 'int64');
  }
  const isKnown = inputs.every((x) => x === null || x.kind === 'constant');
  if (isKnown && Object.hasOwn(FOLDERS, node.op)) return FOLDERS[node.op](node, inputs);
  if (Object.hasOwn(READERS, node.op)) return READERS[node.op](node, inputs, importer);
  return node.fail('is an operation that is not read');
}

/** The graph up to its output: on a grid, or sums with what is left to do to them in real numbers. */
function finish(output: Traced, importer: Importer, name: string, file: string): IntegerGraph {
  const { builder, notes } = importer;
  const empty = { name: 'output', op: 'Output', domain: '', inputs: [], outputs: ['output'], attributes: new Map() };
  const node = new ImportNode(empty, { file });
  if (output.pads !== null) node.fail('ends in a Pad');
  const { source, decode } = ending(node, importer, output);
  const used = new Set([source]);
  for (const each of [...builder.nodes].reverse()) {
    if (used.has(each.name)) for (const from of each.inputs) used.add(from);
  }
  const nodes = builder.nodes.filter((each) => used.has(each.name));
  if (nodes.length === 0) node.fail('is not computed by any layer');
  const tensors = new Map([...builder.tensors].filter(([key]) => nodes.some((each) => namesOf(each).includes(key))));
  const note =
    'thresholds equal what the file computes in float64; float32 may land a step away on the edge of rounding';
  return {
    ...{ name: name.slice(0, 200), input: builder.graphInput(), nodes, output: { value: source, decode }, tensors },
    ...{ task: null, notes: [note, ...notes] },
  };
}

function ending(node: ImportNode, importer: Importer, output: Traced): { source: string; decode: DecodeStep[] } {
  if (output.plain || importer.canSettle(output)) {
    const { source, grid } = importer.settle(node, output);
    const steps = output.plain && output.moves.length === 0 ? output.program : [];
    const exact = decoded(steps);
    if (exact && steps.length > 0) return { source, decode: exact };
    return { source, decode: grid.step === 1 ? [] : [{ op: 'multiply', values: [grid.step] }] };
  }
  const { source, moves, program } = output;
  if (source === null) return node.fail('is the input of the network: no Quant node puts it on a grid');
  const decode = decoded(program);
  if (decode === null) {
    const odd = program.find((step) => step.decode === null);
    return node.fail(
      `is computed by ${odd?.label} behind the last sums: end the network before it, or put a Quant after`,
    );
  }
  if (decode.some(({ values }) => values.length > 1) && importer.originOf(node, output) !== null) {
    node.fail('has numbers for channels that were mixed: put a Quant node before they are');
  }
  const last = importer.settle(node, {
    ...output,
    program: [],
    plain: true,
    grid: importer.plain(source, { step: 1 }).grid,
    moves,
  });
  return { source: last.source, decode };
}

/** A program as the steps of an output; null if it has another form. */
function decoded(program: Program): DecodeStep[] | null {
  return program.every((step) => step.decode !== null) ? program.flatMap((step) => step.decode ?? []) : null;
}

/** The tensors that a node names. */
function namesOf(node: GraphNode): readonly string[] {
  if (node.op === 'conv' || node.op === 'linear') return [node.weights];
  if (node.op !== 'requantize') return [];
  return node.mode === 'thresholds'
    ? [node.thresholds, node.sign, node.base]
    : [node.multiplier, node.offset, node.shift];
}
