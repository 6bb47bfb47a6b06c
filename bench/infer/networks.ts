import {
  type ConvNode,
  type GraphNode,
  type IntegerGraph,
  type IntegerTensor,
  integerTensor,
} from '../../lib/deploy/graph/graph.js';
import { extremesOf, inferRanges } from '../../lib/deploy/graph/ranges.js';
import { Random } from '../../lib/tensor/random.js';

/**
 * How weights of hidden layers are drawn: 4 bits, a share of them zeros, and at most `budget` units a channel, half of
 * them positive, which is what zero-centred weights of a P-bit accumulator have: ‖q‖₁ ≤ (2^P − 2) / (2^N − 1).
 */
export interface WeightStyle {
  readonly zeros: number;
  readonly budget: number;
}

/** As networks quantized without a bound have them. */
export const DENSE: WeightStyle = { zeros: 0.15, budget: Number.POSITIVE_INFINITY };

/** As A2Q+ leaves them at P = 12, N = 4. */
export function bounded(zeros: number): WeightStyle {
  return { zeros, budget: 272 };
}

/** Bits of hidden activations. */
const ACT_BITS = 4;

/** Grows a network node by node, with random weights and evenly spaced thresholds. */
class Growing {
  readonly #tensors = new Map<string, IntegerTensor>();
  readonly #nodes: GraphNode[] = [];
  readonly #random = new Random(11);

  constructor(
    readonly name: string,
    readonly input: IntegerGraph['input'],
    readonly style: WeightStyle,
  ) {}

  graph(): IntegerGraph {
    const { name, input } = this;
    const value = this.#nodes[this.#nodes.length - 1].name;
    const output = { value, decode: [] };
    return { name, input, nodes: this.#nodes, output, tensors: this.#tensors, task: null, notes: [] };
  }

  conv(name: string, from: string, shape: readonly number[], given: Partial<ConvNode> = {}): string {
    const edge = given.weightBits === 8;
    this.#draw(name, shape, edge ? 8 : 4, edge ? DENSE : this.style);
    const pad = (shape[2] - 1) >> 1;
    this.#nodes.push({
      ...{ op: 'conv', name, inputs: [from], weights: `${name}.weight`, weightBits: 4 },
      ...{ accumulatorBits: null, stride: [1, 1], padding: [pad, pad], dilation: [1, 1], groups: 1, resize: 1 },
      ...given,
    });
    return this.#requantize(`${name}.act`, name, shape[0], edge && given.resize !== undefined ? 8 : ACT_BITS);
  }

  add(name: string, a: string, b: string): string {
    this.#nodes.push({ op: 'add', name, inputs: [a, b] });
    return this.#requantize(`${name}.act`, name, 1, ACT_BITS);
  }

  classify(from: string, channels: number, classes: number): void {
    const window = { kernel: null, stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;
    this.#nodes.push({ op: 'sumPool', name: 'pool', inputs: [from], ...window });
    const pooled = this.#requantize('pool.act', 'pool', 1, 7);
    this.#nodes.push({ op: 'reshape', name: 'flat', inputs: [pooled], shape: [-1] });
    this.#draw('fc', [classes, channels], 8, DENSE);
    const product = { weights: 'fc.weight', weightBits: 8, accumulatorBits: null };
    this.#nodes.push({ op: 'linear', name: 'fc', inputs: ['flat'], ...product });
  }

  #requantize(name: string, from: string, channels: number, bits: number): string {
    const { high } = extremesOf(inferRanges(this.graph()).get(from) as never);
    const steps = 2 ** bits - 1;
    const thresholds: number[] = [];
    for (let c = 0; c < channels; c++) {
      const step = high / 3 / steps;
      for (let k = 0; k < steps; k++) thresholds.push(Math.ceil((k + 0.5) * step + (c % 5)));
    }
    this.#tensors.set(`${name}.thresholds`, integerTensor([channels, steps], thresholds));
    this.#tensors.set(`${name}.sign`, integerTensor([channels], new Array(channels).fill(1)));
    this.#tensors.set(`${name}.base`, integerTensor([channels], new Array(channels).fill(0)));
    this.#nodes.push({
      ...{ op: 'requantize', mode: 'thresholds', name, inputs: [from], low: 0, high: steps, scale: 1 },
      ...{ thresholds: `${name}.thresholds`, sign: `${name}.sign`, base: `${name}.base` },
    });
    return name;
  }

  #draw(name: string, shape: readonly number[], bits: number, { zeros, budget }: WeightStyle): void {
    const random = this.#random;
    const [outputs, ...rest] = shape;
    const length = rest.reduce((product, extent) => product * extent, 1);
    const most = 2 ** (bits - 1) - 1;
    const values = new Int8Array(outputs * length);
    const wanted = Math.min(Math.round(length * (1 - zeros)), budget);
    for (let o = 0; o < outputs; o++) {
      const left = [Math.floor(budget / 2), Math.floor(budget / 2)];
      for (let i = 0; i < wanted; i++) {
        const side = random.uniform(0, 1) < 0.5 ? 0 : 1;
        const size = budget === Number.POSITIVE_INFINITY ? random.uniform(0.5, most + 0.4999) : sparse(random, most);
        // Enough is left for a unit of each weight to come.
        const kept = Math.min(Math.round(size), left[side] - (wanted - i - 1) / 2);
        if (left[side] < 1) continue;
        const units = Math.max(1, Math.floor(kept));
        left[side] -= units;
        values[o * length + Math.floor(random.uniform(0, length - 1e-6))] = side === 0 ? units : -units;
      }
    }
    this.#tensors.set(`${name}.weight`, integerTensor(shape, values));
  }
}

