import { reducedShape, type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { ReduceOp } from '../backend.js';
import type { Content } from './content.js';
import { mergeAxes } from './layout.js';
import { type Operand, operand, whole } from './map.js';
import type { Runtime } from './runtime.js';
import { type Access, address, coordinates, input, kernelSource } from './source.js';

/** Most numbers one thread combines. Longer reductions go in stages: sums do not drift, long rows use many threads. */
const STAGE = 256;

/** What goes into a reduction: statements that declare `v` from the operands' elements. */
export type Term = (values: readonly string[]) => string;

export interface Reduction {
  /** The elements of the first operand themselves unless given. */
  readonly term?: Term;
  /** A literal below all terms of a maximum; without it a maximum starts from the first operand's first element. */
  readonly start?: string;
  /** What happens to the results of a stage before the next one and at the end. Takes the content over. */
  readonly between?: (content: Content) => Content;
}

const itself: Term = ([x]) => `const v = ${x};`;

/** Combines `term` of the operands over `axes` of `shape`; the result is row-major, of at least one element each. */
export function reduceTerms(
  runtime: Runtime,
  op: ReduceOp,
  shape: Shape,
  operands: readonly Operand[],
  axes: readonly number[],
  { term = itself, start, between = (content) => content }: Reduction = {},
): Content {
  const { shape: extents, accesses, kinds } = mergeAxes(shape, operands, (axis) => (axes.includes(axis) ? 1 : 0));
  const reduced = extents.map((_, axis) => axis).filter((axis) => kinds[axis] === 1);
  const plan = nextStage(extents, reduced);
  const kept = extents.map((_, axis) => axis).filter((axis) => !plan.axes.includes(axis));
  const { split } = plan;
  const outer = [...kept.map((axis) => extents[axis]), ...(split ? [split.parts] : [])];
  const source = stageSource(op, extents, accesses, kept, plan, outer, term, start);
  runtime.checkLength(sizeOf(outer));
  const combined = runtime.run(
    source,
    sizeOf(outer),
    operands.map((each) => each.content),
  );
  const content = between(combined);
  const left = kept.flatMap((axis, position) => (kinds[axis] === 1 ? [position] : []));
  if (split) left.push(outer.length - 1);
  if (left.length === 0) return content;
  const rest = reduceTerms(runtime, op, outer, [whole(content, outer)], left, { between });
  content.release();
  return rest;
}

interface Stage {
  /** Axes this stage combines, innermost last; the first of them may be split into parts. */
  readonly axes: readonly number[];
  readonly split: { readonly axis: number; readonly size: number; readonly parts: number } | null;
}

/** Whole axes from the innermost outwards while they fit, or a part of the innermost one. */
function nextStage(extents: Shape, reduced: readonly number[]): Stage {
  const axes: number[] = [];
  let count = 1;
  for (const axis of [...reduced].reverse()) {
    if (count * extents[axis] > STAGE) break;
    count *= extents[axis];
    axes.unshift(axis);
  }
  if (axes.length > 0 || reduced.length === 0) return { axes, split: null };
  const axis = reduced[reduced.length - 1];
  const parts = Math.ceil(extents[axis] / STAGE);
  const size = Math.ceil(extents[axis] / parts);
  return { axes: [axis], split: { axis, size, parts: Math.ceil(extents[axis] / size) } };
}

function stageSource(
  op: ReduceOp,
  extents: Shape,
  accesses: readonly Access[],
  kept: readonly number[],
  { axes, split }: Stage,
  outer: Shape,
  term: Term,
  lowest: string | undefined,
): string {
  const { code, at } = coordinates('i', outer, 'c');
  const place = extents.map((_, axis) => {
    if (axes.includes(axis)) return split ? 'along' : `r${axis}`;
    return at[kept.indexOf(axis)];
  });
  const values = accesses.map((_, n) => `x${n}`);
  const load = (places: readonly string[]) =>
    accesses.map((access, n) => `const ${values[n]} = ${input(n)}[${address(access, places)}];`).join('\n');
  const combine = op === 'sum' ? 's = s + v;' : 'if (v > s || !(v == v)) { s = v; }';
  let inner = `${load(place)}\n${term(values)}\n${combine}`;
  if (split) {
    const start = `${at[at.length - 1]} * ${split.size}`;
    inner = `const along = r${split.axis} + ${start};\nif (along < ${extents[split.axis]}) {\n${inner}\n}`;
  }
  for (const axis of [...axes].reverse()) {
    const extent = split ? split.size : extents[axis];
    inner = `for (let r${axis} = 0; r${axis} < ${extent}; r${axis}++) {\n${inner}\n}`;
  }
  // A maximum starts from its first element: no literal is below all numbers.
  const first = place.map((coordinate, axis) => {
    if (!axes.includes(axis)) return coordinate;
    return split ? `${at[at.length - 1]} * ${split.size}` : '0';
  });
  const start = op === 'sum' ? 'let s = 0;' : `let s = ${lowest ?? `${input(0)}[${address(accesses[0], first)}]`};`;
  return kernelSource(accesses.length, 0, `${code}${start}\n${inner}\nreturn s;`);
}

export function reductionKernels(runtime: Runtime) {
  return {
    reduce(op: ReduceOp, x: View, axes: readonly number[]) {
      const shape = reducedShape(x.shape, axes);
      const length = sizeOf(shape);
      if (length > 0 && sizeOf(x.shape) === 0) {
        return runtime.result(runtime.filled(length, op === 'sum' ? 0 : Number.NEGATIVE_INFINITY), shape);
      }
      return runtime.result(reduceTerms(runtime, op, x.shape, [operand(runtime, x)], axes), shape);
    },
  };
}
