import { VERSION } from '../../../tensor/version.js';
import { checkGraph } from '../../graph/check.js';
import type {
  DecodeStep,
  GraphNode,
  IntegerGraph,
  ProductNode,
  RequantizeNode,
  SumPoolNode,
} from '../../graph/graph.js';
import { type GraphRanges, inferRanges } from '../../graph/ranges.js';
import { type GraphShapes, inferShapes } from '../../graph/shapes.js';
import { OnnxBuilder } from './builder.js';
import type { ElementType } from './model.js';
import { writeModel } from './proto.js';

/** A value of the ONNX graph that stands for one of the network. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
}

/** What a dialect finds: the network, what is known of its values, and where the ONNX graph grows. */
export interface Context {
  readonly graph: IntegerGraph;
  readonly ranges: GraphRanges;
  readonly shapes: GraphShapes;
  readonly builder: OnnxBuilder;
}

/** One way to say a network in ONNX: what is not the same in all of them. */
export interface Dialect {
  readonly irVersion: number;
  readonly opset: number;
  /** Domains beside ONNX's own. */
  readonly domains?: Readonly<Record<string, number>>;
  /** Whether batch and image have the sizes that the network was lowered for, and no others. */
  readonly fixedSizes?: boolean;
  /** Element types that hold any value, the preferred one first. */
  readonly wide: readonly ElementType[];
  /** The integers of the real input. */
  input(real: string): Value;
  /** The same integers in another type. */
  convert(value: Value, type: ElementType): Value;
  product(node: ProductNode, x: Value): Value;
  sumPool(node: SumPoolNode, x: Value): Value;
  requantize(node: RequantizeNode, x: Value): Value;
}

/**
 * A network as an ONNX model: real numbers in, real numbers out, values of the network under their names.
 * @throws DataError if the graph is none, or the dialect cannot say it
 */
export function encodeOnnx(graph: IntegerGraph, dialectOf: (context: Context) => Dialect): Uint8Array {
  checkGraph(graph, graph.name);
  const shapes = inferShapes(graph);
  const output = freeName('output', graph);
  const reserved = [graph.input.name, output, ...graph.nodes.map(({ name }) => name)];
  const context = { graph, shapes, ranges: inferRanges(graph, shapes), builder: new OnnxBuilder(reserved) };
  const { builder } = context;
  const dialect = dialectOf(context);
  const values = new Map([[graph.input.name, dialect.input(graph.input.name)]]);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name) as Value);
    values.set(node.name, encodeNode(node, inputs, dialect, builder));
  }
  const last = dialect.convert(values.get(graph.output.value) as Value, 'float32');
  decode(last.name, output, context);
  const isFree = freeAxes(graph, dialect);
  const extents = (value: string, prefix: string) =>
    (shapes.get(value) as readonly number[]).map((extent, axis) => {
      return isFree[axis] ? (axis === 0 ? 'N' : `${prefix}${'NCHW'[axis]}`) : extent;
    });
  return writeModel({
    irVersion: dialect.irVersion,
    opsets: new Map([['', dialect.opset], ...Object.entries(dialect.domains ?? {})]),
    producer: `a2q.js ${VERSION}`,
    metadata: new Map(graph.task === null ? [] : [['a2q.task', JSON.stringify(graph.task)]]),
    graph: builder.graph({
      name: graph.name,
      inputs: [{ name: graph.input.name, type: 'float32', shape: extents(graph.input.name, '') }],
      outputs: [{ name: output, type: 'float32', shape: extents(graph.output.value, 'output_') }],
    }),
  });
}

function freeName(name: string, graph: IntegerGraph): string {
  const isTaken = graph.input.name === name || graph.nodes.some((node) => node.name === name);
  return isTaken ? freeName(`${name}_`, graph) : name;
}

/** Which axes may have any extent: the batch, and those of images that nothing in the network fixes. */
function freeAxes({ input, nodes }: IntegerGraph, { fixedSizes = false }: Dialect): readonly boolean[] {
  const fixes = (node: GraphNode) =>
    ['linear', 'reshape', 'permute'].includes(node.op) || ('kernel' in node && node.kernel === null);
  const image = !fixedSizes && input.shape.length === 3 && !nodes.some(fixes);
  return [!fixedSizes, false, image, image];
}

