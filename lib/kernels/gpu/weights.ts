import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { AccumulatorBound } from '../fast.js';
import type { Content } from './content.js';
import { map, type Operand, operand } from './map.js';
import { reduceTerms, type Term } from './reduction.js';
import type { Runtime } from './runtime.js';
import { literal } from './source.js';

/** Statements from the operands `w, mean, l1, norm`: the pre-scale `p`, `u = v/p`, its truncation `t` and `clipped`. */
function truncated([w, mean, l1, norm]: readonly string[], { limit }: AccumulatorBound): string {
  return `const centred = Math.fround(${w} - ${mean});
let p = Math.fround(${l1} / ${norm});
if (p < 1e-10) { p = 1e-10; }
const u = Math.fround(centred / p);
let t = Math.floor(u);
if (u < 0) { t = Math.ceil(u); }
let clipped = t;
if (clipped < ${literal(-limit)}) { clipped = ${literal(-limit)}; }
if (clipped > ${literal(limit)}) { clipped = ${literal(limit)}; }
`;
}

/** Accumulator-aware weights (A2Q, A2Q+), a row a channel: a few sums over rows, then one kernel over all elements. */
export function weightKernels(runtime: Runtime) {
  /** A number per row, read along rows. */
  const perRow = (content: Content): Operand => ({ content, strides: [1, 0], offset: 0 });
  const column = (view: View): Operand => ({ ...operand(runtime, view), strides: [view.strides[0], 0] });
  const rowSums = (shape: Shape, operands: readonly Operand[], term: Term) =>
    shape[1] === 0 ? runtime.filled(shape[0], 0) : reduceTerms(runtime, 'sum', shape, operands, [1], { term });
  const mean = ([rows, count]: Shape, sums: Content): Content =>
    map(runtime, [rows], [{ content: sums, strides: [1], offset: 0 }], ([s], [n]) => `return ${s} / ${n};`, [count]);

  /** Runs `work` with the channel means (zeros where they stay) and ‖v‖₁, and frees both. */
  const withRows = <T>(w: View, { centred }: AccumulatorBound, work: (means: Operand, l1: Operand) => T): T => {
    const from = operand(runtime, w);
    const sums = centred ? rowSums(w.shape, [from], ([x]) => `const v = ${x};`) : null;
    const means = sums ? mean(w.shape, sums) : runtime.filled(w.shape[0], 0);
    sums?.release();
    const l1 = rowSums(w.shape, [from, perRow(means)], ([x, m]) => `const v = Math.abs(${x} - ${m});`);
    const result = work(perRow(means), perRow(l1));
    means.release();
    l1.release();
    return result;
  };

  return {
    /** `clip(trunc(v/p), −Q, Q)` with `p = max(‖v‖₁/r, 1e-10)`: of `w [O, K]` and `norm` r `[O, 1]`. */
    integers: (w: View, norm: View, bound: AccumulatorBound): View =>
      withRows(w, bound, (means, l1) => {
        const operands = [operand(runtime, w), means, l1, column(norm)];
        const body = (x: readonly string[]) => `${truncated(x, bound)}return clipped;`;
        return runtime.result(map(runtime, w.shape, operands, body), w.shape);
      }),

    /** Its straight-through gradients. */
    boundWeightsGrad: (g: View, w: View, norm: View, scale: View, bound: AccumulatorBound) =>
      withRows(w, bound, (means, l1) => {
        const [rows] = w.shape;
        const operands = [operand(runtime, w), means, l1, column(norm), column(scale), operand(runtime, g)];
        const passed = (x: readonly string[]) => `${truncated(x, bound)}let passed = 0;
if (Math.abs(t) <= ${literal(bound.limit)}) { passed = ${x[5]} * ${x[4]}; }
`;
        const toScale = rowSums(w.shape, operands, (x) => `${truncated(x, bound)}const v = ${x[5]} * clipped;`);
        const slope = rowSums(w.shape, operands, (x) => `${passed(x)}const v = passed * u;`);
        // dp of the pre-scale p, by the two rules it enters: of every u, and of ‖v‖₁ through the norm.
        const toNorm = map(
          runtime,
          [rows],
          [perRow(slope), l1, column(norm)].map((each) => ({ ...each, strides: [each.strides[0]] })),
          ([a, l, r]) => `let p = ${l} / ${r};
if (p < 1e-10) { p = 1e-10; }
return ${a} / p * ${l} / (${r} * ${r});`,
        );
        const toWeight = map(
          runtime,
          w.shape,
          [...operands, perRow(slope)],
          (x) => `${passed(x)}let direction = 0;
if (centred > 0) { direction = 1; }
if (centred < 0) { direction = -1; }
return passed / p - direction * (${x[6]} / p / ${x[3]});`,
        );
        slope.release();
        return {
          w: runtime.result(bound.centred ? centredRows(w.shape, toWeight) : toWeight, w.shape),
          norm: runtime.result(toNorm, norm.shape),
          scale: runtime.result(toScale, scale.shape),
        };
      }),
  };

  /** The same rows less their means. Takes the content over. */
  function centredRows(shape: Shape, content: Content): Content {
    const rows = { content, strides: [shape[1], 1], offset: 0 };
    const sums = rowSums(shape, [rows], ([x]) => `const v = ${x};`);
    const means = mean(shape, sums);
    const centred = map(runtime, shape, [rows, perRow(means)], ([x, m]) => `return ${x} - ${m};`);
    for (const each of [content, sums, means]) each.release();
    return centred;
  }
}
