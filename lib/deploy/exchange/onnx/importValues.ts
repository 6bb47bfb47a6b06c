import { sizeOf } from '../../../tensor/shape.js';
import type { GraphNode } from '../../graph/graph.js';
import type { Unnamed } from '../../lowering/unnamed.js';
import type { Program } from './importProgram.js';
import { type ElementType, numbersOf, type OnnxTensor } from './model.js';

/** Numbers that a file knows: an initializer, or what is computed from such. */
export interface Constant {
  readonly kind: 'constant';
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** What one step of the grid of each number is worth, if a quantizer put them on one. */
  readonly steps: ArrayLike<number> | null;
  /** M, as the quantizer says. */
  readonly bits: number | null;
}

/** Integers of `low … high`, each worth a step. */
export interface Grid {
  readonly step: number;
  readonly low: number;
  readonly high: number;
  /** Of the last node that rounded to it or cut it. */
  readonly name: string;
}

/** Moves values without changing them, or chooses among them. */
export interface Move {
  readonly name: string;
  readonly node: MoveNode;
}

export type MoveNode = Unnamed<
  Extract<GraphNode, { op: 'maxPool' | 'upsample' | 'pixelShuffle' | 'reshape' | 'permute' }>
>;

/** What is known of a value that depends on the input. */
export interface Traced {
  readonly kind: 'traced';
  /** With the batch. */
  readonly shape: readonly number[];
  /** The value of the graph whose integers the program is run on; null for the input before any quantizer. */
  readonly source: string | null;
  readonly program: Program;
  /** The grid that the program's results lie on, if it is known. */
  readonly grid: Grid | null;
  /** Whether they are the source's own integers times the step. */
  readonly plain: boolean;
  /** Done to the integers of the next grid, in place of those of the source. */
  readonly moves: readonly Move[];
  /** Zeros around the image that only a convolution can add: top, left, bottom, right. */
  readonly pads: readonly number[] | null;
  /** Whether the file holds them as integers, whose division truncates. */
  readonly integer: boolean;
}

/** A value with an axis of its own for thresholds, and, once they are compared, those. */
export interface Column {
  readonly kind: 'column';
  readonly of: Traced;
  /** With the axis. */
  readonly shape: readonly number[];
  /** Of each channel, or for all. */
  readonly rows: readonly Float64Array[] | null;
}

export type Value = Constant | Traced | Column;

/** Most numbers that a constant may have: 2^26. */
export const MOST_NUMBERS = 2 ** 26;

export function constant(shape: readonly number[], data: ArrayLike<number>, type: ElementType = 'float32'): Constant {
  return { kind: 'constant', type, shape, data, steps: null, bits: null };
}

export function constantOf(tensor: OnnxTensor): Constant {
  return constant(tensor.shape, numbersOf(tensor), tensor.type);
}

/** Whether all numbers are one. */
export function uniform({ data }: Constant): boolean {
  for (let i = 1; i < data.length; i++) if (data[i] !== data[0]) return false;
  return data.length > 0;
}

/** The shape that two broadcast to; null if they do not. */
export function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] | null {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly number[], axis: number) => shape[axis - (rank - shape.length)] ?? 1;
  const extents = Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [at(a, axis), at(b, axis)];
    return x === y || y === 1 ? x : x === 1 ? y : -1;
  });
  return extents.includes(-1) ? null : extents;
}

/** Numbers repeated along axes of extent 1, row-major. */
export function expanded({ shape, data }: Pick<Constant, 'shape' | 'data'>, to: readonly number[]): ArrayLike<number> {
  if (data.length === sizeOf(to)) return data;
  const out = new Float64Array(sizeOf(to));
  const lead = to.length - shape.length;
  const strides = to.map((_, axis) => {
    const own = axis - lead;
    return own < 0 || shape[own] === 1 ? 0 : sizeOf(shape.slice(own + 1));
  });
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    let from = 0;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += (rest % to[axis]) * strides[axis];
      rest = Math.floor(rest / to[axis]);
    }
    out[i] = data[from];
  }
  return out;
}
