import { BackendError } from '../../tensor/errors.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import type { Accumulator, IntegerBound } from '../fast.js';
import type { Content } from './content.js';
import { type Operand, operand } from './map.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, divide, input, kernelSource, loop, times } from './source.js';

/**
 * Integer weights that fit their accumulator, exactly, though kernels compute in float32. Of each sign, the weights up
 * to a cut are kept, the one there is reduced, those behind it are 0 (see the reference backend): one thread a row
 * finds both cuts if the row does not fit, then each weight learns what is left of it.
 * α and b are the sums of positive and of |negative| weights.
 */

/** Sums stay below 2²⁴, where float32 holds integers, if what the register admits of either sign is at most this. */
const MOST = 2 ** 22;

/** A register in terms that float32 holds. */
interface Rules {
  /** Whether `positives` and `negatives`, α and b, fit: an expression. */
  readonly fits: string;
  /** Statements that declare `room`: what more fits beside them of a positive (negative) weight. */
  readonly above: string;
  readonly below: string;
}

export function accumulatorKernels(runtime: Runtime): Pick<RequiredKernels, 'fitAccumulator'> {
  return {
    fitAccumulator(q: View, { accumulator }: IntegerBound): View {
      if (sizeOf(q.shape) === 0) return runtime.result(runtime.filled(0, 0), q.shape);
      const rules = rulesOf(runtime.name, accumulator);
      const from = operand(runtime, q);
      const sums = ['x > 0', 'x < 0'].map((sign) => rowSums(runtime, q.shape, from, sign));
      const cuts = runtime.run(cutSource(q.shape, from, rules), q.shape[0] * 4, [from.content, ...sums], [], 4);
      const kept = runtime.run(keptSource(q.shape, from), sizeOf(q.shape), [from.content, cuts]);
      for (const each of [...sums, cuts]) each.release();
      return runtime.result(kept, q.shape);
    },
  };
}

/** Σ|x| of each row over the elements that have a sign. */
function rowSums(runtime: Runtime, shape: Shape, from: Operand, sign: string): Content {
  const term = ([value]: readonly string[]) => `const x = ${value};\nlet v = 0;\nif (${sign}) { v = Math.abs(x); }`;
  return reduceTerms(runtime, 'sum', shape, [from], [1], { term });
}

/** @throws BackendError for a register whose sums float32 cannot count, or inputs of no integer format */
function rulesOf(name: string, { bits, low, high }: Accumulator): Rules {
  const refusal = (why: string) =>
    new BackendError(name, `a register of ${bits} bits on inputs of ${low} … ${high} ${why}`);
  const half = 2 ** (bits - 1);
  const isUnsigned = low === 0 && high > 0;
  if (!isUnsigned && (low !== -high - 1 || half < -low)) {
    throw refusal('is not supported; inputs are unsigned, or in two’s complement and narrower than the register');
  }
  if (half / (isUnsigned ? high : -low) > MOST) {
    throw refusal('admits weights whose sums float32 cannot count; use backend wasm');
  }
  return isUnsigned ? unsignedRules(half, high) : signedRules(half, high);
}

/** `d·α ≤ 2^(P−1) − 1` and `d·b ≤ 2^(P−1)`. */
function unsignedRules(half: number, d: number): Rules {
  const [above, below] = [half - 1, half].map((room) => Math.floor(room / d));
  return {
    fits: `positives <= ${above} && negatives <= ${below}`,
    above: `const room = ${above} - positives;`,
    below: `const room = ${below} - negatives;`,
  };
}

/**
 * Inputs −c … d where c = d + 1 is a power of two: `d·α + c·b < 2^(P−1)` and `c·α + d·b ≤ 2^(P−1)` say of
 * `past` = α + b − 2^(P−1)/c that `c·past < α` and `c·past ≤ b`, where nothing is large.
 */
function signedRules(half: number, d: number): Rules {
  const c = d + 1;
  const excess = `positives + negatives - ${half / c}`;
  /** Of a weight x one says c·(past + x) < or ≤ the sum of the other sign, the other one d·x ≤ own − c·past. */
  const room = (own: string, other: string) => {
    if (d === 0) return `const past = ${excess};\nconst room = ${other};`;
    return `const past = ${excess};
const free = Math.max(-past, 0);
const rest = ${own} + free - Math.max(past, 0) * ${c};
${divide('rest', d, 'times', 'remainder')}const room = Math.min(${other}, free + times);`;
  };
  return {
    fits: `(${excess}) * ${c} < positives && (${excess}) * ${c} <= negatives`,
    above: room('positives - 1', `Math.floor(negatives / ${c}) - past`),
    below: room('negatives', `Math.ceil(positives / ${c}) - 1 - past`),
  };
}

/** For each row: where its positive weights are cut and what is left there, then its negative ones; K for no cut. */
function cutSource([, length]: Shape, from: Operand, { fits, above, below }: Rules): string {
  const step = `if (isOpen > 0) {
const w = ${input(0)}[${address(from, ['i', 'k'])}];
if (w > 0 && cutAbove == ${length}) {
${above}
if (w > room) { cutAbove = k; leftAbove = room; positives = positives + room; }
if (w <= room) { positives = positives + w; }
}
if (w < 0 && cutBelow == ${length}) {
${below}
if (-w > room) { cutBelow = k; leftBelow = room; negatives = negatives + room; }
if (-w <= room) { negatives = negatives - w; }
}
}`;
  const body = `let positives = ${input(1)}[this.thread.x];
let negatives = ${input(2)}[this.thread.x];
let isOpen = 1;
if (positives <= ${2 * MOST} && negatives <= ${2 * MOST} && ${fits}) { isOpen = 0; }
positives = 0;
negatives = 0;
let cutAbove = ${length};
let leftAbove = 0;
let cutBelow = ${length};
let leftBelow = 0;
${loop('k', length, step)}
return [cutAbove, leftAbove, cutBelow, leftBelow];`;
  return kernelSource(3, 0, body);
}

/** Each weight, the rest at its row's cut, or 0 behind it. */
function keptSource(shape: Shape, from: Operand): string {
  const { code, at } = coordinates('i', shape, 'c');
  const cuts = `${input(1)}[${times(at[0], 4)} + `;
  return kernelSource(
    2,
    0,
    `${code}const w = ${input(0)}[${address(from, at)}];
const k = ${at[1]};
let side = 0;
if (w < 0) { side = 2; }
const cut = ${cuts}side];
const left = ${cuts}side + 1];
let y = w;
if (w > 0 || w < 0) {
if (k == cut) { y = left; if (w < 0) { y = -left; } }
if (k > cut) { y = 0; }
}
return y;`,
  );
}
