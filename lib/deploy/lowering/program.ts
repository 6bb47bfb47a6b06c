import type { Row } from '../../autograd/row.js';
import { mul } from '../../autograd/rows/elementwise.js';
import { apply, noGrad } from '../../autograd/tape.js';
import { tensor } from '../../tensor/create.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Home } from '../../tensor/view.js';

/**
 * What a model does elementwise with the integers of a value: the very rows of its forward pass, kept so that they can
 * be run again on any integers. Constants are one number, or one for each channel.
 */
export type Program = Source | Constant | Step;

export interface Source {
  readonly kind: 'source';
}

export interface Constant {
  readonly kind: 'constant';
  /** 1 or C numbers. */
  readonly values: ArrayLike<number>;
}

export interface Step {
  readonly kind: 'step';
  readonly row: Row<never>;
  readonly attrs: unknown;
  readonly inputs: readonly Program[];
}

export const SOURCE: Source = { kind: 'source' };

export function constant(values: ArrayLike<number>): Constant {
  return { kind: 'constant', values };
}

export function step(row: Row<never>, attrs: unknown, ...inputs: readonly Program[]): Step {
  return { kind: 'step', row, attrs, inputs };
}

/** Integers times their steps. @param steps one, or one for each channel */
export function scaled(steps: ArrayLike<number>): Step {
  return step(mul.row as never, {}, SOURCE, constant(steps));
}

/** Whether channels differ in it. */
export function variesByChannel(program: Program): boolean {
  if (program.kind === 'constant') return program.values.length > 1;
  return program.kind === 'step' && program.inputs.some(variesByChannel);
}

/** Runs a program off the tape. @param a `[n, C]`, or `[n, 1]` if channels do not differ @returns the same shape */
export function runProgram(program: Program, a: Tensor): Tensor {
  const done = new Map<Program, Tensor>();
  const run = (part: Program): Tensor => {
    const known = done.get(part);
    if (known) return known;
    const result = part.kind === 'source' ? a : part.kind === 'constant' ? row(part, a) : runStep(part);
    done.set(part, result);
    return result;
  };
  const runStep = (part: Step) => apply(part.row as Row<unknown>, part.inputs.map(run), part.attrs);
  return noGrad(() => run(program));
}

function row({ values }: Constant, { dtype, device }: Home): Tensor {
  return tensor(Array.from(values), [1, values.length], { dtype, device }) as Tensor;
}

/** `max(slope·a + intercept, floor)`, per channel, in float64. */
export interface Affine {
  readonly slope: Float64Array;
  readonly intercept: Float64Array;
  /** −∞ without a ReLU at the end. */
  readonly floor: number;
}

/** The affine function that a program is, rounding aside; null if it is none. */
export function affineOf(program: Program, channels: number): Affine | null {
  if (program.kind === 'source') return line(channels, () => [1, 0]);
  if (program.kind === 'constant') return line(channels, (c) => [0, at(program, c)]);
  const [left, right] = program.inputs.map((input) => affineOf(input, channels));
  const name = program.row.name;
  if (name === 'relu' && left) return { ...left, floor: Math.max(left.floor, 0) };
  if (name === 'neg' && left?.floor === Number.NEGATIVE_INFINITY) {
    return line(channels, (c) => [-left.slope[c], -left.intercept[c]]);
  }
  if (!left || !right || Math.max(left.floor, right.floor) > Number.NEGATIVE_INFINITY) return null;
  const flat = ({ slope }: Affine) => slope.every((value) => value === 0);
  if (name === 'add' || name === 'sub') {
    const sign = name === 'add' ? 1 : -1;
    return line(channels, (c) => [
      left.slope[c] + sign * right.slope[c],
      left.intercept[c] + sign * right.intercept[c],
    ]);
  }
  if (name === 'mul' && (flat(left) || flat(right))) {
    const [factor, other] = flat(left) ? [left, right] : [right, left];
    return line(channels, (c) => [factor.intercept[c] * other.slope[c], factor.intercept[c] * other.intercept[c]]);
  }
  if (name === 'div' && flat(right)) {
    return line(channels, (c) => [left.slope[c] / right.intercept[c], left.intercept[c] / right.intercept[c]]);
  }
  return null;
}

function line(channels: number, of: (channel: number) => readonly [slope: number, intercept: number]): Affine {
  const slope = new Float64Array(channels);
  const intercept = new Float64Array(channels);
  for (let c = 0; c < channels; c++) [slope[c], intercept[c]] = of(c);
  return { slope, intercept, floor: Number.NEGATIVE_INFINITY };
}

/** The number of a constant for a channel. */
export function at({ values }: Constant, channel: number): number {
  return values[values.length === 1 ? 0 : channel];
}
