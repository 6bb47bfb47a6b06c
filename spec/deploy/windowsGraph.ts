import { type GraphNode, type IntegerGraph, type IntegerTensor, integerTensor } from '../../lib/deploy/graph/graph.js';
import { shapeOf } from '../../lib/deploy/graph/shapes.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';

/** What the nodes of a graph of windows are like. */
export interface WindowsOptions {
  readonly seed: number;
  readonly convolutions: number;
  readonly pools: number;
  /** `[C, H, W]`; C is even. */
  readonly shape?: readonly [number, number, number];
  /** Of inputs. Default −8 … 7. */
  readonly range?: readonly [number, number];
  readonly weightBits?: number;
}

/** Convolutions and pools of every geometry, all of one input, all they give one after the other. */
export function windowsGraph(options: WindowsOptions): IntegerGraph {
  const { seed, convolutions, pools, shape = [4, 9, 7], range = [-8, 7], weightBits = 4 } = options;
  const random = new Random(seed);
  const whole = (low: number, high: number) =>
    low + Math.min(high - low, Math.floor(random.uniform(0, high - low + 1)));
  const pair = (low: number, high: number) => [whole(low, high), whole(low, high)] as const;
  const [channels] = shape;
  const tensors = new Map<string, IntegerTensor>();
  const nodes: GraphNode[] = [];
  const fits = (node: GraphNode) => {
    try {
      return shapeOf(node, [[1, ...shape]], tensors).length === 4;
    } catch (error) {
      if (error instanceof DataError) return false;
      throw error;
    }
  };
  while (nodes.length < convolutions + pools) {
    const name = `node${nodes.length}`;
    const windows = { stride: pair(1, 3), padding: pair(0, 3), dilation: pair(1, 3) };
    const kernel = pair(1, 5);
    if (nodes.length >= convolutions) {
      const op = nodes.length % 2 === 0 ? 'maxPool' : 'sumPool';
      const node = { op, name, inputs: ['input'], ...windows, kernel } as const;
      if (fits(node)) nodes.push(node);
      continue;
    }
    const groups = [1, 2, channels][whole(0, 2)];
    const outputs = groups * whole(1, 2);
    const size = [outputs, channels / groups, ...kernel];
    const top = 2 ** (weightBits - 1) - 1;
    const length = size.reduce((product, extent) => product * extent, 1);
    tensors.set(
      `${name}.weight`,
      integerTensor(
        size,
        Array.from({ length }, () => (whole(0, 2) === 0 ? 0 : whole(-top, top))),
      ),
    );
    const product = { weights: `${name}.weight`, weightBits, accumulatorBits: null };
    const node = { op: 'conv', name, inputs: ['input'], ...product, ...windows, groups, resize: whole(1, 3) } as const;
    if (fits(node)) nodes.push(node);
    else tensors.delete(`${name}.weight`);
  }
  const flat = nodes.map(({ name }) => `${name}.flat`);
  for (const name of flat) nodes.push({ op: 'reshape', name, inputs: [name.replace('.flat', '')], shape: [-1] });
  nodes.push({ op: 'concat', name: 'all', inputs: flat });
  return {
    ...{ name: `windows ${seed}`, nodes, tensors, task: null, notes: [] },
    input: { name: 'input', shape, low: range[0], high: range[1], scale: 1 },
    output: { value: 'all', decode: [] },
  };
}
