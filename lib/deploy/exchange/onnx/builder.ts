import {
  type ElementType,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  onnxTensor,
} from './model.js';

/** An attribute; a number stands for an integer, so floats are given by {@link float}. */
type Attribute = OnnxAttribute | number | string | readonly number[];

export const float = (value: number): OnnxAttribute => ({ type: 'float', value });

/** Collects nodes and constants. Names that it is told beforehand are only given where they are asked for. */
export class OnnxBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #datatypes = new Map<string, string>();
  readonly #taken: Set<string>;

  constructor(reserved: Iterable<string>) {
    this.#taken = new Set(reserved);
  }

  /** A constant. @returns its name */
  tensor(
    name: string,
    type: ElementType,
    shape: readonly number[],
    values: ArrayLike<number> | BigInt64Array<ArrayBuffer>,
  ): string {
    const free = this.#free(name);
    this.#initializers.set(free, onnxTensor(type, shape, values));
    return free;
  }

  /** A node with one result, on the way to a value of the network. @returns its name */
  node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    return this.value(this.#free(name), op, inputs, attributes, domain);
  }

  /** A node that makes a value of the network, under the reserved name. @returns the name */
  value(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    const typed = Object.entries(attributes).map(([key, value]) => [key, typedAttribute(value)] as const);
    this.#nodes.push({ name, op, domain, inputs, outputs: [name], attributes: new Map(typed) });
    return name;
  }

  /** Says of a value what QONNX calls its data type, such as `INT4`. */
  datatype(name: string, datatype: string): void {
    this.#datatypes.set(name, datatype);
  }

  /** What was collected. */
  graph(rest: Pick<OnnxGraph, 'name' | 'inputs' | 'outputs'>): OnnxGraph {
    return { ...rest, nodes: this.#nodes, initializers: this.#initializers, datatypes: this.#datatypes };
  }

  #free(name: string): string {
    let free = name;
    for (let i = 2; this.#taken.has(free); i++) free = `${name}_${i}`;
    this.#taken.add(free);
    return free;
  }
}

function typedAttribute(value: Attribute): OnnxAttribute {
  if (typeof value === 'number') return { type: 'int', value };
  if (typeof value === 'string') return { type: 'string', value };
  return 'type' in value ? value : { type: 'ints', value };
}
