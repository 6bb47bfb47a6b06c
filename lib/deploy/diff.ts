import { asFunction, asInstance, asIterable, asList, asOptions, kindOf } from '../tensor/argument.js';
import { ArgumentError, DataError, formatShape } from '../tensor/errors.js';
import { sizeOf } from '../tensor/shape.js';
import { asGraph } from './graph/argument.js';
import { decodeOutput, quantizeInput } from './graph/decode.js';
import type { GraphNode, IntegerGraph } from './graph/graph.js';
import { type IntegerValue, runReference } from './runtime/reference.js';

/** What a network computes of one batch. */
export interface NetworkValues {
  /** Integers by the names of its values. */
  readonly values: ReadonlyMap<string, IntegerValue>;
  /** Real numbers. */
  readonly output: { readonly shape: readonly number[]; readonly data: ArrayLike<number> };
}

/** A network that can be watched: an integer graph, or a model by the names of its graph. */
export interface WatchedNetwork {
  readonly nodes: readonly Pick<GraphNode, 'name' | 'op'>[];
  /** @param x float32 `[N, …]` */
  watch(x: Float32Array, shape: readonly number[]): NetworkValues | Promise<NetworkValues>;
}

/** An integer graph, run by the reference. */
export function watchGraph(graph: IntegerGraph): WatchedNetwork {
  const { nodes } = asGraph('watchGraph', graph);
  return {
    nodes,
    watch(x, shape) {
      const values = new Map<string, IntegerValue>();
      const end = runReference(graph, quantizeInput(graph, x, shape), {
        see: ({ name }, value) => values.set(name, value),
      });
      return { values, output: { shape: end.shape, data: decodeOutput(graph, end) } };
    },
  };
}

/** How two values differ over all batches. */
export interface ValueDifference {
  /** Names in the two networks. */
  readonly a: string;
  readonly b: string;
  readonly op: string;
  readonly compared: number;
  readonly differing: number;
  /** In steps; for the output in its real numbers. */
  readonly largest: number;
  /** Where the first of them is: its index in the batch, and which batch. Null if none differs. */
  readonly first: { readonly batch: number; readonly index: readonly number[] } | null;
}

/** How two networks differ. */
export interface NetworkDifference {
  readonly matchedBy: 'name' | 'order';
  /** In the order of the first network; the output last. */
  readonly layers: readonly ValueDifference[];
  readonly output: ValueDifference;
  /** The first that differs; null if none does. */
  readonly first: ValueDifference | null;
  /** Values without a counterpart. */
  readonly unmatched: { readonly a: readonly string[]; readonly b: readonly string[] };
  readonly samples: number;
}

export interface DiffOptions {
  /** Steps by which integers may differ. Default 0. */
  readonly tolerance?: number;
  /** Called after each batch. */
  readonly onBatch?: (samples: number) => void;
}

/** Inputs, as batches of a dataset are. */
export interface DiffBatch {
  readonly inputs: Float32Array;
  readonly inputShape: readonly number[];
}

/** Share of the largest output by which real numbers may differ: roundings of float32. */
const ROUNDING = 1e-5;

/**
 * Compares two networks value by value on the same inputs. Values are matched by their names; where the networks share
 * none, by their order among those of one kind. Sums that are all negated in a channel are equal: exporters turn
 * channels whose results fall.
 *
 * @throws DataError if matched values have different shapes, or there are no batches
 */
export async function diffNetworks(
  a: WatchedNetwork,
  b: WatchedNetwork,
  batches: Iterable<DiffBatch> | AsyncIterable<DiffBatch>,
  options: DiffOptions = {},
): Promise<NetworkDifference> {
  for (const [name, network] of Object.entries({ a, b })) {
    asFunction('diffNetworks', `watch of ${name}`, asOptions('diffNetworks', network, name).watch);
    asList('diffNetworks', `nodes of ${name}`, network.nodes);
  }
  if (typeof (batches as AsyncIterable<DiffBatch> | undefined)?.[Symbol.asyncIterator] !== 'function') {
    asIterable('diffNetworks', 'batches', batches as Iterable<DiffBatch>);
  }
  const { tolerance = 0, onBatch } = asOptions('diffNetworks', options);
  if (!(tolerance >= 0))
    throw new ArgumentError('diffNetworks', `tolerance must be at least 0; got ${kindOf(tolerance)}`);
  if (onBatch !== undefined) asFunction('diffNetworks', 'onBatch', onBatch);
  const { matchedBy, pairs } = match(a.nodes, b.nodes);
  const tallies = pairs.map(([left, right]) => new Tally(left.name, right.name, left.op));
  const output = new Tally('output', 'output', 'output');
  let samples = 0;
  let batch = 0;
  for await (const given of batches) {
    const { inputs, inputShape } = asOptions('diffNetworks', given, 'a batch');
    asInstance('diffNetworks', 'the inputs of a batch', inputs, Float32Array);
    asList('diffNetworks', 'the shape of a batch', inputShape);
    const [left, right] = await Promise.all([a.watch(inputs, inputShape), b.watch(inputs, inputShape)]);
    for (const tally of tallies) {
      const [x, y] = [left.values.get(tally.a), right.values.get(tally.b)];
      if (x !== undefined && y !== undefined) tally.add(x, y, tolerance, batch);
    }
    const largest = Array.from(left.output.data).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    output.add(
      left.output,
      right.output,
      Math.max(ROUNDING * largest, tolerance === 0 ? 0 : Number.POSITIVE_INFINITY),
      batch,
    );
    samples += inputShape[0];
    batch += 1;
    onBatch?.(samples);
  }
  if (samples === 0) throw new DataError('diff', 'there are no inputs to compare on');
  const layers = tallies.filter(({ compared }) => compared > 0).map((tally) => tally.result());
  const last = output.result();
  const paired = (side: 'a' | 'b') => new Set(layers.map((layer) => layer[side]));
  const left = (nodes: WatchedNetwork['nodes'], side: 'a' | 'b') =>
    nodes.map(({ name }) => name).filter((name) => !paired(side).has(name));
  return {
    ...{ matchedBy, layers, output: last, samples },
    first: [...layers, last].find(({ differing }) => differing > 0) ?? null,
    unmatched: { a: left(a.nodes, 'a'), b: left(b.nodes, 'b') },
  };
}

