import type { Shape } from '../../tensor/shape.js';

/**
 * Text for kernels. Shapes, strides and offsets are written into the source as integer literals, so a source names its
 * op and its shapes, and is its own key in the cache of compiled kernels. As text it also survives minification.
 *
 * Kernels compute in float32, maybe dividing by reciprocals: `divide` corrects quotients, for indices exact below 2²⁴.
 */

/** How a kernel argument is read: the element at coordinates `c` is at `offset + Σ c·strides`. */
export interface Access {
  readonly strides: readonly number[];
  readonly offset: number;
}

const ARGUMENTS = 'abcdefg';

/** The name of the n-th array argument. */
export const input = (n: number): string => ARGUMENTS[n];

/** The name of the n-th scalar argument. */
export const scalar = (n: number): string => `scalar${n}`;

/** A kernel over `inputs` arrays and `scalars` numbers; `body` reads the position of its result from `i`. */
export function kernelSource(inputs: number, scalars: number, body: string): string {
  const names = [
    ...Array.from({ length: inputs }, (_, n) => input(n)),
    ...Array.from({ length: scalars }, (_, n) => scalar(n)),
  ];
  return `function (${names.join(', ')}) {\nconst i = this.thread.x;\n${body}\n}`;
}

/** Statements that declare `quotient` and `remainder` of the whole number `value` by `divisor`, exactly. */
export function divide(value: string, divisor: number, quotient: string, remainder: string): string {
  const estimate = `let ${quotient} = Math.floor(${value} / ${divisor});
let ${remainder} = ${value} - ${quotient} * ${divisor};
`;
  if ((divisor & (divisor - 1)) === 0) return estimate;
  return `${estimate}if (${remainder} < 0) { ${quotient} = ${quotient} - 1; ${remainder} = ${remainder} + ${divisor}; }
if (${remainder} >= ${divisor}) { ${quotient} = ${quotient} + 1; ${remainder} = ${remainder} - ${divisor}; }
`;
}

/** Statements that split a row-major index into coordinates, and the name (or number) of each coordinate. */
export function coordinates(index: string, shape: Shape, prefix: string): { code: string; at: string[] } {
  const at = new Array<string>(shape.length).fill('0');
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  let code = '';
  let rest = index;
  for (const axis of axes.reverse()) {
    if (axis === axes.at(-1)) {
      at[axis] = rest;
      break;
    }
    const [quotient, remainder] = [`${prefix}q${axis}`, `${prefix}${axis}`];
    code += divide(rest, shape[axis], quotient, remainder);
    at[axis] = remainder;
    rest = quotient;
  }
  return { code, at };
}

/** The expression for where an element lies. */
export function address({ strides, offset }: Access, at: readonly string[]): string {
  const terms = at
    .map((coordinate, axis) => ({ coordinate, stride: strides[axis] }))
    .filter(({ coordinate, stride }) => coordinate !== '0' && stride !== 0)
    .map(({ coordinate, stride }) => times(coordinate, stride));
  if (offset !== 0 || terms.length === 0) terms.push(`${offset}`);
  return terms.join(' + ').replaceAll('+ -', '- ');
}

/** `coordinate · factor`, without a product by one. */
export function times(coordinate: string, factor: number): string {
  return factor === 1 ? coordinate : `${coordinate} * ${factor}`;
}

/** A number as a literal that every dialect reads as written; negative ones in parentheses. */
export function literal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be written into a kernel`);
  return value < 0 || Object.is(value, -0) ? `(${value})` : `${value}`;
}

/** A name plus a whole number. */
export function shifted(name: string, offset: number): string {
  if (offset === 0) return name;
  return offset > 0 ? `${name} + ${offset}` : `${name} - ${-offset}`;
}

/** A loop over `name` below `count`. */
export function loop(name: string, count: number, body: string): string {
  return `for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body}\n}`;
}
