import { A2QError, DataError, formatShape } from '../../../tensor/errors.js';
import type { OnnxNode, OnnxTensor } from './model.js';

/** What a node does not know of itself. */
interface ImportNodeOptions {
  /** For errors. */
  readonly file: string;
  readonly opset?: number | undefined;
  readonly readsAlone?: boolean;
}

/** A node of a file as its reader sees it: attributes by kind, and errors that name it. */
export class ImportNode {
  readonly #node: OnnxNode;
  readonly #file: string;
  /** Version of the operators in its domain. */
  readonly opset: number;

  /** Whether no other node reads its first input. */
  readonly readsAlone: boolean;

  constructor(node: OnnxNode, { opset = 1, file, readsAlone = false }: ImportNodeOptions) {
    this.#node = node;
    this.#file = file;
    this.opset = opset;
    this.readsAlone = readsAlone;
  }

  get op(): string {
    return this.#node.op;
  }

  /** What its value is called in the graph. */
  get name(): string {
    return (this.#node.name || this.#node.outputs[0] || this.#node.op).slice(0, 200);
  }

  /** @throws DataError naming file, node and operation */
  fail(problem: string): never {
    throw new DataError('import', `${this.#file}: ${this.op.slice(0, 80)} '${this.name.slice(0, 80)}' ${problem}`);
  }

  /** Runs `work`; an error of ours that arises in it names the node. */
  within<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof A2QError) || (error instanceof DataError && error.op === 'import')) throw error;
      return this.fail(`cannot be read: ${error.message}`);
    }
  }

  has(attribute: string): boolean {
    return this.#node.attributes.has(attribute);
  }

  int(attribute: string, otherwise?: number): number {
    const value = this.#attribute(attribute, 'int', otherwise);
    return Number.isSafeInteger(value) ? value : this.fail(`has ${value} as ${attribute}`);
  }

  float(attribute: string, otherwise?: number): number {
    const value = this.#attribute(attribute, 'float', otherwise);
    return Number.isFinite(value) ? value : this.fail(`has ${value} as ${attribute}`);
  }

  string(attribute: string, otherwise?: string): string {
    return this.#attribute(attribute, 'string', otherwise);
  }

  ints(attribute: string, otherwise?: readonly number[]): readonly number[] {
    return this.#attribute(attribute, 'ints', otherwise);
  }

  floats(attribute: string, otherwise?: readonly number[]): readonly number[] {
    return this.#attribute(attribute, 'floats', otherwise);
  }

  tensor(attribute: string): OnnxTensor {
    return this.#attribute<OnnxTensor>(attribute, 'tensor');
  }

  /** A pair of whole numbers of `low … 65536`. */
  pair(attribute: string, otherwise: readonly [number, number], low: number): readonly [number, number] {
    const [a, b, ...rest] = this.ints(attribute, otherwise);
    const good = (value: number | undefined) => value !== undefined && value >= low && value <= 2 ** 16;
    if (rest.length === 0 && good(a) && good(b)) return [a, b];
    return this.fail(`has ${formatShape(this.ints(attribute, otherwise))} as ${attribute}; two numbers are read`);
  }

  #attribute<T>(name: string, type: string, otherwise?: T): T {
    const attribute = this.#node.attributes.get(name);
    if (attribute === undefined) return otherwise ?? this.fail(`has no attribute ${name}`);
    if (attribute.type === type) return attribute.value as T;
    // Numbers that happen to be whole are written either way by some tools.
    if (attribute.type === 'int' && type === 'float') return attribute.value as T;
    return this.fail(`has an attribute ${name} of kind ${attribute.type}; ${type} is read`);
  }
}