/** Sizes of weights that are left where most are zero: ones above all. */
function sparse(random: Random, most: number): number {
  let size = 1;
  while (size < most && random.uniform(0, 1) < 0.3) size++;
  return size;
}

function images(name: string, channels: number, side: number, bits: number): IntegerGraph['input'] {
  return { name, shape: [channels, side, side], low: 0, high: 2 ** bits - 1, scale: 1 };
}

/** One 3 × 3 convolution of images of 4 bits, with its requantization. */
export function layer(channels: number, side: number, style: WeightStyle): IntegerGraph {
  const growing = new Growing('layer', images('x', channels, side, ACT_BITS), style);
  growing.conv('conv', 'x', [channels, channels, 3, 3]);
  return growing.graph();
}

/** ESPCN ×3 (64, 64, 32) on images of one side; the first and the last layer have 8 bits. */
export function espcnNetwork(side: number, style: WeightStyle): IntegerGraph {
  const growing = new Growing('espcn', images('x', 3, side, 8), style);
  let x = growing.conv('conv1', 'x', [64, 3, 5, 5], { weightBits: 8 });
  x = growing.conv('conv2', x, [64, 64, 3, 3]);
  x = growing.conv('conv3', x, [32, 64, 3, 3]);
  growing.conv('conv4', x, [3, 32, 3, 3], { weightBits: 8, resize: 3 });
  return growing.graph();
}

/** ResNet18 in its CIFAR form, images of 32²; the first and the last layer have 8 bits. */
export function resNet18Network(widths: readonly number[], style: WeightStyle): IntegerGraph {
  const growing = new Growing('resnet18', images('x', 3, 32, 8), style);
  let x = growing.conv('stem', 'x', [widths[0], 3, 3, 3], { weightBits: 8 });
  let channels = widths[0];
  for (const [stage, width] of widths.entries()) {
    for (const block of [0, 1]) {
      const name = `s${stage}b${block}`;
      const stride = stage > 0 && block === 0 ? ([2, 2] as const) : ([1, 1] as const);
      const inner = growing.conv(`${name}c1`, x, [width, channels, 3, 3], { stride });
      const outer = growing.conv(`${name}c2`, inner, [width, width, 3, 3]);
      const changes = stage > 0 && block === 0;
      const shortcut = changes ? growing.conv(`${name}c3`, x, [width, channels, 1, 1], { stride }) : x;
      x = growing.add(`${name}add`, outer, shortcut);
      channels = width;
    }
  }
  growing.classify(x, channels, 10);
  return growing.graph();
}
