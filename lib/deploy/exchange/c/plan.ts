import { DataError } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import type { GraphNode, IntegerGraph, IntegerTensor } from '../../graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../../graph/ranges.js';
import { type GraphShapes, inferShapes } from '../../graph/shapes.js';
import { type CType, constants, identifier, TYPES, typeOfRange, typeOfTensor } from './text.js';

/** Most elements of one array. */
const MOST = 2 ** 28;

/** One value of one sample in C. */
export interface CValue {
  /** Without the batch. */
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
  readonly type: CType;
}

/** A static array that several values or layers take turns with. */
export interface Buffer {
  readonly name: string;
  readonly type: CType;
  length: number;
}

/** What stands outside of the functions, collected while these are written. */
export class Plan {
  readonly graph: IntegerGraph;
  readonly prefix: string;
  readonly values = new Map<string, CValue>();
  readonly buffers: Buffer[] = [];
  /** Constants, by their names in C. */
  readonly constants = new Map<string, string>();
  /** Small functions that several nodes call, by their names. */
  readonly helpers = new Map<string, string>();
  readonly #names = new Set<string>();
  readonly #tensors = new Map<string, string>();

  /** @param input of one sample @throws DataError if the network does not take inputs of that shape */
  constructor(graph: IntegerGraph, prefix: string, input: readonly number[]) {
    this.graph = graph;
    this.prefix = prefix;
    for (const word of RESERVED) this.#names.add(word);
    const shapes: GraphShapes = inferShapes(graph, [1, ...input]);
    for (const [name, range] of inferRanges(graph, shapes)) this.values.set(name, valueIn(range, shapes, name));
  }

  value(name: string): CValue {
    return this.values.get(name) as CValue;
  }

  tensor(name: string): IntegerTensor {
    return this.graph.tensors.get(name) as IntegerTensor;
  }

  /** A name for something in the file, after a word. */
  name(word: string): string {
    return `${this.prefix}_${identifier(word, this.#names)}`;
  }

  /** The type of a tensor's constants. */
  typeOf(tensor: string): CType {
    return typeOfTensor(this.tensor(tensor));
  }

  /** The name in C of a tensor of the network, whose constants are written on its first use. */
  constant(tensor: string): string {
    const known = this.#tensors.get(tensor);
    if (known !== undefined) return known;
    const name = this.name(tensor);
    this.constants.set(name, constants(this.typeOf(tensor), name, this.tensor(tensor).data));
    this.#tensors.set(tensor, name);
    return name;
  }

  /** A buffer that nothing else uses while a node runs: `role` and type name it. */
  scratch(role: string, type: CType, length: number): string {
    const name = `${this.prefix}_${role}_${type}`;
    const known = this.buffers.find((buffer) => buffer.name === name);
    if (known) known.length = Math.max(known.length, limited(name, length));
    else this.buffers.push({ name, type, length: limited(name, length) });
    return name;
  }

  /** A helper function, written once. @param code given its name */
  helper(word: string, code: (name: string) => string): string {
    const name = `${this.prefix}_${word}`;
    if (!this.helpers.has(name)) this.helpers.set(name, code(name));
    return name;
  }

  /**
   * Where each value is while it is needed: the name of its buffer in C, `input` for the input itself. Reshapes are
   * their inputs under another name; a buffer serves again when the last node that reads its value has run.
   */
  places(): ReadonlyMap<string, string> {
    const { graph } = this;
    const roots = new Map<string, string>([[graph.input.name, graph.input.name]]);
    for (const { op, name, inputs } of graph.nodes) roots.set(name, op === 'reshape' ? rootOf(roots, inputs[0]) : name);
    const lastUse = new Map<string, number>([[rootOf(roots, graph.output.value), graph.nodes.length]]);
    for (const [i, { name, inputs }] of graph.nodes.entries()) {
      for (const each of [name, ...inputs]) {
        const root = rootOf(roots, each);
        lastUse.set(root, Math.max(i, lastUse.get(root) ?? 0));
      }
    }
    const held = new Map<string, Buffer>();
    const free: Buffer[] = [];
    for (const [i, node] of graph.nodes.entries()) {
      if (node.op !== 'reshape') held.set(node.name, this.#take(free, node));
      for (const [name, buffer] of held) if (lastUse.get(name) === i) free.push(buffer);
    }
    const place = (name: string) => held.get(rootOf(roots, name))?.name ?? 'input';
    return new Map([...this.values.keys()].map((name) => [name, place(name)]));
  }

  /** The free buffer of a node's type that fits best, or a new one. */
  #take(free: Buffer[], node: GraphNode): Buffer {
    const { type, shape } = this.value(node.name);
    const length = limited(node.name, sizeOf(shape));
    const waste = (buffer: Buffer) => Math.abs(buffer.length - length);
    const fitting = free.filter((buffer) => buffer.type === type).sort((a, b) => waste(a) - waste(b));
    const [buffer = { name: this.name(`values_${type}`), type, length }] = fitting;
    if (fitting.length > 0) free.splice(free.indexOf(buffer), 1);
    else this.buffers.push(buffer);
    buffer.length = Math.max(buffer.length, length);
    return buffer;
  }
}

/** Names that a file may give whatever the network, without the prefix. */
const RESERVED = [
  ...['run', 'decode', 'quantize_pixels', 'input_t', 'pixels', 'scaled', 'H', 'MAIN', 'INPUTS', 'OUTPUTS'],
  ...['frame', 'sums', 'reached'].flatMap((role) => TYPES.map(({ type }) => `${role}_${type}`)),
];

const rootOf = (roots: ReadonlyMap<string, string>, name: string) => roots.get(name) as string;

function valueIn(range: ChannelRange, shapes: GraphShapes, name: string): CValue {
  const { low, high } = extremesOf(range);
  const shape = (shapes.get(name) as readonly number[]).slice(1);
  return { shape, low, high, type: typeOfRange({ low, high }) };
}

function limited(name: string, length: number): number {
  if (length <= MOST) return length;
  throw new DataError('export', `${name} would need an array of ${length}, more than 2^28 elements`);
}
