import {
  type ConvNode,
  type GraphNode,
  type IntegerGraph,
  type IntegerTensor,
  integerTensor,
} from '../../lib/deploy/graph/graph.js';
import { extremesOf, inferRanges } from '../../lib/deploy/graph/ranges.js';
import type { IntegerValue } from '../../lib/deploy/runtime/reference.js';
import { Random } from '../../lib/tensor/random.js';

/** What a random network is like. */
export interface RandomGraphOptions {
  readonly seed: number;
  /** M and N of hidden layers. Default 4. */
  readonly weightBits?: number;
  readonly actBits?: number;
  /** Channels of the hidden layers. Default 8. */
  readonly width?: number;
  /** Side of the image. Default 8. */
  readonly size?: number;
  /** Share of zero weights. Default 0.5. */
  readonly zeros?: number;
  /** P that hidden layers claim: their weights are cut to it. Default null. */
  readonly accumulatorBits?: number | null;
}

/** A network with every node of the integer graph in it, images `[N, 3, size, size]` of bytes to 10 sums. */
export function randomGraph(options: RandomGraphOptions): IntegerGraph {
  const { seed, weightBits = 4, actBits = 4, width = 8, size = 8, zeros = 0.5, accumulatorBits = null } = options;
  const random = new Random(seed);
  const tensors = new Map<string, IntegerTensor>();
  const nodes: GraphNode[] = [];
  const top = 2 ** actBits - 1;
  const build = (): IntegerGraph => ({
    name: `random-${seed}`,
    input: { name: 'input', shape: [3, size, size], low: 0, high: 255, scale: 1 / 255 },
    nodes,
    output: { value: nodes[nodes.length - 1].name, decode: [{ op: 'multiply', values: [0.01] }] },
    tensors,
    task: null,
    notes: [],
  });
  const draw = (name: string, shape: readonly number[], bits: number, most: number | null) => {
    const q = 2 ** (bits - 1) - 1;
    const length = shape.slice(1).reduce((product, extent) => product * extent, 1);
    const values: number[] = [];
    for (let o = 0; o < shape[0]; o++) {
      let left = most ?? Number.POSITIVE_INFINITY;
      for (let k = 0; k < length; k++) {
        const drawn = random.uniform(0, 1) < zeros ? 0 : Math.round(random.uniform(-q, q));
        const kept = Math.sign(drawn) * Math.min(Math.abs(drawn), left);
        left -= Math.abs(kept);
        values.push(kept);
      }
    }
    tensors.set(`${name}.weight`, integerTensor(shape, values));
  };
  const conv = (name: string, from: string, shape: readonly number[], given: Partial<ConvNode> = {}) => {
    const hidden = from !== 'input';
    const bits = hidden ? weightBits : 8;
    const budget = hidden && accumulatorBits !== null ? Math.floor((2 ** (accumulatorBits - 1) - 1) / top) : null;
    draw(name, shape, bits, budget);
    const [, , kh, kw] = shape;
    const padding = [(kh - 1) >> 1, (kw - 1) >> 1] as const;
    nodes.push({
      ...{ op: 'conv', name, inputs: [from], weights: `${name}.weight`, weightBits: bits },
      accumulatorBits: hidden ? accumulatorBits : null,
      ...{ stride: [1, 1], padding, dilation: [1, 1], groups: 1, resize: 1 },
      ...given,
    });
    return name;
  };
  const requantize = (name: string, from: string, channels: number, falls = false) => {
    const { low, high } = extremesOf(inferRanges(build()).get(from) as never);
    const thresholds: number[] = [];
    const sign: number[] = [];
    for (let c = 0; c < channels; c++) {
      const cuts = Array.from({ length: top }, () => Math.round(random.uniform(low / 3, high / 3)));
      if (c % 4 === 3) cuts[0] = high + 1;
      thresholds.push(...cuts.sort((a, b) => a - b));
      sign.push(falls && c % 3 === 1 ? -1 : 1);
    }
    tensors.set(`${name}.thresholds`, integerTensor([channels, top], thresholds));
    tensors.set(`${name}.sign`, integerTensor([channels], sign));
    const base = sign.map((s) => (s === 1 ? 0 : top));
    tensors.set(`${name}.base`, integerTensor([channels], base));
    nodes.push({
      ...{ op: 'requantize', mode: 'thresholds', name, inputs: [from], low: 0, high: top, scale: 1 },
      ...{ thresholds: `${name}.thresholds`, sign: `${name}.sign`, base: `${name}.base` },
    });
    return name;
  };
  const fixed = (name: string, from: string, channels: number) => {
    const { high } = extremesOf(inferRanges(build()).get(from) as never);
    const values = (low: number, most: number) =>
      Array.from({ length: channels }, () => Math.round(random.uniform(low, most)));
    const shift = 16;
    const rate = Math.round((top * 2 ** shift) / Math.max(1, high / 4));
    tensors.set(`${name}.multiplier`, integerTensor([channels], values(rate / 2, rate * 2)));
    tensors.set(`${name}.offset`, integerTensor([channels], values(-(2 ** 14), 2 ** 14)));
    tensors.set(`${name}.shift`, integerTensor([channels], new Array(channels).fill(shift)));
    nodes.push({
      ...{ op: 'requantize', mode: 'fixed', name, inputs: [from], low: 0, high: top, scale: 1, lift: 4 },
      ...{ multiplier: `${name}.multiplier`, offset: `${name}.offset`, shift: `${name}.shift`, error: 1 },
    });
    return name;
  };
  const c = width;
  let x = requantize('act1', conv('conv1', 'input', [c, 3, 3, 3]), c, true);
  const shortcut = x;
  x = requantize('act2', conv('conv2', x, [c, c, 3, 3]), c);
  x = requantize('act3', conv('depthwise', x, [c, 1, 3, 3], { groups: c }), c);
  nodes.push({ op: 'add', name: 'sum', inputs: [x, shortcut] });
  x = requantize('act4', 'sum', 1);
  const half = { stride: [2, 2] as const };
  x = requantize('act5', conv('conv3', x, [2 * c, c, 3, 3], half), 2 * c);
  const window = { stride: [1, 1], padding: [1, 1], dilation: [1, 1] } as const;
  nodes.push({ op: 'maxPool', name: 'max', inputs: [x], kernel: [3, 3], ...window });
  nodes.push({ op: 'concat', name: 'both', inputs: ['max', x] });
  x = fixed('act6', conv('pointwise', 'both', [4 * c, 4 * c, 1, 1]), 4 * c);
  nodes.push({ op: 'pixelShuffle', name: 'shuffled', inputs: [x], factor: 2 });
  nodes.push({ op: 'upsample', name: 'large', inputs: ['shuffled'], factor: 2 });
  x = requantize('act7', conv('conv4', 'large', [c, c, 3, 3], half), c);
  x = requantize('act8', conv('resize', x, [c, c, 5, 5], { resize: 2 }), c);
  nodes.push({ op: 'sumPool', name: 'pairs', inputs: [x], kernel: [2, 2], ...window, stride: [2, 2], padding: [0, 0] });
  x = requantize('act9', 'pairs', 1);
  nodes.push({ op: 'sumPool', name: 'planes', inputs: [x], kernel: null, ...window, padding: [0, 0] });
  x = fixed('pooled', 'planes', 1);
  nodes.push({ op: 'permute', name: 'turned', inputs: [x], axes: [0, 2, 1, 3] });
  nodes.push({ op: 'reshape', name: 'flat', inputs: ['turned'], shape: [-1] });
  draw('fc', [10, c], 8, null);
  const product = { weights: 'fc.weight', weightBits: 8, accumulatorBits: null };
  nodes.push({ op: 'linear', name: 'fc', inputs: ['flat'], ...product });
  return build();
}

/** Random inputs of a network's grid, `[images, …]`. */
export function randomInput({ input }: IntegerGraph, images: number, seed: number): IntegerValue {
  const random = new Random(seed);
  const shape = [images, ...input.shape];
  const data = Int32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
    Math.round(random.uniform(input.low - 0.49, input.high + 0.49)),
  );
  return { shape, data };
}