/** The element types that operators take in common runtimes. */
const TAKES: Readonly<Record<string, readonly ElementType[]>> = {
  Add: ['float32', 'int32'],
  MaxPool: ['float32', 'float64', 'int8', 'uint8'],
  Resize: ['float32', 'int32', 'int8', 'uint8'],
  DepthToSpace: ['float32', 'float64', 'uint8'],
  Concat: ['float32', 'float64', 'int32', 'int8', 'uint8'],
  Reshape: ['float32', 'float64', 'int32', 'int8', 'uint8'],
  Transpose: ['float32', 'float64', 'int32', 'int8', 'uint8'],
};

function encodeNode(node: GraphNode, inputs: readonly Value[], dialect: Dialect, builder: OnnxBuilder): Value {
  const [x] = inputs;
  /** The inputs in one type that the operator takes. */
  const taken = (op: string): { readonly names: readonly string[]; readonly type: ElementType } => {
    const takes = (type: ElementType) => TAKES[op].includes(type);
    const isPlain = takes(x.type) && inputs.every(({ type }) => type === x.type);
    const type = isPlain ? x.type : (dialect.wide.find(takes) as ElementType);
    return { names: inputs.map((input) => dialect.convert(input, type).name), type };
  };
  const plain = (op: string, attributes: Parameters<OnnxBuilder['node']>[3], constants: readonly string[] = []) => {
    const { names, type } = taken(op);
    return { name: builder.value(node.name, op, [...names, ...constants], attributes), type };
  };
  switch (node.op) {
    case 'conv':
    case 'linear':
      return dialect.product(node, x);
    case 'requantize':
      return dialect.requantize(node, x);
    case 'sumPool':
      return dialect.sumPool(node, x);
    case 'add': {
      const { names, type } = taken('Add');
      const [first, ...others] = names.slice(0, -1);
      const sum = others.reduce((a, b) => builder.node(`${node.name}/sum`, 'Add', [a, b]), first);
      const last = names[names.length - 1];
      if (first === undefined) return { name: builder.value(node.name, 'Identity', [last]), type };
      return { name: builder.value(node.name, 'Add', [sum, last]), type };
    }
    case 'maxPool':
      return plain('MaxPool', { kernel_shape: node.kernel, ...windowAttributes(node) });
    case 'upsample': {
      const { names, type } = taken('Resize');
      return { name: resize(builder, node.name, names[0], node.factor, 'value'), type };
    }
    case 'pixelShuffle':
      return plain('DepthToSpace', { blocksize: node.factor, mode: 'CRD' });
    case 'concat':
      return plain('Concat', { axis: 1 });
    case 'reshape': {
      const shape = builder.tensor(`${node.name}/shape`, 'int64', [node.shape.length + 1], [0, ...node.shape]);
      return plain('Reshape', {}, [shape]);
    }
    case 'permute':
      return plain('Transpose', { perm: node.axes });
  }
}

/** Attributes of a window, as Conv and MaxPool have them. */
export function windowAttributes({ stride, padding, dilation }: Pick<SumPoolNode, 'stride' | 'padding' | 'dilation'>) {
  return { strides: stride, pads: [...padding, ...padding], dilations: dilation };
}

/** Every pixel r × r times. */
export function resize(
  builder: OnnxBuilder,
  name: string,
  x: string,
  factor: number,
  kind: 'node' | 'value' = 'node',
): string {
  const scales = builder.tensor(`${name}/scales`, 'float32', [4], [1, 1, factor, factor]);
  const attributes = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return builder[kind](name, 'Resize', [x, '', scales], attributes);
}

/** The shape of one number for each channel (axis 1) of a value of some rank; `[]` of one for all. */
export function channelShape(count: number, rank: number): readonly number[] {
  return count === 1 ? [] : [count, ...new Array<number>(rank - 2).fill(1)];
}

const STEPS = { multiply: 'Mul', divide: 'Div', add: 'Add', maximum: 'Max' } as const satisfies Record<
  DecodeStep['op'],
  string
>;

function decode(last: string, output: string, { graph, shapes, builder }: Context): void {
  const { decode: steps, value } = graph.output;
  const rank = (shapes.get(value) as readonly number[]).length;
  let x = last;
  for (const [i, { op, values }] of steps.entries()) {
    const operand = builder.tensor(`${output}/${op}`, 'float32', channelShape(values.length, rank), values);
    x = builder[i === steps.length - 1 ? 'value' : 'node'](output, STEPS[op], [x, operand]);
  }
  if (steps.length === 0) builder.value(output, 'Identity', [x]);
}
