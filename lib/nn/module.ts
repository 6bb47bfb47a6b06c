import { DataError } from '../tensor/errors.js';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import { type DType, dtypeOf, hostArray, type TypedArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { Buffer, Counter, Parameter, type StateTensor } from './parameter.js';

/** One entry of a state dict, in host memory. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Everything a module must remember, by name (`layer1.0.conv1.weight`, as PyTorch names it). */
export type StateDict = Map<string, HostTensor>;

type StateEntry = StateTensor | Counter;

/**
 * A piece of a network: parameters, buffers and other modules in its fields, and a `forward`.
 *
 * Fields are found by looking: every own property that holds a `Parameter`, `Buffer`, `Counter`, `Module` or an array
 * of modules belongs to the module, under the property's name in snake case. A field starting with `#` is private and
 * not part of the module's state: use one to refer to a module that belongs elsewhere.
 */
export abstract class Module {
  /** Whether batch statistics and running averages are in use. Set by `train()` and `eval()`. */
  training = true;

  abstract forward(...inputs: Tensor[]): Tensor;

  /** Direct sub-modules with their names. */
  *children(): Generator<[name: string, module: Module]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield [snakeCase(name), value];
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) {
          if (item instanceof Module) yield [`${snakeCase(name)}.${i}`, item];
        }
      }
    }
  }

  /** This module and all below it, outermost first, with their full names (`''` for itself). */
  namedModules(): readonly (readonly [name: string, module: Module])[] {
    const found: [name: string, module: Module][] = [];
    this.#collect('', found);
    return found;
  }

  /** Appends this module and all below it. A list is a tenth of the work of generators nested as deep as modules. */
  #collect(name: string, into: [name: string, module: Module][]): void {
    into.push([name, this]);
    for (const [part, child] of this.children()) child.#collect(join(name, part), into);
  }

  /** All state below this module. */
  *#namedState(): Generator<[name: string, entry: StateEntry]> {
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, value] of Object.entries(module)) {
        if (value instanceof Parameter || value instanceof Buffer || value instanceof Counter) {
          yield [join(prefix, snakeCase(name)), value];
        }
      }
    }
  }

  *namedParameters(): Generator<[name: string, parameter: Parameter]> {
    for (const [name, entry] of this.#namedState()) if (entry instanceof Parameter) yield [name, entry];
  }

  *namedBuffers(): Generator<[name: string, buffer: Buffer]> {
    for (const [name, entry] of this.#namedState()) if (entry instanceof Buffer) yield [name, entry];
  }

  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter);
  }

  /** Number of learned numbers. */
  parameterCount(): number {
    return this.parameters().reduce((total, parameter) => total + parameter.size, 0);
  }

  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Forgets all gradients and frees their memory. */
  zeroGrad(): void {
    for (const [, parameter] of this.namedParameters()) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  /** Copies of all parameters, buffers and counters in host memory. */
  async stateDict(): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [name, entry] of this.#namedState()) {
      if (entry instanceof Counter) state.set(name, { shape: [], data: Int32Array.of(entry.value) });
      else state.set(name, { shape: entry.shape, data: await entry.data() });
    }
    return state;
  }

  /**
   * Overwrites parameters, buffers and counters. Checked as a whole first: nothing changes if anything does not fit.
   *
   * @param options.partial accept names missing here or there; they are returned
   * @throws DataError listing missing, unexpected and misshapen entries
   */
  loadStateDict(
    state: StateDict,
    options: { readonly partial?: boolean } = {},
  ): { missing: string[]; unexpected: string[] } {
    const own = new Map(this.#namedState());
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    const problems: string[] = [];
    if (!options.partial) {
      if (missing.length > 0) problems.push(`missing ${list(missing)}`);
      if (unexpected.length > 0) problems.push(`unexpected ${list(unexpected)}`);
    }
    for (const [name, entry] of own) {
      const given = state.get(name);
      const shape = entry instanceof Counter ? [] : entry.shape;
      if (given && !sameShape(given.shape, shape)) {
        problems.push(`${name} has shape [${given.shape.join(', ')}], the model has [${shape.join(', ')}]`);
      } else if (given && given.data.length !== sizeOf(shape)) {
        problems.push(`${name} has shape [${shape.join(', ')}] but ${given.data.length} numbers`);
      }
    }
    if (problems.length > 0) throw new DataError('loadStateDict', problems.join('; '));
    for (const [name, entry] of own) {
      const given = state.get(name);
      if (!given) continue;
      if (entry instanceof Counter) entry.value = Number(given.data[0]);
      else entry.write(convert(given.data, entry.dtype));
    }
    return { missing, unexpected };
  }

  /** Frees the memory of all parameters, buffers and gradients. The module cannot be used afterwards. */
  dispose(): void {
    for (const [, entry] of this.#namedState()) {
      if (entry instanceof Counter) continue;
      entry.grad?.dispose();
      entry.dispose();
    }
  }
}

function convert(data: TypedArray, dtype: DType): TypedArray {
  if (dtypeOf(data) === dtype) return data;
  const out = hostArray(dtype, data.length);
  out.set(data);
  return out;
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

const snakeCased = new Map<string, string>();

function snakeCase(name: string): string {
  let known = snakeCased.get(name);
  if (known === undefined) {
    known = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    snakeCased.set(name, known);
  }
  return known;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
