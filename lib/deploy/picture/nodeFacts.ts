import { auditGraph, type GraphLayerAudit } from '../graph/audit.js';
import { type GraphNode, type IntegerGraph, type IntegerTensor, isProduct } from '../graph/graph.js';
import { extremesOf, inferRanges } from '../graph/ranges.js';
import { inferShapes } from '../graph/shapes.js';

/** What a picture and a table say of a layer's sums. */
export interface LayerFacts {
  /** M. */
  readonly weightBits: number;
  /** N, as people write it: `u4`, `s8`. */
  readonly inputs: string;
  /** P that is claimed; null if none is. */
  readonly accumulatorBits: number | null;
  readonly safeBits: number;
  /**
   * Share of what P allows that the fullest channel uses: of the l1 budget where a P is claimed, else of the range of
   * the smallest safe register.
   */
  readonly used: number;
  /** Share of weights that are 0. */
  readonly zeros: number;
  readonly weights: number;
}

/** What they say of a requantization. */
export interface GridFacts {
  /** Of the results: `u4`, `s8`. */
  readonly integers: string;
  /** Thresholds of a channel; null where integers are multiplied and shifted. */
  readonly thresholds: number | null;
  /** Channels with numbers of their own; 1 if all have the same. */
  readonly rows: number;
  /** Largest error in steps: 0 for thresholds. */
  readonly error: number;
}

/** One node of a network, for people. */
export interface NodeFacts {
  readonly name: string;
  readonly op: GraphNode['op'] | 'input';
  /** What it does, in a few words. */
  readonly label: string;
  /** Of its result, without the batch. */
  readonly shape: readonly number[];
  /** Rows of the nodes that it reads. */
  readonly inputs: readonly number[];
  readonly layer: LayerFacts | null;
  readonly grid: GridFacts | null;
}

/** The nodes of a network in their order, the input first. @throws DataError if it is none */
export async function nodeFacts(graph: IntegerGraph): Promise<NodeFacts[]> {
  const { layers } = await auditGraph(graph);
  const shapes = inferShapes(graph);
  const ranges = inferRanges(graph, shapes);
  const rowOf = new Map([graph.input.name, ...graph.nodes.map(({ name }) => name)].map((name, row) => [name, row]));
  const shapeOf = (name: string) => (shapes.get(name) ?? []).slice(1);
  const integersOf = (name: string) => {
    const range = ranges.get(name);
    return range === undefined ? '?' : formatIntegers(extremesOf(range));
  };
  const { input } = graph;
  const first: NodeFacts = {
    ...{ name: input.name, op: 'input', label: `input ${formatIntegers(input)}`, shape: input.shape, inputs: [] },
    ...{ layer: null, grid: null },
  };
  const rest = graph.nodes.map((node): NodeFacts => {
    const audit = layers.find(({ layer }) => layer === node.name);
    return {
      ...{ name: node.name, op: node.op, label: labelOf(node, graph.tensors), shape: shapeOf(node.name) },
      inputs: node.inputs.map((name) => rowOf.get(name) ?? 0),
      layer: audit && isProduct(node) ? layerFacts(audit, integersOf(node.inputs[0])) : null,
      grid: node.op === 'requantize' ? gridFacts(node, graph.tensors) : null,
    };
  });
  return [first, ...rest];
}

function layerFacts(audit: GraphLayerAudit, inputs: string): LayerFacts {
  const { weightBits, accumulatorBits, safeBits, l1, budget, max, min, zeros, length, channels } = audit;
  const weights = length * channels;
  const largest = 2 ** (safeBits - 1) - 1;
  const used = budget === null ? Math.max(max, -min) / largest : l1 / budget;
  return { weightBits, inputs, accumulatorBits, safeBits, used, zeros: zeros / weights, weights };
}

function gridFacts(node: Extract<GraphNode, { op: 'requantize' }>, tensors: IntegerGraph['tensors']): GridFacts {
  const table = tensors.get(node.mode === 'thresholds' ? node.thresholds : node.multiplier);
  const [rows, count] = table?.shape ?? [1, 0];
  const isExact = node.mode === 'thresholds';
  return {
    integers: formatIntegers(node),
    ...{ thresholds: isExact ? count : null, rows, error: node.mode === 'fixed' ? node.error : 0 },
  };
}

/** `u4` for 0 … 15, `s8` for what 8 bits with a sign hold. */
export function formatIntegers({ low, high }: { readonly low: number; readonly high: number }): string {
  if (low >= 0) return `u${Math.max(1, Math.ceil(Math.log2(high + 1)))}`;
  return `s${Math.ceil(Math.log2(Math.max(-low, high + 1))) + 1}`;
}

function labelOf(node: GraphNode, tensors: IntegerGraph['tensors']): string {
  switch (node.op) {
    case 'conv': {
      const { shape } = tensors.get(node.weights) as IntegerTensor;
      const isDepthwise = node.groups > 1 && shape[1] === 1;
      const before = node.resize > 1 ? `×${node.resize}, then ` : '';
      const parts = [
        `${before}${isDepthwise ? 'depthwise' : 'conv'} ${shape[2]}×${shape[3]}`,
        ...(node.groups > 1 && !isDepthwise ? [`${node.groups} groups`] : []),
        ...strides(node.stride),
        ...(node.dilation.some((step) => step > 1) ? [`dilation ${pair(node.dilation)}`] : []),
      ];
      return parts.join(', ');
    }
    case 'maxPool':
      return [`max-pool ${pair(node.kernel, true)}`, ...strides(node.stride)].join(', ');
    case 'sumPool':
      return node.kernel === null ? 'sum of each plane' : `sum ${pair(node.kernel, true)}, stride ${pair(node.stride)}`;
    case 'upsample':
      return `up-sample ×${node.factor}`;
    case 'pixelShuffle':
      return `pixel shuffle ×${node.factor}`;
    case 'requantize':
      return node.mode === 'thresholds' ? 'thresholds' : 'multiply, shift';
    default:
      return node.op;
  }
}

const strides = (stride: readonly [number, number]) =>
  stride.some((step) => step > 1) ? [`stride ${pair(stride)}`] : [];

function pair([a, b]: readonly [number, number], both = false): string {
  return a === b && !both ? `${a}` : `${a}×${b}`;
}
