import { neg } from '../../autograd/ops.js';
import { noGrad } from '../../autograd/tape.js';
import { backendOf } from '../../kernels/value.js';
import { asInstance, asInteger, asList, asOptions, asTensor } from '../../tensor/argument.js';
import { A2QError, DataError, ShapeError } from '../../tensor/errors.js';
import { sameShape } from '../../tensor/shape.js';
import { dtypeOf, scope } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkAlike } from '../../tensor/view.js';
import { checkHostTensor, type StateDict } from '../module.js';
import { Buffer, Parameter } from '../parameter.js';

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly parameters: readonly Parameter[];
  /** Learning rate of the next step; schedules set it. */
  learningRate: number;
  /** The learning rate schedules start from. */
  readonly baseLearningRate: number;
  readonly weightDecay: number;
}

/** A group as a caller writes it; what is absent is taken from the optimizer's options. */
export interface GroupOptions {
  readonly parameters: readonly Parameter[];
  readonly learningRate?: number;
  readonly weightDecay?: number;
}

/** What every optimizer needs to know. */
export interface OptimizerOptions {
  readonly learningRate: number;
  /** Pull toward zero. Default 0, for AdamW 0.01. */
  readonly weightDecay?: number;
  /** Whether to climb: steps go along the gradient, not against it. Default false. */
  readonly maximize?: boolean;
}

/** Everything an optimizer must remember to go on with the same bits, in host memory. */
export interface OptimizerState {
  /** `SGD`, `Adam` or `AdamW`. */
  readonly type: string;
  /** One entry a group. */
  readonly learningRates: readonly number[];
  /** Steps each parameter has taken, in the order of the groups. */
  readonly steps: readonly number[];
  /** Running averages, named `<parameter>.<average>` with the parameter's position, for example `3.velocity`. */
  readonly tensors: StateDict;
}

/** One parameter with what the optimizer remembers of it. */
interface Slot {
  readonly parameter: Parameter;
  readonly group: ParameterGroup;
  /** Steps taken so far. */
  steps: number;
  /** Running averages of the parameter's shape, made at its first step. */
  readonly averages: Map<string, Buffer>;
}

/** One parameter in a step, as an optimizer sees it. */
export interface Update {
  readonly parameter: Parameter;
  readonly gradient: Tensor;
  /** The running average of that name; zeros at the first step. */
  average(name: string): Buffer;
}

/** What the parameters of a step have in common. */
export interface UpdateSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
  /** 1 for the parameters' first step. */
  readonly step: number;
}

/** Moves parameters along their gradients, in place. Parameters without a gradient stay, and so does their state. */
export abstract class Optimizer {
  readonly groups: readonly ParameterGroup[];
  readonly #slots: readonly Slot[];
  readonly #maximize: boolean;

  /**
   * @param parameters a list, or groups with settings of their own
   * @throws A2QError for settings out of range, no parameters, or one parameter twice
   */
  constructor(
    readonly type: string,
    parameters: readonly Parameter[] | readonly GroupOptions[],
    options: OptimizerOptions,
  ) {
    const { learningRate, weightDecay = 0, maximize = false } = asOptions(type, options);
    this.#maximize = maximize;
    this.groups = asGroups(type, parameters).map((group) => ({
      parameters: asList(type, 'parameters', group.parameters).map((each) =>
        asInstance(type, 'each parameter', each, Parameter),
      ),
      learningRate: atLeastZero(type, 'learningRate', group.learningRate ?? learningRate),
      baseLearningRate: group.learningRate ?? learningRate,
      weightDecay: atLeastZero(type, 'weightDecay', group.weightDecay ?? weightDecay),
    }));
    this.#slots = this.groups.flatMap((group) =>
      group.parameters.map((parameter) => ({ parameter, group, steps: 0, averages: new Map<string, Buffer>() })),
    );
    if (this.#slots.length === 0) throw new A2QError(type, 'there is no parameter to optimize');
    if (new Set(this.#slots.map(({ parameter }) => parameter)).size < this.#slots.length) {
      throw new A2QError(type, 'a parameter appears more than once');
    }
  }

  /** Writes the new values of parameters into their memory, all on one backend. */
  protected abstract update(updates: readonly Update[], settings: UpdateSettings): void;

  /** One step for every parameter that has a gradient. */
  step(): void {
    scope(() => {
      for (const slots of this.#due()) {
        const [{ group, steps: step }] = slots;
        const { learningRate, weightDecay } = group;
        const updates = slots.map((slot) => ({
          parameter: slot.parameter,
          gradient: this.#direction(gradientOf(this.type, slot.parameter)),
          average: (name: string) => averageOf(slot, name),
        }));
        this.update(updates, { learningRate, weightDecay, step });
        for (const { parameter } of updates) parameter.storage.overwritten();
      }
    });
  }

  /** What a step goes against. */
  #direction(gradient: Tensor): Tensor {
    return this.#maximize ? noGrad(() => neg(gradient)) : gradient;
  }

