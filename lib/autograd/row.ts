import type { FastAttrs, FastRow, FastRows, JointVjp, Outputs, Saved, Vjp } from '../kernels/fast.js';
import { choose } from '../kernels/trace.js';
import { backendOf } from '../kernels/value.js';
import { TapeError } from '../tensor/errors.js';
import type { Shape } from '../tensor/shape.js';
import { scope } from '../tensor/storage.js';
import type { View } from '../tensor/view.js';

export type { JointVjp, Outputs, Saved, Vjp } from '../kernels/fast.js';

/**
 * One primitive: shape rule, value and gradients stand together, composed of the required kernels (`kernels/value.ts`).
 * Everything else in the project is composed from rows, so they are the whole of what must be differentiated by hand.
 */
export interface Row<A> {
  /** Appears in error messages. */
  readonly name: string;
  /**
   * Output shape, or ShapeError; a list of shapes where there are several outputs, of which only the first has a
   * history: the others are constants of the point. `'broadcast'`: elementwise, operands stretch to a common shape.
   * `'own'`: unchecked.
   */
  readonly shape: 'broadcast' | 'own' | ((shapes: readonly Shape[], attrs: A) => Shape | readonly Shape[]);
  /** The definition. Rows with several outputs return them in their order. */
  readonly value: (inputs: readonly View[], attrs: A) => Outputs;
  /** One rule per argument (`null`: no gradient), or one joint rule; absent if nothing is differentiable. */
  readonly vjp?: readonly (Vjp<A> | null)[] | JointVjp<A>;
  /** The values the rules read: input indices and outputs. Nothing else stays alive for backward. */
  readonly saves?: readonly SavedKey[];
  /** Of a straight-through row: the function whose derivative is promised, as seen from the point `at`, for checks. */
  readonly surrogate?: string;
  /** Whether the row only moves numbers, and so takes int32 too: arithmetic on that is nobody's. */
  readonly moves?: true;
  /** Whether backends may offer a fast path under this name (`kernels/fast.ts`). */
  readonly fast?: true;
}

export type SavedKey = number | 'output' | `output${number}`;

/** A row no backend knows by name. Keeps its attribute type while checking it against the interface. */
export function row<A = Record<never, never>>(definition: Omit<Row<A>, 'fast'>): Row<A> {
  return definition;
}

/** A row that backends may speed up under its name. */
export function fastRow<Name extends keyof FastRows>(
  name: Name,
  definition: Omit<Row<FastAttrs<Name>>, 'fast' | 'name'>,
): Row<FastAttrs<Name>> {
  return { ...definition, name, fast: true };
}

/** What a backend offers for a row. */
function fastPath<A>(row: Row<A>, operand: View): FastRow<A> | undefined {
  return row.fast && (backendOf(operand).fast?.[row.name as keyof FastRows] as FastRow<A> | undefined);
}

/** Told of a row that has computed its value: what went in, what came out. */
export type RowWatcher = (row: Row<never>, inputs: readonly View[], outputs: readonly View[], attrs: unknown) => void;

let watcher: RowWatcher | null = null;

/** Tells of every row whose value `work` computes, also of those inside functions of users. */
export function watchRows<T>(onRow: RowWatcher, work: () => T): T {
  const before = watcher;
  watcher = onRow;
  try {
    return work();
  } finally {
    watcher = before;
  }
}

/** A row's outputs, off the tape, by a fast path or by its composition. */
export function evaluate<A>(row: Row<A>, inputs: readonly View[], attrs: A): readonly View[] {
  const fast = fastPath(row, inputs[0])?.value;
  const result = choose<Outputs>(
    backendOf(inputs[0]),
    row.name,
    'value',
    inputs,
    fast ? () => fast(inputs, attrs) : null,
    () => scope(() => row.value(inputs, attrs)),
  );
  const outputs = 'storage' in result ? [result] : result;
  watcher?.(row as Row<never>, inputs, outputs, attrs);
  return outputs;
}

/** The gradients to a row's inputs from that to its first output, off the tape; null where none exists or is wanted. */
export function differentiate<A>(
  row: Row<A>,
  g: View,
  saved: Saved<A>,
  wanted: readonly boolean[],
): readonly (View | null)[] {
  const { vjp, name } = row;
  const backend = backendOf(g);
  const fast = fastPath(row, g)?.vjp;
  if (typeof vjp === 'function') {
    const joint = typeof fast === 'function' ? () => fast(g, saved) : null;
    const grads = choose(backend, name, 'gradient', [g], joint, () => scope(() => vjp(g, saved)));
    if (grads.length !== wanted.length) {
      throw new TapeError(name, `vjp returned ${grads.length} gradients for ${wanted.length} inputs`);
    }
    return wanted.map((wants, i) => (wants ? grads[i] : null));
  }
  return wanted.map((wants, i) => {
    const rule = vjp?.[i];
    if (!wants || !rule) return null;
    const quick = typeof fast === 'object' ? fast[i] : undefined;
    const own = quick ? () => quick(g, saved) : null;
    return choose<View>(backend, name, 'gradient', [g], own, () => scope(() => rule(g, saved)));
  });
}
