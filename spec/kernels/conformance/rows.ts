import { differentiate, evaluate, type Row } from '../../../lib/autograd/row.js';
import type { Backend } from '../../../lib/kernels/backend.js';
import type { FastRow, FastRows, Saved } from '../../../lib/kernels/fast.js';
import type { View } from '../../../lib/tensor/view.js';
import type { NumberArray } from '../../oracle.js';
import type { Comparison } from '../../tolerances.js';
import { compare, type Results, type Subject } from './subject.js';

/** What should come out, by name in the order of the row's outputs or arguments. */
export type Wanted = Readonly<Record<string, NumberArray>>;

/** What a row is given: operands, attributes and, for its gradients, the outputs that they read. */
export interface Given<A> {
  readonly row: Row<A>;
  readonly inputs: readonly View[];
  readonly attrs: A;
  readonly outputs?: readonly View[];
}

/** Runs `work` while the backend offers no fast path, so that what runs is composed all the way down. */
export function composed<Result>(backend: Backend, work: () => Result): Result {
  const { fast } = backend;
  if (fast === undefined) return work();
  Object.assign(backend, { fast: undefined });
  try {
    return work();
  } finally {
    Object.assign(backend, { fast });
  }
}

function fastPath<A>(backend: Backend, row: Row<A>): FastRow<A> | undefined {
  return row.fast && (backend.fast?.[row.name as keyof FastRows] as FastRow<A> | undefined);
}

/** The outputs by the backend's fast path alone; null where there is none or it declines. */
export function ownValue<A>(backend: Backend, { row, inputs, attrs }: Given<A>): readonly View[] | null {
  const result = fastPath(backend, row)?.value?.(inputs, attrs) ?? null;
  return result !== null && 'storage' in result ? [result] : result;
}

/** The outputs by the composition. */
export function composedValue<A>(backend: Backend, { row, inputs, attrs }: Given<A>): readonly View[] {
  return composed(backend, () => evaluate(row, inputs, attrs));
}

/** The gradient to each argument by the backend's fast path alone; null for those it declines, or has no rule for. */
export function ownGradient<A>(backend: Backend, given: Given<A>, g: View): readonly (View | null)[] {
  const { row, inputs } = given;
  const vjp = fastPath(backend, row)?.vjp;
  if (typeof vjp === 'function') return vjp(g, savedOf(given)) ?? inputs.map(() => null);
  return inputs.map((_, i) => vjp?.[i]?.(g, savedOf(given)) ?? null);
}

/** The gradient to each argument by the composition. */
export function composedGradient<A>(backend: Backend, given: Given<A>, g: View): readonly (View | null)[] {
  const everything = given.inputs.map(() => true);
  return composed(backend, () => differentiate(given.row, g, savedOf(given), everything));
}

/** What gradient rules may look at, as the tape has it: reading what the row does not declare is an error. */
function savedOf<A>({ row, inputs, attrs, outputs = [] }: Given<A>): Saved<A> {
  const declared = <Key extends number | `output${string}`>(key: Key, view: View | undefined): View => {
    if (view && row.saves?.some((each) => each === key)) return view;
    throw new Error(`${row.name}: the rule reads ${key}, which is not saved or not given`);
  };
  return {
    attrs,
    shapes: inputs.map(({ shape }) => shape),
    input: (i) => declared(i, inputs[i]),
    output: (i = 0) => declared(i === 0 ? 'output' : `output${i}`, outputs[i]),
  };
}

/** Results by the names of what is wanted; those that are null are left out. */
function named(want: Wanted, results: readonly (View | null)[]): Results {
  const names = Object.keys(want);
  if (results.length > names.length) throw new Error(`${results.length} results for ${names}`);
  return Object.fromEntries(results.flatMap((view, i) => (view ? [[names[i], view]] : [])));
}

/**
 * Holds a row's outputs to `want`, by the composition and by the fast path unless that declines; and both to each
 * other.
 */
export async function expectRow<A>(
  s: Subject,
  label: string,
  given: Given<A>,
  want: Wanted,
  comparison: Comparison,
): Promise<void> {
  const own = () => named(want, ownValue(s.backend, given) ?? []);
  const other = () => named(want, composedValue(s.backend, given));
  await expectBoth(s, label, own, other, want, comparison);
}

/** As `expectRow`, of the gradients to all arguments from that to the first output. */
export async function expectGradient<A>(
  s: Subject,
  label: string,
  given: Given<A>,
  g: View,
  want: Wanted,
  comparison: Comparison,
): Promise<void> {
  const own = () => named(want, ownGradient(s.backend, given, g));
  const other = () => named(want, composedGradient(s.backend, given, g));
  await expectBoth(s, label, own, other, want, comparison);
}

async function expectBoth(
  s: Subject,
  label: string,
  own: () => Results,
  other: () => Results,
  want: Wanted,
  comparison: Comparison,
): Promise<void> {
  const composition = await s.expect(`${label}, composed`, other, want, comparison);
  s.check(label, Object.keys(composition).length === Object.keys(want).length ? null : 'results are missing');
  const fast = await s.expect(label, own, want, comparison);
  for (const name of Object.keys(fast)) {
    s.check(`${label}: ${name}, own against composed`, compare(fast[name], composition[name], comparison));
  }
}
