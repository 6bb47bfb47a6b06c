import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { FastRows } from '../fast.js';
import type { Content } from './content.js';
import { constant, map, type Operand, operand, whole } from './map.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';

/**
 * The k-th smallest element, bit by bit: the largest number below which there are fewer than k elements. Exponent
 * first, then mantissa, each bit is tried and kept if the count allows it, so it takes as many passes as a number has
 * bits, whatever k is. Where k is close to an end, taking elements away one by one is shorter: that is the composition.
 */

/** Elements that are sooner taken away than searched. */
const FEW = 8;

/** Steps of the exponent from the smallest denormal, 2⁻¹⁴⁹, up to infinity, 2¹²⁸; then of the mantissa from 1. */
const LOWEST = -149;
const EXPONENTS = [256, 128, 64, 32, 16, 8, 4, 2, 1];
const MANTISSAS = Array.from({ length: 23 }, (_, n) => 2 ** -(n + 1));

/** Powers of two that a number is scaled by, one after the other, to reach any exponent. */
const SCALES = [64, 64, 32, 16, 8, 4, 2, 1];

/** Statements that declare `t` = mantissa·2^exponent. Nothing is left out on the way: what overflows is infinite. */
function scaled(mantissa: string, exponent: string): string {
  const steps = SCALES.map(
    (n) => `if (rest >= ${n}) { t = t * ${2 ** n}; rest = rest - ${n}; }
if (rest <= -${n}) { t = t * ${2 ** -n}; rest = rest + ${n}; }
`,
  );
  return `let t = ${mantissa};
let rest = ${exponent};
${steps.join('')}`;
}

export function selectionKernels(runtime: Runtime) {
  const ONE = [1] as const;
  const single = (content: Content): Operand => whole(content, ONE);
  /** A number on the device, read the same everywhere. */
  const everywhere = (content: Content, shape: readonly number[]): Operand => ({
    content,
    strides: shape.map(() => 0),
    offset: 0,
  });
  const compute = (
    operands: readonly Content[],
    body: (values: readonly string[], scalars: readonly string[]) => string,
    scalars: readonly number[] = [],
  ) => map(runtime, ONE, operands.map(single), body, scalars);

  /** Elements times `sign` that are below `limit`. */
  const below = (x: View, sign: Content, limit: Content): Content => {
    const operands = [operand(runtime, x), everywhere(sign, x.shape), everywhere(limit, x.shape)];
    const axes = x.shape.map((_, axis) => axis);
    const term = ([value, s, t]: readonly string[]) => `let v = 0;\nif (${value} * ${s} < ${t}) { v = 1; }`;
    return reduceTerms(runtime, 'sum', x.shape, operands, axes, { term });
  };

  /** Elements that are numbers. */
  const numbers = (x: View): Content => {
    const axes = x.shape.map((_, axis) => axis);
    const term = ([value]: readonly string[]) => `let v = 0;\nif (${value} == ${value}) { v = 1; }`;
    return reduceTerms(runtime, 'sum', x.shape, [operand(runtime, x)], axes, { term });
  };

  const free = (...contents: readonly Content[]) => {
    for (const each of contents) each.release();
  };

  /**
   * The value, `[1]`: that of rank `k`, or of the same rank from above among the negatives, turned around; NaN if there
   * are fewer numbers.
   */
  const value = (x: View, k: number): Content => {
    const [plus, zero, nothing] = [runtime.filled(1, 1), runtime.filled(1, 0), runtime.filled(1, Number.NaN)];
    const count = numbers(x);
    const negatives = below(x, plus, zero);
    const sign = compute([negatives], ([n], [rank]) => `let y = 1;\nif (${n} >= ${rank}) { y = -1; }\nreturn y;`, [k]);
    const ranked = ([s, n]: readonly string[], [up]: readonly string[]) =>
      `let y = ${up};\nif (${s} < 0) { y = ${n} - ${up} + 1; }\nreturn y;`;
    const rank = compute([sign, count], ranked, [k]);
    /** Whether the element sought is at least `limit`: a 1 or a 0. */
    const reaches = (limit: Content): Content => {
      const count = below(x, sign, limit);
      const reached = compute([count, rank], ([n, r]) => `let y = 0;\nif (${n} < ${r}) { y = 1; }\nreturn y;`);
      count.release();
      return reached;
    };
    const limitOf = (mantissa: Content, exponent: Content, more: number, higher: number): Content =>
      compute(
        [mantissa, exponent],
        ([m, e], [dm, de]) =>
          `const tried = ${m} + ${dm};\nconst power = ${e} + ${de};\n${scaled('tried', 'power')}return t;`,
        [more, higher],
      );
    const kept = (number: Content, reached: Content, step: number): Content => {
      const next = compute([number, reached], ([y, r], [d]) => `return ${y} + ${r} * ${d};`, [step]);
      free(number, reached);
      return next;
    };

    let exponent = runtime.filled(1, LOWEST);
    const unit = runtime.filled(1, 1);
    const smallest = limitOf(unit, exponent, 0, 0);
    // With a mantissa of 0 the number is 0, and nothing that is added later is reached.
    let mantissa = reaches(smallest);
    for (const step of EXPONENTS) {
      const limit = limitOf(unit, exponent, 0, step);
      exponent = kept(exponent, reaches(limit), step);
      limit.release();
    }
    for (const step of MANTISSAS) {
      const limit = limitOf(mantissa, exponent, step, 0);
      mantissa = kept(mantissa, reaches(limit), step);
      limit.release();
    }
    const turned = ([m, e, s, n, none]: readonly string[], [least]: readonly string[]) =>
      `${scaled(m, e)}t = t * ${s};\nif (${n} < ${least}) { t = ${none}; }\nreturn t;`;
    const found = compute([mantissa, exponent, sign, count, nothing], turned, [k]);
    free(plus, zero, nothing, count, negatives, sign, rank, unit, smallest, mantissa, exponent);
    return found;
  };

  /** Position of the first element equal to a number, `[1]`. */
  const positionOf = (x: View, number: Content): Content => {
    const size = sizeOf(x.shape);
    const operands = [operand(runtime, x), everywhere(number, x.shape)];
    const marks = map(
      runtime,
      x.shape,
      operands,
      ([v, n]) => `let y = -${size};
if (${v} == ${n} || (!(${v} == ${v}) && !(${n} == ${n}))) { y = -this.thread.x; }
return y;`,
    );
    const first = reduceTerms(runtime, 'max', [size], [whole(marks, [size])], [0]);
    const position = compute([first], ([y]) => `return -${y};`);
    free(marks, first);
    return position;
  };

  const isNearAnEnd = (x: View, k: number) => Math.min(k - 1, sizeOf(x.shape) - k) <= FEW;

  const gradient = (g: View, x: View, k: number): View => {
    const found = value(x, k);
    const position = positionOf(x, found);
    const body = ([slope, at]: readonly string[]) =>
      `let y = 0;\nif (this.thread.x == ${at}) { y = ${slope}; }\nreturn y;`;
    const operands = [constant(runtime, g, x.shape), everywhere(position, x.shape)];
    const spread = map(runtime, x.shape, operands, body);
    free(found, position);
    return runtime.result(spread, x.shape);
  };

  return {
    kthSmallest: {
      value: ([x], { k }) => (isNearAnEnd(x, k) ? null : runtime.result(value(x, k), [])),
      vjp: [(g, s) => (isNearAnEnd(s.input(0), s.attrs.k) ? null : gradient(g, s.input(0), s.attrs.k))],
    },
  } satisfies FastRows;
}