type Node = WatchedNetwork['nodes'][number];

/** What kinds of nodes are counted together. */
const kind = ({ op }: Node) => (op === 'conv' || op === 'linear' ? 'product' : op);

/** Pairs of nodes that should agree. */
function match(a: readonly Node[], b: readonly Node[]) {
  const named = new Map(b.map((node) => [node.name, node]));
  const byName = a.flatMap((node): [Node, Node][] => {
    const other = named.get(node.name);
    return other !== undefined && kind(other) === kind(node) ? [[node, other]] : [];
  });
  if (byName.some(([node]) => kind(node) === 'product')) return { matchedBy: 'name' as const, pairs: byName };
  const seen = new Map<string, number>();
  const byOrder = a.flatMap((node): [Node, Node][] => {
    const position = seen.get(kind(node)) ?? 0;
    seen.set(kind(node), position + 1);
    const other = b.filter((each) => kind(each) === kind(node))[position];
    return other === undefined ? [] : [[node, other]];
  });
  return { matchedBy: 'order' as const, pairs: byOrder };
}

interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Counts the differences between two values. */
class Tally {
  readonly a: string;
  readonly b: string;
  readonly #op: string;
  compared = 0;
  #differing = 0;
  #largest = 0;
  #first: ValueDifference['first'] = null;

  constructor(a: string, b: string, op: string) {
    this.a = a;
    this.b = b;
    this.#op = op;
  }

  add(x: Numbers, y: Numbers, tolerance: number, batch: number): void {
    if (formatShape(x.shape) !== formatShape(y.shape)) {
      const shapes = `${formatShape(x.shape)} and ${formatShape(y.shape)}`;
      throw new DataError('diff', `${this.a} and ${this.b} have the shapes ${shapes}: these are different networks`);
    }
    const [n, channels = 1, ...rest] = x.shape;
    const area = sizeOf(rest);
    const isSum = this.#op === 'conv' || this.#op === 'linear';
    const turned = isSum ? turnedChannels(x, y, n, channels, area) : null;
    for (let i = 0; i < x.data.length; i++) {
      const sign = turned?.[Math.floor(i / area) % channels] ?? 1;
      const difference = Math.abs(x.data[i] - sign * y.data[i]);
      if (difference > this.#largest || Number.isNaN(difference)) this.#largest = difference;
      if (difference <= tolerance) continue;
      this.#differing += 1;
      this.#first ??= { batch, index: indexOf(i, x.shape) };
    }
    this.compared += x.data.length;
  }

  result(): ValueDifference {
    const { a, b, compared } = this;
    return { a, b, op: this.#op, compared, differing: this.#differing, largest: this.#largest, first: this.#first };
  }
}

/** −1 for channels of sums that are all negated, 1 for others. */
function turnedChannels(x: Numbers, y: Numbers, n: number, channels: number, area: number): Int8Array {
  return Int8Array.from({ length: channels }, (_, c) => {
    let same = true;
    for (let image = 0; image < n; image++) {
      const from = (image * channels + c) * area;
      for (let i = from; i < from + area; i++) {
        if (x.data[i] !== -y.data[i]) return 1;
        same &&= x.data[i] === y.data[i];
      }
    }
    return same ? 1 : -1;
  });
}

function indexOf(i: number, shape: readonly number[]): number[] {
  return shape.map((extent, axis) => Math.floor(i / sizeOf(shape.slice(axis + 1))) % extent);
}
