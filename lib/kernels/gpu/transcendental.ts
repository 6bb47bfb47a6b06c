import { literal } from './source.js';

/**
 * Exponentials and logarithms from sums, products and quotients alone: right to a unit or two in the last place, and
 * the same number in every mode. Those of GPUs are off by ten units and more, enough to move a scale and with it a
 * rounding, and no two agree. Zero, infinity and NaN are handled apart, since their literals and comparisons differ.
 */

/** Taylor coefficients of (eʳ − 1 − r − r²/2)/r³, up to r⁸ of eʳ; what is left is below 2·10⁻¹⁰ for |r| ≤ ½·ln 2. */
const COEFFICIENTS = [1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6];

/** Multiplies by the polynomial's variable and adds, from the highest coefficient down. */
function horner(variable: string, coefficients: readonly number[]): string {
  const [highest, ...others] = coefficients.map((coefficient) => literal(coefficient));
  return others.reduce((sum, coefficient) => `(${sum} * ${variable} + ${coefficient})`, highest);
}

/**
 * Statements that declare `y` = eʳ·2ⁿ for |r| ≤ ½·ln 2 and whole n, from r = `head` + `rest` with `head` a multiple of
 * 2⁻¹². Then 1 + head and head²/2 are exact and their sum's rounding error is known, so that the result is the nearest
 * float32 but for one case in a hundred: a power-of-two scale of the log domain has to be the one others compute.
 */
function assemble(n: string): string {
  const halving = (sign: string, base: number) =>
    [64, 64, 32, 16, 8, 4, 2, 1]
      .map((bit) => `if (${sign} >= ${bit}) { y = y * ${base ** bit}; ${sign} = ${sign} - ${bit}; }\n`)
      .join('');
  return `const r = head + rest;
const square = head * head * 0.5;
const sum = 1 + head + square;
const lost = square - (sum - (1 + head));
const tail = rest + head * rest + 0.5 * rest * rest + r * r * r * ${horner('r', COEFFICIENTS)};
let y = sum + (lost + tail);
let up = ${n};
let down = -${n};
${halving('up', 2)}${halving('down', 0.5)}`;
}

/** Statements that declare `z`, the number `x` held within `low … high`; NaN stays. */
function clamp(x: string, low: number, high: number): string {
  return `let z = ${x};\nif (z > ${high}) { z = ${high}; }\nif (z < ${low}) { z = ${low}; }\n`;
}

/** Statements that declare `y` = eˣ: 0 and ∞ at the ends, NaN of NaN. */
export function exponential(x: string): string {
  // ln 2 in two parts, the first short enough that its product with n is exact.
  return `${clamp(x, -104, 104)}const n = Math.floor(z * ${Math.LOG2E} + 0.5);
const d = z - n * 0.693359375;
const head = Math.floor(d * 4096 + 0.5) / 4096;
const rest = d - head + n * 0.00021219444005469058;
${assemble('n')}if (!(${x} == ${x})) { y = ${x}; }
`;
}

/** Statements that declare `y` = 2ˣ, exact for whole numbers: 0 and ∞ at the ends, NaN of NaN. */
export function powerOfTwo(x: string): string {
  return `${clamp(x, -151, 151)}const n = Math.floor(z + 0.5);
const f = z - n;
const coarse = Math.floor(f * 4096 + 0.5) / 4096;
const head = Math.floor(f * ${2839 / 4096} * 4096 + 0.5) / 4096;
const rest = coarse * ${2839 / 4096} - head + (coarse * ${Math.LN2 - 2839 / 4096} + (f - coarse) * ${Math.LN2});
${assemble('n')}if (!(${x} == ${x})) { y = ${x}; }
`;
}

/** Statements that declare `y` = tanh x: the odd polynomial of Cephes' `tanhf` near 0, `1 − 2/(e²ˣ + 1)` elsewhere. */
export function hyperbolicTangent(x: string): string {
  const near = [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1];
  return `const twice = 2 * Math.abs(${x});
${exponential('twice')}y = 1 - 2 / (y + 1);
if (${x} < 0) { y = -y; }
if (Math.abs(${x}) < 0.625) {
const power = ${x} * ${x};
y = ${x} + ${x} * power * ${horner('power', near)};
}
`;
}

