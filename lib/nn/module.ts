// Who has a module has its parameters, and their methods.
import { asInstance, asOptions, kindOf } from '../tensor/argument.js';
import '../autograd/fluent.js';
import { DataError } from '../tensor/errors.js';
import type { HostTensor } from '../tensor/hostTensor.js';
import { sameShape, sizeOf } from '../tensor/shape.js';
import { type DType, dtypeOf, hostArray, type TypedArray } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { eachMember } from './members.js';
import { Buffer, Counter, Parameter, type StateTensor } from './parameter.js';

export type { HostTensor } from '../tensor/hostTensor.js';

/** Everything a module must remember, by name (`layer1.0.conv1.weight`, as PyTorch names it). */
export type StateDict = Map<string, HostTensor>;

type StateEntry = StateTensor | Counter;

/**
 * A piece of a network: parameters, buffers and other modules in its fields, and a `forward`.
 *
 * Fields are found by looking: every own property that holds a `Parameter`, `Buffer`, `Counter` or `Module`, or arrays,
 * plain objects and Maps of such, belongs to the module, under the property's name in snake case (`layers.0`,
 * `blocks.down`). What stands in two places is one thing, under its first name. A field starting with `#` is private
 * and not part of the module's state: use one to refer to a module that belongs elsewhere.
 */
export abstract class Module {
  /** Whether batch statistics and running averages are in use. Set by `train()` and `eval()`. */
  training = true;

  abstract forward(...inputs: Tensor[]): Tensor;

  /** Direct sub-modules with their names. */
  *children(): Generator<[name: string, module: Module]> {
    yield* membersOf(this, isModule);
  }

  /** This module and all below it, each once, outermost first, with their full names (`''` for itself). */
  namedModules(): readonly (readonly [name: string, module: Module])[] {
    const found = new Map<Module, string>();
    this.#collect('', found);
    return Array.from(found, ([module, name]) => [name, module] as const);
  }

  #collect(name: string, into: Map<Module, string>): void {
    if (into.has(this)) return;
    into.set(this, name);
    for (const [part, child] of this.children()) child.#collect(join(name, part), into);
  }

  /** All state below this module, each entry once. @throws DataError if two entries have one name */
  #namedState(): ReadonlyMap<string, StateEntry> {
    const seen = new Set<StateEntry>();
    const found = new Map<string, StateEntry>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [part, entry] of membersOf(module, isState)) {
        if (seen.has(entry)) continue;
        seen.add(entry);
        const name = join(prefix, part);
        if (found.has(name)) throw new DataError('Module', `two entries of the state are called ${name}`);
        found.set(name, entry);
      }
    }
    return found;
  }

  /** The entry of the state at a path, which need not be the first that leads there. */
  #entryAt(path: string): StateEntry | undefined {
    for (const [name, entry] of membersOf(this, isState)) if (name === path) return entry;
    for (const [name, child] of this.children()) {
      const entry = path.startsWith(`${name}.`) ? child.#entryAt(path.slice(name.length + 1)) : undefined;
      if (entry) return entry;
    }
    return undefined;
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
   * What the model shares between modules may stand under any of its names, or, as PyTorch writes it, all of them.
   *
   * @param options.partial accept names missing here or there; they are returned
   * @throws DataError listing missing, unexpected and misshapen entries
   */
  loadStateDict(
    state: StateDict,
    options: { readonly partial?: boolean } = {},
  ): { missing: string[]; unexpected: string[] } {
    asInstance('loadStateDict', 'the state', state, Map);
    asOptions('loadStateDict', options);
    const own = this.#namedState();
    const given = new Map<StateEntry, HostTensor>();
    const unexpected: string[] = [];
    const problems: string[] = [];
    for (const [name, host] of state) {
      checkHostTensor('loadStateDict', name, host);
      const entry = own.get(name) ?? this.#entryAt(name);
      const earlier = entry && given.get(entry);
      if (earlier && !sameNumbers(earlier, host)) problems.push(`${name} is shared, and differs under another name`);
      if (entry) given.set(entry, host);
      else unexpected.push(name);
    }
    const missing = [...own].filter(([, entry]) => !given.has(entry)).map(([name]) => name);
    if (!options.partial) {
      if (missing.length > 0) problems.push(`missing ${list(missing)}`);
      if (unexpected.length > 0) problems.push(`unexpected ${list(unexpected)}`);
    }
    for (const [name, entry] of own) {
      const host = given.get(entry);
      const shape = entry instanceof Counter ? [] : entry.shape;
      if (host && !sameShape(host.shape, shape)) {
        problems.push(`${name} has shape [${host.shape.join(', ')}], the model has [${shape.join(', ')}]`);
      } else if (host && host.data.length !== sizeOf(shape)) {
        problems.push(`${name} has shape [${shape.join(', ')}] but ${host.data.length} numbers`);
      }
    }
    if (problems.length > 0) throw new DataError('loadStateDict', problems.join('; '));
    for (const [entry, { data }] of given) {
      if (entry instanceof Counter) entry.value = Number(data[0]);
      else entry.write(convert(data, entry.dtype));
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

/** @throws ArgumentError unless `model` is a module (of this very library) */
export function asModule(op: string, model: Module, name = 'the model'): Module {
  return asInstance(op, name, model, Module);
}

/** @throws DataError unless an entry of a state dict has a shape and numbers */
export function checkHostTensor(op: string, name: string, entry: HostTensor): void {
  if (Array.isArray(entry?.shape) && dtypeOf(entry.data) !== undefined) return;
  throw new DataError(op, `${name} must have a shape and, in a typed array, data; got ${kindOf(entry)}`);
}

const isModule = (value: unknown): value is Module => value instanceof Module;

const isState = (value: unknown): value is StateEntry =>
  value instanceof Parameter || value instanceof Buffer || value instanceof Counter;

/** The members of one kind in a module's fields, with the names they have there. */
function membersOf<Member extends Module | StateEntry>(
  module: Module,
  isKind: (value: unknown) => value is Member,
): readonly [name: string, member: Member][] {
  const found: [name: string, member: Member][] = [];
  const isMember = (value: unknown): value is Module | StateEntry => isModule(value) || isState(value);
  for (const [field, value] of Object.entries(module)) {
    if (typeof value !== 'object' || value === null) continue;
    eachMember(snakeCase(field), value, isMember, (name, member) => {
      if (isKind(member)) found.push([name, member]);
    });
  }
  return found;
}

function sameNumbers(a: HostTensor, b: HostTensor): boolean {
  return sameShape(a.shape, b.shape) && a.data.every((value, i) => Object.is(value, b.data[i]));
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
