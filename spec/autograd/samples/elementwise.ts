import type { Tensor } from '../../../lib/tensor/tensor.js';
import { awayFromZero, between, distinct, type Numbers, shaped, type Written } from '../support.js';
import type { Edge, Sample } from './sample.js';

type None = Record<never, never>;
type Identity = (x: Tensor) => Tensor;

function unary(x: Numbers, at: Written, value: Written, grad: Written | null, surrogate?: Identity): Sample<None> {
  const extra = surrogate ? { surrogate } : {};
  return {
    points: [{ inputs: [x], attrs: {}, ...extra }],
    edges: [{ inputs: [at], attrs: {}, value, grads: [grad] }],
  };
}

/** A rounding: straight through, so its surrogate is the identity. */
function rounding(at: number[], value: number[]): Sample<None> {
  const ones = at.map(() => 1);
  return unary(between(-3, 3, [4, 5]), at, value, ones, (x) => x);
}

/** Two operands by the seeds of their numbers, in shapes that stretch each other in every way. */
function binary(draw: (shape: number[], seed: 1 | 2) => Numbers, edge: Omit<Edge<None>, 'attrs'>): Sample<None> {
  const point = (a: number[], b: number[]) => ({ inputs: [draw(a, 1), draw(b, 2)], attrs: {} });
  return {
    points: [
      point([2, 3], [2, 3]),
      point([2, 3], [3]),
      point([2, 1], [1, 3]),
      point([], [2, 3]),
      point([4, 1, 3], [2, 1]),
    ],
    edges: [{ ...edge, attrs: {} }],
  };
}

const anywhere = (shape: number[], seed: number) => between(-2, 2, shape, seed);

/** No element of one operand comes near an element of the other. */
function apart(shape: number[], seed: 1 | 2): Numbers {
  const { data } = distinct(shape, seed);
  return { shape, data: data.map((x) => (seed === 1 ? x : x + 0.25)) };
}

/** A comparison of 1, 2, 3 with 2. */
function comparison(value: number[]): Sample<None> {
  return binary(apart, { inputs: [[1, 2, 3], 2], value, grads: [null, null] });
}

const { NEGATIVE_INFINITY, POSITIVE_INFINITY } = Number;
const { E, LN2 } = Math;
const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

export const unarySamples = {
  neg: unary(anywhere([3, 4], 1), [0, -2, 3], [0, 2, -3], [-1, -1, -1]),
  abs: unary(awayFromZero([3, 4]), [-2, 0, 3], [2, 0, 3], [-1, 0, 1]),
  exp: unary(anywhere([3, 4], 1), [0, 1, -800], [1, E, 0], [1, E, 0]),
  exp2: unary(anywhere([3, 4], 1), [0, 3, -1], [1, 8, 0.5], [LN2, 8 * LN2, 0.5 * LN2]),
  log: unary(between(0.2, 3, [3, 4]), [1, 0.5, 0], [0, -LN2, NEGATIVE_INFINITY], [1, 2, POSITIVE_INFINITY]),
  log2: unary(between(0.2, 3, [3, 4]), [8, 1, 0.5], [3, 0, -1], [1 / (8 * LN2), 1 / LN2, 2 / LN2]),
  sqrt: unary(between(0.2, 3, [3, 4]), [4, 0.25, 0], [2, 0.5, 0], [0.25, 1, POSITIVE_INFINITY]),
  square: unary(anywhere([3, 4], 1), [-3, 0], [9, 0], [-6, 0]),
  relu: unary(awayFromZero([3, 4]), [-1, 0, 2], [0, 0, 2], [0, 0, 1]),
  tanh: unary(anywhere([3, 4], 1), [0, 400, -400], [0, 1, -1], [1, 0, 0]),
  sigmoid: unary(anywhere([3, 4], 1), [0, 800, -800], [0.5, 1, 0], [0.25, 0, 0]),
  erf: unary(
    anywhere([3, 4], 1),
    [0, 1, -30],
    [0, 0.8427007929497149, -1],
    [TWO_OVER_ROOT_PI, TWO_OVER_ROOT_PI / E, 0],
  ),
  sign: unary(awayFromZero([3, 4]), [-3, 0, 2], [-1, 0, 1], null),
  roundHalfEven: rounding([0.5, 1.5, 2.5, -0.5, -1.5], [0, 2, 2, 0, -2]),
  trunc: rounding([1.9, -1.9, 0, 3], [1, -1, 0, 3]),
  floor: rounding([1.9, -1.1, 0, 2], [1, -2, 0, 2]),
  ceil: rounding([1.1, -1.9, 0, 2], [2, -1, 0, 2]),
};

export const binarySamples = {
  add: binary(anywhere, { inputs: [[1, 2], 3], value: [4, 5], grads: [[1, 1], 2] }),
  sub: binary(anywhere, { inputs: [[1, 2], 5], value: [-4, -3], grads: [[1, 1], -2] }),
  mul: binary(anywhere, {
    inputs: [shaped([2, 1], [0, 2]), shaped([1, 2], [5, 0])],
    value: shaped([2, 2], [0, 0, 10, 0]),
    grads: [shaped([2, 1], [5, 5]), shaped([1, 2], [2, 2])],
  }),
  div: binary(awayFromZero, {
    inputs: [shaped([2, 1], [1, 0]), [4, 2]],
    value: shaped([2, 2], [0.25, 0.5, 0, 0]),
    grads: [shaped([2, 1], [0.75, 0.75]), [-1 / 16, -1 / 4]],
  }),
  pow: binary((shape, seed) => (seed === 1 ? between(0.2, 3, shape, 1) : anywhere(shape, 2)), {
    inputs: [
      [2, 0, -2, 0, 5, -3],
      [3, 2, 2, 0, 0, -1],
    ],
    value: [8, 0, 4, 1, 1, -1 / 3],
    grads: [
      [12, 0, -4, 0, 0, -1 / 9],
      [8 * LN2, 0, NaN, 0, Math.log(5), NaN],
    ],
  }),
  minimum: binary(apart, { inputs: [[1, 2, 3], 2], value: [1, 2, 2], grads: [[1, 1, 0], 1] }),
  maximum: binary(apart, { inputs: [[1, 2, 3], 2], value: [2, 2, 3], grads: [[0, 1, 1], 1] }),
  equal: comparison([0, 1, 0]),
  less: comparison([1, 0, 0]),
  lessEqual: comparison([1, 1, 0]),
  greater: comparison([0, 0, 1]),
  greaterEqual: comparison([0, 1, 1]),
};

const where: Sample<None> = {
  points: [
    { inputs: [[1, 0, 1], anywhere([2, 3], 1), anywhere([2, 3], 2)], attrs: {} },
    { inputs: [shaped([2, 1], [1, 0]), anywhere([3], 1), anywhere([], 2)], attrs: {} },
  ],
  edges: [
    {
      inputs: [[1, 0, -2, 0], [1, 2, 3, 4], 5],
      attrs: {},
      value: [1, 5, 3, 5],
      grads: [null, [1, 0, 1, 0], 2],
    },
  ],
};

export const selectSamples = { where };
