import type { ConvGeometry, Window } from '../kernels/geometry.js';
import { asOptions } from '../tensor/argument.js';
import { ShapeError } from '../tensor/errors.js';

/** The geometry of windows as users write it, and its checks. */

/** One number for both directions, or `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

/** Zeros before and after along each direction: `[[top, bottom], [left, right]]`. */
export type Sides = readonly [readonly [number, number], readonly [number, number]];

/**
 * Zeros around an image: as many on opposite sides, or a number for each side, or `'valid'` for none, or `'same'` for
 * an output as large as the image (stride 1; an odd zero goes to the bottom and to the right, as in PyTorch).
 */
export type Padding = Pair | Sides | 'same' | 'valid';

/** Geometry of a convolution; PyTorch's names and defaults. */
export interface ConvOptions {
  readonly stride?: Pair;
  readonly padding?: Padding;
  readonly dilation?: Pair;
  readonly groups?: number;
}

/** A pair of integers, each at least `least`. @throws ShapeError */
export function pair(op: string, name: string, value: Pair, least: number): readonly [number, number] {
  const both: readonly [number, number] = typeof value === 'number' ? [value, value] : value;
  if (!Array.isArray(both) || both.length !== 2 || both.some((x) => !Number.isInteger(x) || x < least)) {
    const got = Array.isArray(both) ? `[${both.join(', ')}]` : String(both);
    throw new ShapeError(op, `${name} must be integers of at least ${least}; got ${got}`);
  }
  return both;
}

/** A convolution's geometry, and the zeros it needs beforehand where opposite sides differ; null where they do not. */
export interface PaddedGeometry {
  readonly geometry: ConvGeometry;
  readonly beforehand: Sides | null;
}

/** All of a convolution's geometry. @throws ShapeError if a number is out of range */
export function convGeometry(op: string, options: ConvOptions, kernel: readonly [number, number]): PaddedGeometry {
  const { groups = 1 } = asOptions(op, options);
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ShapeError(op, `groups must be a positive integer; it is ${groups}`);
  }
  const stride = pair(op, 'stride', options.stride ?? 1, 1);
  const dilation = pair(op, 'dilation', options.dilation ?? 1, 1);
  const sides = sidesOf(op, options.padding ?? 0, { kernel, stride, dilation });
  const padding = [Math.min(...sides[0]), Math.min(...sides[1])] as const;
  const rest = sides.map(([before, after], i) => [before - padding[i], after - padding[i]]) as unknown as Sides;
  return {
    geometry: { stride, padding, dilation, groups },
    beforehand: rest.flat().some((zeros) => zeros > 0) ? rest : null,
  };
}

function sidesOf(op: string, padding: Padding, window: Omit<Window, 'padding'>): Sides {
  if (padding === 'valid') return [alike(0), alike(0)];
  if (padding === 'same') return [same(op, window, 0), same(op, window, 1)];
  if (typeof padding === 'string') {
    throw new ShapeError(op, `padding must be numbers, 'same' or 'valid'; it is '${String(padding)}'`);
  }
  if (Array.isArray(padding) && padding.some(Array.isArray)) {
    if (padding.length !== 2 || !padding.every(Array.isArray)) {
      throw new ShapeError(op, 'padding by sides must be [[top, bottom], [left, right]]');
    }
    const [vertical, horizontal] = padding as unknown as Sides;
    return [pair(op, 'padding', vertical, 0), pair(op, 'padding', horizontal, 0)];
  }
  const [vertical, horizontal] = pair(op, 'padding', padding as Pair, 0);
  return [alike(vertical), alike(horizontal)];
}

/** As many zeros before as after. */
export function alike(zeros: number): readonly [number, number] {
  return [zeros, zeros];
}

function same(op: string, { kernel, stride, dilation }: Omit<Window, 'padding'>, axis: 0 | 1): [number, number] {
  if (stride.some((step) => step !== 1)) {
    throw new ShapeError(op, `padding 'same' needs stride 1; it is [${stride.join(', ')}]`);
  }
  const total = dilation[axis] * (kernel[axis] - 1);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** The geometry where opposite sides are padded alike. @throws ShapeError if they are not, or a number is wrong */
export function evenGeometry(op: string, options: ConvOptions, kernel: Pair): ConvGeometry {
  const { geometry, beforehand } = convGeometry(op, options, pair(op, 'kernel', kernel, 1));
  if (beforehand === null) return geometry;
  throw new ShapeError(op, 'opposite sides must have the same padding; pad the image itself (pad) where they differ');
}

/** Geometry of a convolution along one axis; PyTorch's names and defaults. */
export interface Conv1dOptions {
  readonly stride?: number;
  /** Zeros on both sides, or `[before, after]`; `'same'` and `'valid'` as for images. */
  readonly padding?: number | readonly [number, number] | 'same' | 'valid';
  readonly dilation?: number;
  readonly groups?: number;
}

/** The same along the second of two directions. */
export function lying(op: string, options: Conv1dOptions): ConvOptions {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = asOptions(op, options);
  const sides = typeof padding === 'number' ? alike(padding) : padding;
  return {
    stride: [1, stride],
    padding: typeof sides === 'string' ? sides : [alike(0), sides],
    dilation: [1, dilation],
    groups,
  };
}