  /** Counts a step for every parameter with a gradient; those of one group, backend and count go together. */
  #due(): readonly (readonly Slot[])[] {
    const together: Slot[][] = [];
    for (const slot of this.#slots) {
      const { parameter, group } = slot;
      if (parameter.grad === null) continue;
      slot.steps += 1;
      const same = ([first]: readonly Slot[]) =>
        first.group === group && first.parameter.device === parameter.device && first.steps === slot.steps;
      const known = together.find(same);
      if (known) known.push(slot);
      else together.push([slot]);
    }
    return together;
  }

  /** Forgets the gradients of all parameters and frees their memory. */
  zeroGrad(): void {
    for (const { parameter } of this.#slots) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  /** A copy of the state in host memory. */
  async state(): Promise<OptimizerState> {
    const tensors: StateDict = new Map();
    for (const [i, { averages }] of this.#slots.entries()) {
      for (const [name, average] of averages) {
        tensors.set(`${i}.${name}`, { shape: average.shape, data: await average.data() });
      }
    }
    return {
      type: this.type,
      learningRates: this.groups.map(({ learningRate }) => learningRate),
      steps: this.#slots.map(({ steps }) => steps),
      tensors,
    };
  }

  /**
   * Goes on from a state of an optimizer of this type over parameters of these shapes, in this order.
   * @throws DataError if it does not fit, A2QError for rates or counts out of range; nothing changes then
   */
  loadState(state: OptimizerState): void {
    const problem = this.#misfit(asOptions('loadState', state, 'the state'));
    if (problem) throw new DataError('loadState', problem);
    for (const [i, group] of this.groups.entries()) group.learningRate = state.learningRates[i];
    this.dispose();
    for (const [i, slot] of this.#slots.entries()) slot.steps = state.steps[i];
    for (const [key, { data }] of state.tensors) {
      const [position, name] = splitKey(key);
      averageOf(this.#slots[position], name).write(data);
    }
  }

  /** Frees the memory of all running averages. */
  dispose(): void {
    for (const { averages } of this.#slots) {
      for (const average of averages.values()) average.dispose();
      averages.clear();
    }
  }

  /** Why a state cannot be loaded, or null. */
  #misfit(state: OptimizerState): string | null {
    if (state.type !== this.type) return `the state is of ${state.type}, this is ${this.type}`;
    asList('loadState', 'learningRates', state.learningRates);
    asList('loadState', 'steps', state.steps);
    asInstance('loadState', 'tensors', state.tensors, Map);
    if (state.learningRates.length !== this.groups.length) {
      return `the state has ${state.learningRates.length} groups, this ${this.type} has ${this.groups.length}`;
    }
    if (state.steps.length !== this.#slots.length) {
      return `the state has ${state.steps.length} parameters, this ${this.type} has ${this.#slots.length}`;
    }
    for (const rate of state.learningRates) atLeastZero('loadState', 'each learning rate', rate);
    for (const steps of state.steps) asInteger('loadState', 'each count of steps', steps, 0, Number.MAX_SAFE_INTEGER);
    for (const [key, entry] of state.tensors) {
      checkHostTensor('loadState', key, entry);
      const { shape, data } = entry;
      const slot = this.#slots[splitKey(key)[0]];
      if (slot === undefined) return `${key} belongs to no parameter`;
      const { parameter } = slot;
      if (!sameShape(shape, parameter.shape) || data.length !== parameter.size) {
        return `${key} has shape [${shape.join(', ')}], its parameter has [${parameter.shape.join(', ')}]`;
      }
      if (dtypeOf(data) !== parameter.dtype) return `${key} holds ${dtypeOf(data)}, its parameter ${parameter.dtype}`;
    }
    return null;
  }
}

/** @throws ShapeError, DTypeError or BackendError for a gradient, set by hand, that is not like its parameter */
function gradientOf(type: string, { grad, shape, storage }: Parameter): Tensor {
  const gradient = asTensor(type, 'a gradient', grad as Tensor);
  if (!sameShape(gradient.shape, shape)) {
    throw new ShapeError(type, 'a gradient must have the shape of its parameter', [gradient.shape, shape]);
  }
  checkAlike(type, gradient.storage, storage);
  return gradient;
}

function averageOf(slot: Slot, name: string): Buffer {
  const known = slot.averages.get(name);
  if (known) return known;
  const { parameter } = slot;
  const made = scope(() => new Buffer(backendOf(parameter).fill(parameter.shape, 0, parameter.dtype)));
  slot.averages.set(name, made);
  return made;
}

function splitKey(key: string): [position: number, name: string] {
  const dot = key.indexOf('.');
  return [Number(key.slice(0, dot)), key.slice(dot + 1)];
}

function asGroups(type: string, given: readonly Parameter[] | readonly GroupOptions[]): readonly GroupOptions[] {
  const [first] = asList<Parameter | GroupOptions>(type, 'parameters', given);
  const isGroup = typeof first === 'object' && first !== null && 'parameters' in first;
  return isGroup ? (given as readonly GroupOptions[]) : [{ parameters: given as readonly Parameter[] }];
}

/** A setting that must be a finite number of at least zero. @throws A2QError naming it */
export function atLeastZero(type: string, name: string, value: number): number {
  if (!(value >= 0 && Number.isFinite(value))) {
    throw new A2QError(type, `${name} must be a finite number of at least 0; it is ${value}`);
  }
  return value;
}
