import { QuantError } from '../../tensor/errors.js';
import {
  type GraphNode,
  type IntegerGraph,
  type IntegerGrid,
  type IntegerTensor,
  integerTensor,
} from '../graph/graph.js';
import { type ChannelRange, rangeOf } from '../graph/ranges.js';
import { shapeOf } from '../graph/shapes.js';
import type { Unnamed } from './unnamed.js';

/** A graph in the making: knows shape and range of every value so far. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly tensors = new Map<string, IntegerTensor>();
  readonly shapes = new Map<string, readonly number[]>();
  readonly #ranges = new Map<string, ChannelRange>();

  #input: IntegerGraph['input'] | null = null;

  /** The quantized input, which there is one of. @param shape with its batch axis @returns the name of its value */
  input(grid: IntegerGrid, shape: readonly number[]): string {
    const name = 'input';
    if (this.#input === null) {
      this.#input = { name, shape: shape.slice(1), ...grid };
      this.shapes.set(name, shape);
      this.#ranges.set(name, { low: Float64Array.of(grid.low), high: Float64Array.of(grid.high) });
    }
    const { low, high, scale } = this.#input;
    if (low === grid.low && high === grid.high && scale === grid.scale) return name;
    return this.fail('', 'its input goes through two different quantizers: put it through one');
  }

  /** @throws QuantError if no quantizer was met */
  graphInput(): IntegerGraph['input'] {
    return this.#input ?? this.fail('', 'no quantizer puts its input on a grid');
  }

  /** @throws QuantError naming a module */
  fail(module: string, problem: string): never {
    throw new QuantError('lower', `${module === '' ? 'the model' : module} ${problem}`);
  }

  /** Adds a node under a name like `wanted`. @returns the name of its value */
  add(wanted: string, node: Unnamed<GraphNode>): string {
    const named = { ...node, name: this.#free(wanted, this.shapes) } as GraphNode;
    const inputs = named.inputs.map((input) => this.shapes.get(input) as readonly number[]);
    this.shapes.set(named.name, shapeOf(named, inputs, this.tensors));
    const ranges = named.inputs.map((input) => this.range(input));
    this.#ranges.set(named.name, rangeOf(named, ranges, this.tensors, this.shapes));
    this.nodes.push(named);
    return named.name;
  }

  /** Keeps integers under a name like `wanted`. @returns the name */
  keep(wanted: string, shape: readonly number[], values: ArrayLike<number>): string {
    const name = this.#free(wanted, this.tensors);
    this.tensors.set(name, integerTensor(shape, values));
    return name;
  }

  range(value: string): ChannelRange {
    return this.#ranges.get(value) as ChannelRange;
  }

  #free(wanted: string, taken: ReadonlyMap<string, unknown>): string {
    if (!taken.has(wanted)) return wanted;
    for (let i = 2; ; i++) if (!taken.has(`${wanted}.${i}`)) return `${wanted}.${i}`;
  }
}
