import type { ConvNode, GraphNode, IntegerGraph } from '../../lib/deploy/graph/graph.js';
import { integerTensor } from '../../lib/deploy/graph/graph.js';

/** Shape and values of a tensor. */
export type TinyTensor = readonly [shape: readonly number[], values: readonly number[]];

/** What a tiny network is made of. */
export interface TinyGraphOptions {
  readonly input?: Partial<IntegerGraph['input']>;
  readonly tensors?: Readonly<Record<string, TinyTensor>>;
}

/** A network of the nodes given; the last makes its output. */
export function tinyGraph(nodes: readonly GraphNode[], { input, tensors = {} }: TinyGraphOptions = {}): IntegerGraph {
  const named = Object.entries(tensors).map(([name, [shape, values]]) => [name, integerTensor(shape, values)] as const);
  return {
    name: 'tiny',
    input: { name: 'x', shape: [2, 4, 6], low: 0, high: 15, scale: 1, ...input },
    nodes,
    output: { value: nodes[nodes.length - 1].name, decode: [{ op: 'multiply', values: [0.5] }] },
    tensors: new Map(named),
    task: null,
    notes: [],
  };
}

/** Windows that lie beside each other, one pixel each. */
export const PLAIN = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;

/** A convolution `y` of the input by the tensor `w`. */
export function tinyConv(given: Partial<ConvNode> = {}): ConvNode {
  return {
    ...{ op: 'conv', name: 'y', inputs: ['x'], weights: 'w', weightBits: 4, accumulatorBits: null },
    ...{ ...PLAIN, groups: 1, resize: 1 },
    ...given,
  };
}

/** Weights of a shape, all alike. */
export function alike(shape: readonly number[], value = 1): TinyTensor {
  return [shape, new Array(shape.reduce((size, extent) => size * extent, 1)).fill(value)];
}

const GRID = { op: 'requantize', low: 0, high: 3, scale: 1 } as const;

/** Nodes of a network with a register of every kind: `conv` first, for others to stand between; new ones each time. */
export const tinyNodes = () =>
  ({
    act: {
      ...GRID,
      mode: 'thresholds',
      name: 'act',
      inputs: ['conv'],
      thresholds: 'steps',
      sign: 'sign',
      base: 'base',
    },
    half: {
      ...{ ...GRID, mode: 'fixed', name: 'half', inputs: ['mean'], lift: 3, error: 0 },
      ...{ multiplier: 'm', offset: 'o', shift: 's' },
    },
    fc: { op: 'linear', name: 'fc', inputs: ['flat'], weights: 'fc', weightBits: 8, accumulatorBits: null },
  }) as const satisfies Record<string, GraphNode>;

/** The tensors that {@link tinyNodes} and a 3 × 3 convolution name. */
export const tinyTensors = (): Readonly<Record<string, TinyTensor>> => ({
  w: alike([2, 2, 3, 3], -3),
  steps: [
    [2, 3],
    [-90, -50, 1, -7, -7, -7],
  ],
  sign: [[2], [1, -1]],
  base: [[2], [0, 3]],
  ...{ m: alike([2], 10), o: alike([2], -9), s: alike([2], 4) },
  fc: alike([5, 2], 100),
});