const BITS = [64, 64, 32, 16, 8, 4, 2, 1];

/**
 * Statements that declare `exponent` and `y` with ln x = exponent·ln 2 + y, |y| ≤ ½·ln 2. With m·2ᵉ = x and
 * s = (m − 1)/(m + 1), ln m = 2·artanh s = 2s·(1 + s²/3 + s⁴/5 + …).
 */
function splitLogarithm(x: string): string {
  const up = BITS.map((bit) => `if (m < ${2 ** (1 - bit)}) { m = m * ${2 ** bit}; exponent = exponent - ${bit}; }\n`);
  const down = BITS.map((bit) => `if (m >= ${2 ** bit}) { m = m * ${2 ** -bit}; exponent = exponent + ${bit}; }\n`);
  return `let m = ${x};
let exponent = 0;
${up.join('')}${down.join('')}const normalized = m;
if (m > ${Math.SQRT2}) { m = m * 0.5; exponent = exponent + 1; }
const s = (m - 1) / (m + 1);
const square = s * s;
let y = 2 * s * ${horner('square', [1 / 9, 1 / 7, 1 / 5, 1 / 3, 1])};
`;
}

/** Statements that mend `y` where `x` is no positive number: −∞ of 0, ∞ of ∞, NaN of NaN and of negative numbers. */
function mend(x: string): string {
  return `if (normalized > 4) { y = ${x}; }
if (${x} == 0) { y = -1 / Math.abs(${x}); }
if (${x} < 0) { y = Math.sqrt(${x}); }
if (!(${x} == ${x})) { y = ${x}; }
`;
}

/** Statements that declare `y` = ln x. */
export function logarithm(x: string): string {
  return `${splitLogarithm(x)}y = exponent * 0.693359375 + (y - exponent * 0.00021219444005469058);
${mend(x)}`;
}

/** Statements that declare `y` = log₂ x, exact for powers of two. */
export function binaryLogarithm(x: string): string {
  return `${splitLogarithm(x)}y = exponent + y * ${Math.LOG2E};
${mend(x)}`;
}

/** eˣ²·erfc x for 0.4 ≤ x ≤ 4 as a polynomial in 1/(1 + 0.4·x), fitted: erf is off by at most 1.5·10⁻¹⁰. */
const SCALED_ERFC = [
  ...[-0.22660619399411505, 0.8193326052313757, -0.5598911168360668, 0.6378685608752008],
  ...[0.0782239338802258, 0.2532371604642125, -0.0021719210473643003],
];

/** Statements that declare `y` = erf x: its series near 0, `1 − erfc x` elsewhere. */
export function errorFunction(x: string): string {
  const near = [-1 / 75600, 1 / 9360, -1 / 1320, 1 / 216, -1 / 42, 1 / 10, -1 / 3, 1];
  return `const power = ${x} * ${x};
const minus = -power;
const t = 1 / (1 + Math.abs(${x}) * 0.4);
${exponential('minus')}y = 1 - y * ${horner('t', SCALED_ERFC)};
if (${x} < 0) { y = -y; }
if (power < 0.25) { y = ${x} * ${literal(2 / Math.sqrt(Math.PI))} * ${horner('power', near)}; }
if (!(${x} == ${x})) { y = ${x}; }
`;
}

/** Statements that declare `y` = aᵇ as IEEE 754 has it: 1 for b = 0 or a = 1, NaN of negative a and b not whole. */
export function power(a: string, b: string): string {
  const log = binaryLogarithm('base').replace(/\b(y|square)\b/g, 'log_$1');
  return `const base = Math.abs(${a});
${log}const product = ${b} * log_y;
${powerOfTwo('product')}const halved = ${b} * 0.5;
if (${a} < 0) {
if (Math.floor(halved) != halved) { y = -y; }
if (Math.floor(${b}) != ${b}) { y = Math.sqrt(${a}); }
}
if (${b} == 0 || ${a} == 1) { y = 1; }
`;
}
