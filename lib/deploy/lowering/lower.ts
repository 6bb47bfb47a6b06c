import { mul, reshape } from '../../autograd/ops.js';
import { watchRows } from '../../autograd/row.js';
import { noGrad } from '../../autograd/tape.js';
import { asModule, type Module } from '../../nn/module.js';
import { AccumulatorAwareQuantizer } from '../../quant/accumulatorAware.js';
import { multipliesPlainly, QuantConv2d, type QuantLayer, QuantResizeConv2d, quantLayers } from '../../quant/layers.js';
import { asChoice, asOptions, asTensor } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';
import { scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { enterEvaluation } from '../evaluationMode.js';
import { checkGraph } from '../graph/check.js';
import type { DecodeStep, GraphNode, GraphTask, IntegerGraph } from '../graph/graph.js';
import { type IntegerWeights, integerWeights } from '../integerWeights.js';
import { GraphBuilder } from './builder.js';
import type { Program } from './program.js';
import type { Requantization } from './requantize.js';
import { GraphTrace, type Traced, type TraceOptions } from './trace.js';
import type { Unnamed } from './unnamed.js';

/** How a model becomes integers. */
export interface LowerOptions {
  /** For people. Default `network`. */
  readonly name?: string;
  /**
   * `thresholds` (default) reproduces what follows each accumulator exactly; `fixed` multiplies and shifts, within the
   * error that each node states.
   */
  readonly requantization?: Requantization;
  /** What the network is for; kept in the graph. Default null. */
  readonly task?: GraphTask | null;
}

/**
 * The integer graph of a trained model, found by following one forward pass row by row: scales, biases, batch norms and
 * activations between an accumulator and the next quantizer become its requantization.
 *
 * @param model any module composed of quantized layers and functions of this library; its modes stay as they are
 * @param example one batch of inputs of any numbers, `[N, …]`, on a backend that the host can read (not a GPU)
 * @throws QuantError naming module and operation that have no form in integers
 * @example
 * const options = { method: 'a2q+', weightBits: 4, actBits: 4, accumulatorBits: 10, random: new Random(0) } as const;
 * const model = new SmallCnn(layerPolicy(options), { inChannels: 1, imageSize: 16, classes: 10 });
 * const graph = await lower(model, zeros([1, 1, 16, 16]));
 * graph.nodes[0].op; // 'conv'
 */
export async function lower(model: Module, example: Tensor, options: LowerOptions = {}): Promise<IntegerGraph> {
  asModule('lower', model);
  asTensor('lower', 'example', example);
  const { name = 'network', requantization = 'thresholds', task = null } = asOptions('lower', options);
  asChoice('lower', 'requantization', requantization, ['thresholds', 'fixed']);
  if (example.rank < 2) throw new QuantError('lower', 'the example must be a batch, [N, …]');
  const integers = await modelIntegers(model);
  const builder = new GraphBuilder();
  const { source, program, moves } = traceModel(model, example, { mode: requantization, builder, integers });
  if (source === null) throw new QuantError('lower', 'the output does not pass a quantizer');
  let value = source;
  for (const move of moves) value = builder.add(`output.${move.op}`, { ...move, inputs: [value] });
  const graph: IntegerGraph = {
    name,
    input: builder.graphInput(),
    nodes: builder.nodes,
    output: { value, decode: decodeSteps(program) },
    tensors: builder.tensors,
    task,
    notes: [],
  };
  checkGraph(graph, name);
  return graph;
}

/** The integers of all layers. @throws QuantError if there is none */
export async function modelIntegers(model: Module): Promise<Map<QuantLayer, IntegerWeights>> {
  const integers = new Map<QuantLayer, IntegerWeights>();
  for (const [path, layer] of quantLayers(model)) integers.set(layer, await integerWeights(path, layer));
  if (integers.size === 0) throw new QuantError('lower', 'the model has no quantized layer, so no integers');
  return integers;
}

/** What one forward pass is followed with. */
export interface Following extends Pick<TraceOptions, 'builder' | 'mode' | 'onValue'> {
  readonly integers: ReadonlyMap<QuantLayer, IntegerWeights>;
  /** Sees the output. */
  readonly onOutput?: (y: Tensor) => void;
}

/** One forward pass in evaluation mode, off the tape. @returns what is known of the output */
export function traceModel(model: Module, example: Tensor, following: Following): Traced {
  const { builder, integers, onOutput } = following;
  const working: string[] = [];
  const trace = new GraphTrace({ ...following, example, where: () => working.at(-1) ?? '' });
  const restoreMode = enterEvaluation(model);
  const restoreForward = nameModules(model, working);
  const restoreProducts = watchProducts(trace, builder, integers, working);
  try {
    return watchRows(trace.see, () =>
      scope(() =>
        noGrad(() => {
          const y = model.forward(example);
          onOutput?.(y);
          const traced = trace.of(y);
          return traced ?? builder.fail('', 'its output does not depend on its input');
        }),
      ),
    );
  } finally {
    restoreProducts();
    restoreForward();
    restoreMode();
  }
}

/** Keeps `working` a stack of the names of the modules at work. */
function nameModules(model: Module, working: string[]): () => void {
  const before = model.namedModules().map(([name, module]) => {
    const own = Object.getOwnPropertyDescriptor(module, 'forward');
    const { forward } = module;
    module.forward = (...inputs) => {
      working.push(name);
      try {
        return forward.apply(module, inputs);
      } finally {
        working.pop();
      }
    };
    return { module, own };
  });
  return () => {
    for (const { module, own } of before) {
      if (own) Object.defineProperty(module, 'forward', own);
      else Reflect.deleteProperty(module, 'forward');
    }
  };
}

/** Lets the trace see the product of every quantized layer as one node. */
function watchProducts(
  trace: GraphTrace,
  builder: GraphBuilder,
  integers: ReadonlyMap<QuantLayer, IntegerWeights>,
  working: readonly string[],
): () => void {
  const before = [...integers.keys()].map((layer) => ({ layer, product: layer.product }));
  for (const [layer, { q }] of integers) {
    layer.product = (_, x, w) => {
      const path = working.at(-1) ?? '';
      const { product } = before.find((each) => each.layer === layer) as (typeof before)[number];
      if (!multipliesPlainly(layer) || product !== null) builder.fail(path, 'its product is its author’s own');
      const y = trace.hide(() => layer.multiplyQuantized(x, w));
      const steps = trace.hide(() => mul(reshape(w.scale, [w.scale.size]), reshape(layer.input.scale(), [1])));
      trace.product(layer, x, y, (input) => productNode(builder, path, layer, q, input), steps);
      return y;
    };
  }
  return () => {
    for (const { layer, product } of before) layer.product = product;
  };
}

/** The node of a layer. */
function productNode(
  builder: GraphBuilder,
  path: string,
  layer: QuantLayer,
  q: Int32Array,
  input: string,
): Unnamed<GraphNode> {
  const { weightQuant, weight } = layer;
  const common = {
    inputs: [input],
    weights: builder.keep(`${path}.weight`, weight.shape, q),
    weightBits: weightQuant.bits,
    accumulatorBits: weightQuant instanceof AccumulatorAwareQuantizer ? weightQuant.accumulatorBits : null,
  };
  if (!(layer instanceof QuantConv2d || layer instanceof QuantResizeConv2d)) return { op: 'linear', ...common };
  const { stride, padding, dilation, groups } = layer.geometry;
  const resize = layer instanceof QuantResizeConv2d ? layer.factor : 1;
  return { op: 'conv', ...common, stride, padding, dilation, groups, resize };
}

const DECODED: Readonly<Record<string, DecodeStep['op']>> = {
  mul: 'multiply',
  div: 'divide',
  add: 'add',
  maximum: 'maximum',
};

/** The steps from the last integers to the output. @throws QuantError unless each is one operation with constants */
function decodeSteps(program: Program): DecodeStep[] {
  if (program.kind === 'source') return [];
  const fail = (what: string): never => {
    throw new QuantError(
      'lower',
      `the output is computed by ${what} behind the last integers: end the model before it`,
    );
  };
  if (program.kind === 'constant') return fail('nothing that depends on the input');
  const { row, inputs } = program;
  if (row.name === 'relu') return [...decodeSteps(inputs[0]), { op: 'maximum', values: [0] }];
  const index = inputs.findIndex(({ kind }) => kind === 'constant');
  const other = inputs[index];
  if (inputs.length !== 2 || other?.kind !== 'constant') return fail(row.name);
  const steps = decodeSteps(inputs[1 - index]);
  const values = Array.from(other.values);
  const commutes = row.name !== 'div' && row.name !== 'sub';
  if (row.name === 'sub' && index === 1) return [...steps, { op: 'add', values: values.map((value) => -value) }];
  if (!Object.hasOwn(DECODED, row.name) || (index === 0 && !commutes)) return fail(row.name);
  return [...steps, { op: DECODED[row.name], values }];
}
