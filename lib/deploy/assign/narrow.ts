import type { IntegerGraph, IntegerTensor, ProductNode, ThresholdNode } from '../graph/graph.js';
import { integerTensor, isProduct } from '../graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../graph/ranges.js';
import { computeNode, type IntegerValue, runReference } from '../runtime/reference.js';
import { clipToBits } from './clip.js';

/**
 * The network with one layer's weights clipped to P bits, and the thresholds behind it moved to where its sums are now:
 * of each channel the old sums are regressed on, over samples, so that a threshold t becomes γ·t + δ. Fixed-point
 * requantizations stay as they are.
 * @param layer name of a node with products @param samples integers of the network's input, `[N, …]`
 */
export function narrowLayer(graph: IntegerGraph, layer: string, bits: number, samples: IntegerValue): IntegerGraph {
  const node = graph.nodes.find(({ name }) => name === layer) as ProductNode;
  const weights = graph.tensors.get(node.weights) as IntegerTensor;
  const input = extremesOf(inferRanges(graph).get(node.inputs[0]) as ChannelRange);
  const clipped = integerTensor(weights.shape, clipToBits(weights.data, weights.shape[0], input, bits));
  const tensors = new Map(graph.tensors);
  // A layer that is called twice shares its weights with a node that keeps them.
  const shared = graph.nodes.some((other) => isProduct(other) && other !== node && other.weights === node.weights);
  const key = shared ? `${node.name}.narrowed` : node.weights;
  tensors.set(key, clipped);
  const narrowed: ProductNode = { ...node, weights: key, accumulatorBits: bits };
  const nodes = graph.nodes.map((each) => (each === node ? narrowed : each));
  const made = { ...graph, nodes, tensors };
  if (clipped.data.every((q, i) => q === weights.data[i])) return made;

  const behind = graph.nodes.filter(
    (each): each is ThresholdNode =>
      each.op === 'requantize' && each.mode === 'thresholds' && each.inputs[0] === node.name,
  );
  if (behind.length === 0) return made;
  const lines = regress(graph, node, narrowed, tensors, samples);
  const [before, after] = [graph, made].map((each) => inferRanges(each).get(node.name) as ChannelRange);
  for (const each of behind) {
    tensors.set(each.thresholds, moved(tensors.get(each.thresholds) as IntegerTensor, lines, before, after));
    const rows = lines.length;
    for (const name of [each.sign, each.base]) tensors.set(name, repeated(tensors.get(name) as IntegerTensor, rows));
  }
  return made;
}

/** `γ·a + δ` of a channel. */
interface Line {
  readonly slope: number;
  readonly offset: number;
}

/** Least squares of the new sums on the old ones, on the same inputs. */
function regress(
  graph: IntegerGraph,
  before: ProductNode,
  after: ProductNode,
  tensors: IntegerGraph['tensors'],
  samples: IntegerValue,
): Line[] {
  const values = new Map<string, IntegerValue>([[graph.input.name, samples]]);
  runReference(graph, samples, { see: (node, value) => values.set(node.name, value) });
  const old = values.get(before.name) as IntegerValue;
  const now = computeNode(after, [values.get(after.inputs[0]) as IntegerValue], tensors);
  const [images, channels, ...rest] = old.shape;
  const area = rest.reduce((product, extent) => product * extent, 1);
  const count = images * area;
  return Array.from({ length: channels }, (_, c) => {
    let [x, y, xx, xy] = [0, 0, 0, 0];
    for (let n = 0; n < images; n++) {
      for (let i = 0; i < area; i++) {
        const at = (n * channels + c) * area + i;
        x += old.data[at];
        y += now.data[at];
        xx += old.data[at] ** 2;
        xy += old.data[at] * now.data[at];
      }
    }
    const variance = xx / count - (x / count) ** 2;
    const covariance = xy / count - (x / count) * (y / count);
    // Sums that do not go up together have no such line: only their means are made up for.
    const slope = variance > 0 && covariance > 0 ? covariance / variance : 1;
    return { slope, offset: (y - slope * x) / count };
  });
}

/** Thresholds on new sums; always and never stay what they are. */
function moved(
  { shape, data }: IntegerTensor,
  lines: readonly Line[],
  before: ChannelRange,
  after: ChannelRange,
): IntegerTensor {
  const [rows, steps] = shape;
  const of = (ends: Float64Array, c: number) => ends[ends.length === 1 ? 0 : c];
  const out = new Float64Array(lines.length * steps);
  for (const [c, { slope, offset }] of lines.entries()) {
    const never = of(after.high, c) + 1;
    for (let k = 0; k < steps; k++) {
      const threshold = data[(rows === 1 ? 0 : c) * steps + k];
      const there = Math.ceil(slope * threshold + offset);
      const always = threshold <= of(before.low, c);
      const clipped = Math.min(never, Math.max(of(after.low, c), there));
      out[c * steps + k] = always ? of(after.low, c) : threshold > of(before.high, c) ? never : clipped;
    }
  }
  return integerTensor([lines.length, steps], out);
}

function repeated({ shape, data }: IntegerTensor, rows: number): IntegerTensor {
  if (shape[0] === rows) return { shape, data };
  return integerTensor([rows], new Int32Array(rows).fill(data[0]));
}
